import * as tf from '@tensorflow/tfjs-core'
import {
  type AnyConditional,
  actNorm,
  additiveCoupling,
  atShape,
  autoregressiveOf,
  channelwise,
  checkerboard,
  compiled,
  compose,
  conditional,
  convNet,
  coupling,
  embed,
  factorOut,
  flip,
  flow,
  halves,
  input,
  key,
  mlp,
  realNvp,
  realNvpVector,
  repeat,
  resnet,
  reverse,
  splineCoupling,
  squeeze,
  standardNormal,
  Transformers,
} from 'diffeo'
import { ready } from 'diffeo/engine'
import { checkLaws, randomParams } from 'diffeo/laws'
import * as T from 'diffeo/tensor'
import { type AnyTensor, batch, disposeParams, leaves, normalArray, type Params, unwrap } from 'diffeo/tensor'
import { beforeAll, describe, expect, it } from 'vitest'
import { eagerCompiler, setCompiler } from '../../src/backends/compiler.js'
import { runEagerly } from '../../src/compiler/evaluate.js'
import { trust } from '../../src/tensor/tensor.js'
import { values } from '../support.js'

const small = mlp({ hidden: [8], activation: 'tanh' })
const given = [3] as const
const contexts = <const S extends readonly number[]>(shape: S, n: number, seed: number) =>
  batch(shape, normalArray(key(seed), n * shape.reduce((a, b) => a * b, 1)))
const conv = convNet({ hidden: [4] })
const image = compose(
  input([4, 4, 1], { given }),
  coupling(checkerboard(), conv),
  squeeze,
  coupling(channelwise(), conv),
  factorOut,
  coupling(checkerboard(), conv),
)
const cases: Readonly<Record<string, AnyConditional>> = {
  coupling: atShape([4], coupling(halves(), small), { given }),
  splineCoupling: atShape([4], splineCoupling(halves('second'), small), { given }),
  additiveCoupling: atShape([3], additiveCoupling(halves(), small), { given }),
  autoregressive: atShape([3], autoregressiveOf(Transformers.spline())({ hidden: [8, 9], activation: 'tanh' }), {
    given,
  }),
  'autoregressive mixture': atShape([3], autoregressiveOf(Transformers.mixture({ components: 2 }))({ hidden: [8] }), {
    given,
  }),
  'autoregressive, one variable': atShape([1], autoregressiveOf(Transformers.affine())({ hidden: [8] }), { given }),
  'a composition': compose(
    input([4], { given }),
    repeat(2, compose(coupling(halves(), small), flip, actNorm)),
    atShape([4], coupling(halves(), small), { given }),
    atShape([4], realNvpVector({ couplings: 2, hidden: [4] })),
  ),
  reverse: reverse(atShape([4], coupling(halves(), small), { given })),
  'a layer that does not look at it': atShape([4], actNorm, { given }),
  'two scales': image,
  'an image given an image': compose(
    input([4, 4, 1], { given: [4, 4, 2] }),
    coupling(checkerboard(), conv),
    squeeze,
    coupling(channelwise(), conv),
  ),
  embed: embed([3], mlp({ hidden: [5], activation: 'tanh' }), atShape([4], coupling(halves(), small), { given: [2] })),
  conditional: conditional({
    name: 'shifted',
    domain: [2],
    codomain: [2],
    given: [2],
    spec: {},
    forward: (_, x, c) => [T.sub(c)(x), T.zeroPerExample(x)],
    inverse: (_, z, c) => [T.add(c)(z), T.zeroPerExample(z)],
  }),
}

beforeAll(() => ready('cpu'))

describe.each(Object.entries(cases))('%s', (_, b) => {
  it('is lawful at drawn contexts', () => {
    const before = tf.memory().numTensors
    checkLaws(b, { tolerance: 5e-4, seed: 1, runs: 6 })
    expect(tf.memory().numTensors).toBe(before)
  })
})

describe('laws of conditional bijectors', () => {
  const shift = (of: (c: tf.Tensor) => tf.Tensor) =>
    conditional({
      name: 'wrong',
      domain: [2],
      codomain: [2],
      given: [2],
      spec: {},
      forward: (_, x, c) => [trust(tf.add(unwrap(x), of(unwrap(c)))), T.zeroPerExample(x)],
      inverse: (_, z, c) => [trust(tf.sub(unwrap(z), of(unwrap(c)))), T.zeroPerExample(z)],
    })
  it('hold for a flow of one', () => {
    checkLaws(
      flow(
        shift((c) => c),
        standardNormal,
      ),
      { runs: 3 },
    )
  })
  it('refuse contexts that mix', () => {
    const mixed = shift((c) => tf.add(tf.mul(c, 0), tf.mean(c, 0, true)))
    expect(() => checkLaws(mixed)).toThrow("wrong breaks the mandatory law 'contexts'")
  })
  it('refuse a wrong log-det at a context', () => {
    const wrong = conditional({
      name: 'scaled',
      domain: [2],
      codomain: [2],
      given: [2],
      spec: {},
      forward: (_, x, c) => [T.mul(T.exp(c))(x), T.zeroPerExample(x)],
      inverse: (_, z, c) => [T.mul(T.exp(T.neg(c)))(z), T.zeroPerExample(z)],
    })
    expect(() => checkLaws(wrong)).toThrow(/scaled breaks the mandatory law '(logDet|jacobian|volume)/)
  })
})

describe('contexts', () => {
  const b = atShape([4], coupling(halves(), small), { given })
  const f = flow(b, standardNormal)
  const params = randomParams(b.spec, key(0))
  const x = contexts([4], 5, 1) as never
  const each = contexts([3], 5, 2)

  it('of one each are those of the examples alone', () => {
    const all = values(f.given(each).logProb(params)(x))
    const alone = Array.from({ length: 5 }, (_, i) =>
      T.tidy(() => {
        const row = (t: unknown, width: number) => tf.slice(unwrap(t as AnyTensor), [i, 0], [1, width]) as never
        return values(f.given(row(each, 3)).logProb(params)(row(x, 4)))[0]!
      }),
    )
    alone.forEach((v, i) => {
      expect(all[i]).toBeCloseTo(v, 5)
    })
    expect(new Set(all).size).toBe(5)
  })
  it('of one for all is that one repeated', () => {
    const one = contexts([3], 1, 3)
    const five = tf.tile(unwrap(one), [5, 1]) as never
    expect(values(f.given(one).logProb(params)(x))).toEqual(values(f.given(five).logProb(params)(x)))
  })
  it('matter', () => {
    const [a, c] = [contexts([3], 1, 3), contexts([3], 1, 4)]
    expect(values(f.given(a).logProb(params)(x))).not.toEqual(values(f.given(c).logProb(params)(x)))
  })
  it('of another number of rows, or another shape, are refused', () => {
    expect(() => f.given(contexts([3], 2, 1)).logProb(params)(x)).toThrow(
      'coupling given: expected 1 context for all or 5, one for each example, got 2',
    )
    expect(() => f.given(contexts([2], 1, 1) as never)).toThrow('coupling given: expected N×3, got 1×2')
  })
  it('of bijectors that disagree are refused', () => {
    const layers = (g?: readonly number[]) => [input([4], { given: g as never }), b] as never[]
    expect(() => compose(...layers([2]))).toThrow('compose: expected a bijector given 2, got one given 3')
    expect(() => compose(...layers())).toThrow(
      'compose: expected a bijector without context, got one given 3; start with input(shape, { given })',
    )
  })
  it('are asked for where the types did not', () => {
    const any = f as unknown as { logProb: (p: unknown) => unknown; sample: (p: unknown) => unknown }
    expect(() => any.logProb(params)).toThrow(
      'logProb: expected a flow at a context of 3, got a conditional flow; use flow.given(context)',
    )
    expect(() => any.sample(params)).toThrow('sample: expected a flow at a context of 3')
  })
  it('leave no tensors behind', () => {
    const before = tf.memory().numTensors
    const at = f.given(each)
    unwrap(at.logProb(params)(x)).dispose()
    unwrap(at.sample(params)(key(1), 5)).dispose()
    disposeParams(f.init(key(0)))
    expect(tf.memory().numTensors).toBe(before)
  })
  it('reach an embedding net in training: its statistics move, and those of evaluation do not', () => {
    const net = resnet({ width: 2, blocks: 1, norm: 'batch' })
    const inner = compose(input([4, 4, 1], { given: [4, 4, 2] }), coupling(checkerboard(), conv))
    const b = embed([4, 4, 3], net, inner)
    const own = randomParams(b.spec, key(0))
    const at = b.given(contexts([4, 4, 3], 3, 1))
    const image = contexts([4, 4, 1], 3, 2)
    const [trained, , next] = at.train(own)(image)
    const means = (of: Params) =>
      leaves<AnyTensor>(of).flatMap(([path, t]) => (/^net\/.*mean$/.test(path) ? values(t) : []))
    expect(means(next)).not.toEqual(means(own))
    expect(values(trained)).not.toEqual(values(at.bind(own).forward(image)[0]))
  })
  it('make a conditional bijector of any layer', () => {
    const plain = atShape([4], actNorm, { given })
    expect(plain.context).toEqual([3])
    const layers = [input([4]), plain] as never[]
    expect(() => compose(...layers)).toThrow('compose: expected a bijector without context, got one given 3')
  })
  it('premade flows take them', () => {
    const digits = flow(
      atShape([8, 8, 1], realNvp({ scales: 2, width: 2, blocks: 1 }), { given: [10] }),
      standardNormal,
    )
    const own = digits.init(key(0))
    const c = contexts([10], 2, 1)
    expect(unwrap(digits.given(c).sample(own)(key(1), 2)).shape).toEqual([2, 8, 8, 1])
  })
})

it('contexts are arguments: three of them, called in two ways, are one program', async () => {
  let compiledPrograms = 0
  setCompiler(async ({ program }) => {
    compiledPrograms++
    return { run: runEagerly(program), dispose: async () => {} }
  })
  try {
    const f = flow(atShape([4], coupling(halves(), small), { given }), standardNormal)
    const params = randomParams(f.spec, key(0))
    const x = contexts([4], 5, 1)
    for (const seed of [2, 3, 4]) {
      const c = contexts([3], 5, seed)
      await compiled(f).given(c).logProb(params)(x)
      await compiled(f.given(c)).logProb(params)(x)
    }
    expect(compiledPrograms).toBe(1)
  } finally {
    setCompiler(eagerCompiler)
  }
})

describe.each(['onnxruntime', 'wasm'] as const)('compiled on %s', (engine) => {
  it('takes contexts as arguments: another context needs no other program', async () => {
    const f = flow(atShape([4], coupling(halves(), small), { given }), standardNormal)
    await ready('cpu')
    const params = randomParams(f.spec, key(0))
    const x = contexts([4], 5, 1) as never
    const all = [contexts([3], 5, 2), contexts([3], 1, 3), contexts([3], 5, 4)]
    const expected = all.map((c) => values(f.given(c).logProb(params)(x)))
    const drawn = values(f.given(all[1]!).sample(params)(key(5), 3, 0.7))
    await ready(engine)
    const c = compiled(f)
    for (const [i, one] of all.entries()) {
      const got = [...(await unwrap(await c.given(one).logProb(params)(x)).data())]
      expected[i]!.forEach((v, k) => {
        expect(got[k]).toBeCloseTo(v, 4)
      })
      const same = await compiled(f.given(one)).logProb(params)(x)
      expect([...(await unwrap(same).data())]).toEqual(got)
    }
    const got = await unwrap(await c.given(all[1]!).sample(params)(key(5), 3, 0.7)).data()
    drawn.forEach((v, k) => {
      expect(got[k]).toBeCloseTo(v, 4)
    })
    await c.dispose()
    await ready('cpu')
  })
})
