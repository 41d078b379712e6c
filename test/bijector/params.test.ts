/** Parameters of another flow are refused in one sentence, before a number is computed. */
import * as tf from '@tensorflow/tfjs-core'
import {
  type AnyBijector,
  actNorm,
  affine,
  atShape,
  batchNorm,
  channelwise,
  checkerboard,
  compiled,
  compose,
  convNet,
  coupling,
  flow,
  halves,
  input,
  key,
  logit,
  mlp,
  realNvpVector,
  resnet,
  splineCoupling,
  standardNormal,
} from 'diffeo'
import { jit } from 'diffeo/engine'
import { orThrow } from 'diffeo/fp'
import { batch, leaves, type Params, unwrap } from 'diffeo/tensor'
import { describe, expect, it } from 'vitest'
import { trust } from '../../src/tensor/tensor.js'
import '../support.js'

const image = (c: number) => [4, 4, c] as const
const batchAt = (b: AnyBijector) => trust(tf.zeros([2, ...(b.domain as number[])])) as never
const FIX = 'pass parameters of this model, from its init, its training or its checkpoint'

/** Every call that takes parameters. */
const calls = (b: AnyBijector): Readonly<Record<string, (params: Params) => unknown>> => {
  const f = flow(b, standardNormal)
  return {
    'bind, forward': (p) => b.bind(p).forward(batchAt(b)),
    'bind, inverse': (p) => b.bind(p).inverse(b.bind(b.init(key(0))).forward(batchAt(b))[0] as never),
    train: (p) => b.train(p)(batchAt(b)),
    start: (p) => b.start(p)(batchAt(b)),
    logProb: (p) => f.logProb(p)(batchAt(b)),
    'flow.train': (p) => f.train(p)(batchAt(b)),
    bitsPerDim: (p) => f.bitsPerDim(p)(batchAt(b)),
    sample: (p) => f.sample(p)(key(1), 2),
  }
}

/** Models, and others whose parameters TensorFlow.js would broadcast or read past. */
const pairs: Readonly<Record<string, readonly [of: AnyBijector, other: AnyBijector, sentence: string]>> = {
  'a grey actNorm in a colour flow': [
    atShape(image(3), actNorm),
    atShape(image(1), actNorm),
    'actNorm: expected a parameter shift of shape 3, got one of shape 1',
  ],
  'a grey batchNorm in a colour flow': [
    atShape(image(3), batchNorm()),
    atShape(image(1), batchNorm()),
    'batchNorm: expected a parameter mean of shape 3, got one of shape 1',
  ],
  'an affine of one row': [
    atShape([4, 3], affine),
    atShape([1, 3], affine),
    'affine: expected a parameter logScale of shape 4×3, got one of shape 1×3',
  ],
  'a norm in a composition': [
    compose(input(image(3)), actNorm, actNorm),
    compose(input(image(1)), actNorm, actNorm),
    'compose: expected a parameter 1.actNorm/shift of shape 3, got one of shape 1',
  ],
  'another order of layers': [
    compose(input([2]), actNorm, affine),
    compose(input([2]), affine, actNorm),
    'compose: expected a parameter 1.actNorm/shift of shape 2, got none among 5',
  ],
  'fewer layers': [
    atShape([2], realNvpVector({ couplings: 4, hidden: [4] })),
    atShape([2], realNvpVector({ couplings: 2, hidden: [4] })),
    'compose: expected a parameter 3.coupling/net/dense0/kernel of shape 1×4, got none among',
  ],
  'more layers': [
    compose(input([2]), affine),
    compose(input([2]), affine, affine),
    'compose: expected no parameter 2.affine/logScale, got one',
  ],
  'another net': [
    atShape([4], coupling(halves(), mlp({ hidden: [8] }))),
    atShape([4], coupling(halves(), mlp({ hidden: [4] }))),
    'coupling: expected a parameter net/dense0/kernel of shape 2×8, got one of shape 2×4',
  ],
  'another transformer': [
    atShape([4], splineCoupling(halves(), mlp({ hidden: [8] }))),
    atShape([4], coupling(halves(), mlp({ hidden: [8] }))),
    'splineCoupling: expected a parameter net/dense1/kernel of shape',
  ],
  'a net’s norm of fewer channels': [
    atShape(image(2), coupling(checkerboard(), resnet({ width: 4, blocks: 1 }))),
    atShape(image(2), coupling(checkerboard(), resnet({ width: 1, blocks: 1 }))),
    'coupling: expected a parameter net/in/kernel of shape 3×3×2×4, got one of shape 3×3×2×1',
  ],
  'none where there are some': [
    atShape([2], actNorm),
    atShape([2], logit()),
    'actNorm: expected a parameter shift of shape 2, got none',
  ],
  'some where there are none': [
    atShape([2], logit()),
    atShape([2], actNorm),
    'logit: expected no parameter shift, got one',
  ],
}

describe.each(Object.entries(pairs))('%s', (_, [b, other, sentence]) => {
  it.each(Object.entries(calls(b)))('is refused by %s', (_, call) => {
    tf.tidy(() => {
      expect(() => call(other.init(key(0)))).toThrow(sentence)
      expect(() => call(other.init(key(0)))).toThrow(FIX)
      call(b.init(key(0)))
    })
  })
  it('is refused by what is compiled, too', async () => {
    const f = flow(b, standardNormal)
    await expect(async () => compiled(f).logProb(other.init(key(0)))(batchAt(b))).rejects.toThrow(sentence)
    const forward = jit((params: Params, x: tf.Tensor) => b.bind(params).forward(trust(x) as never)[1])
    await expect(forward(other.init(key(0)), unwrap(batchAt(b)))).rejects.toThrow(sentence)
  })
})

describe('what is no tree of tensors', () => {
  it.each([
    [undefined, 'actNorm: expected a tree of parameters, got undefined'],
    [null, 'actNorm: expected a tree of parameters, got null'],
    [Promise.resolve({}), 'actNorm: expected a tree of parameters, got a promise of one'],
    [{ shift: [0, 0], logScale: [0, 0], started: [1] }, 'actNorm: expected a parameter shift of shape 2, got a list'],
    [{ shift: null }, 'actNorm: expected a parameter shift of shape 2, got null'],
  ] as const)('%o is refused', (params, sentence) => {
    expect(() => atShape([2], actNorm).bind(params as never)).toThrow(sentence)
  })
})

it('nets refuse parameters of other nets', () => {
  tf.tidy(() => {
    const nets = [
      [mlp({ hidden: [4] }), [2], [3], mlp({ hidden: [5] })],
      [resnet({ width: 3, blocks: 1 }), [4, 4, 2], [4, 4, 2], resnet({ width: 1, blocks: 1 })],
      [convNet({ hidden: [3] }), [4, 4, 2], [4, 4, 2], convNet({ hidden: [1] })],
    ] as const
    for (const [net, from, to, other] of nets) {
      const own = orThrow(net.at(from, to))
      const theirs = atShape(
        [...from.slice(0, -1), from.at(-1)! * 2],
        coupling((from.length === 1 ? halves() : channelwise()) as never, other as never),
      )
      const params = (theirs.init(key(0)) as Params)['net'] as Params
      expect(() => own.run(params, trust(tf.zeros([1, ...from])), false)).toThrow(FIX)
    }
  })
})

it('a tree is looked through once', () => {
  tf.tidy(() => {
    const b = atShape([2], realNvpVector({ couplings: 2, hidden: [4] }))
    const params = b.init(key(0))
    let looks = 0
    const counted = new Proxy(params, {
      ownKeys: (target) => {
        looks += 1
        return Reflect.ownKeys(target)
      },
    })
    const x = batch([2], [1, 2])
    b.bind(counted).forward(x)
    const first = looks
    expect(first).toBeGreaterThan(0)
    for (let i = 0; i < 5; i++) b.bind(counted).forward(x)
    expect(looks).toBe(first)
    expect(leaves(params).length).toBeGreaterThan(0)
  })
})
