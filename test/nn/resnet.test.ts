import * as tf from '@tensorflow/tfjs-core'
import { convNet, describeError, key, type Module, resnet, type Shape } from 'diffeo'
import { orThrow } from 'diffeo/fp'
import { randomBatch, randomParams } from 'diffeo/laws'
import * as T from 'diffeo/tensor'
import { type AnyTensor, countParams, leaves, type Params, unwrap } from 'diffeo/tensor'
import * as E from 'fp-ts/lib/Either.js'
import { pipe } from 'fp-ts/lib/function.js'
import { describe, expect, it } from 'vitest'
import { conv, normalise } from '../../src/nn/conv.js'
import { trust } from '../../src/tensor/tensor.js'
import { values } from '../support.js'
import { netLaws } from './support.js'

const norms = ['batch', 'instance', 'none'] as const
const small = (norm: (typeof norms)[number], weightNorm = true) => resnet({ width: 3, blocks: 1, norm, weightNorm })

describe.each(norms.flatMap((norm) => [true, false].map((weightNorm) => [norm, weightNorm] as const)))(
  'resnet, norm %s, weight norm %s',
  (norm, weightNorm) => {
    netLaws(small(norm, weightNorm), [3, 4, 2], [3, 4, 3])
  },
)
describe.each([true, false])('resnet at random, weight norm %s', (weightNorm) => {
  netLaws(resnet({ width: 3, blocks: 1, norm: 'none', weightNorm, zeroInit: false }), [3, 4, 2], [3, 4, 3], {
    startsAtZero: false,
  })
})
describe.each([true, false])('convNet, weight norm %s', (weightNorm) => {
  netLaws(convNet({ hidden: [3, 2], weightNorm }), [3, 4, 2], [3, 4, 3])
})

const input = (n: number, seed: number) => randomBatch([3, 4, 2], [-2, 2], n, key(seed))
const at = (net: ReturnType<typeof resnet>): Module => orThrow(net.at([3, 4, 2], [3, 4, 3]))
const close = (got: AnyTensor, expected: AnyTensor, digits = 4) => {
  values(expected).forEach((v, i) => {
    expect(values(got)[i]).toBeCloseTo(v, digits)
  })
}
/** Example `i` of a batch. */
const example = (x: AnyTensor, i: number): AnyTensor => trust(tf.slice(unwrap(x), i, 1))

describe('the formula', () => {
  const parts = (params: Params) => ({
    c: (name: string) => conv(params[name] as Params),
    a: (name: string) => (x: AnyTensor) => T.relu(normalise('instance', params[name] as Params, false)(x)[0]),
  })
  it('of resnet: out(relu(norm(Σ skips))) of h₀ and of each hᵢ = hᵢ₋₁ + block(hᵢ₋₁)', () => {
    tf.tidy(() => {
      const module = at(resnet({ width: 3, blocks: 2, norm: 'instance' }))
      const params = randomParams(module.spec, key(9))
      const { c, a } = parts(params)
      const hidden = (i: number, h: AnyTensor) =>
        T.add(pipe(h, a(`norm${i}a`), c(`conv${i}a`), a(`norm${i}b`), c(`conv${i}b`)))(h)
      const x = input(2, 10)
      const h0 = c('in')(x)
      const [h1, h2] = [hidden(0, h0), hidden(1, hidden(0, h0))]
      const skips = T.add(c('skip1')(h2))(T.add(c('skip0')(h1))(c('skip')(h0)))
      close(module.run(params, x, false)[0], pipe(skips, a('norm'), c('out')))
    })
  })
  it('of convNet: convolutions with relu between them', () => {
    tf.tidy(() => {
      const module = at(convNet({ hidden: [3, 2] }))
      const params = randomParams(module.spec, key(9))
      const { c } = parts(params)
      const x = input(2, 10)
      close(module.run(params, x, false)[0], pipe(x, c('conv0'), T.relu, c('conv1'), T.relu, c('conv2')))
    })
  })
  it('has the sizes that the options say by default', () => {
    const block = 2 * (64 + 9 * 32 * 32 + 64) + (32 * 32 + 64)
    expect(countParams(at(resnet()).spec)).toBe(9 * 2 * 32 + 64 + (32 * 32 + 64) + 2 * block + 64 + 32 * 3 + 6)
    expect(countParams(at(convNet()).spec)).toBe(9 * 2 * 32 + 32 + (9 * 32 * 32 + 32) + 9 * 32 * 3 + 3)
  })
})

describe('training and evaluation', () => {
  it.each(['instance', 'none'] as const)('are the same with norm %s, which knows one example at a time', (norm) => {
    tf.tidy(() => {
      const module = at(small(norm))
      const params = randomParams(module.spec, key(1))
      const x = input(3, 2)
      const [trained, next] = module.run(params, x, true)
      expect(values(trained)).toEqual(values(module.run(params, x, false)[0]))
      close(module.run(params, example(x, 1), true)[0], example(trained, 1), 5)
      for (const [path, leaf] of leaves<AnyTensor>(next))
        expect(values(leaf)).toEqual(values(new Map(leaves<AnyTensor>(params)).get(path)))
    })
  })

  it('differ with batch norm until the running statistics are the batch’s', () => {
    tf.tidy(() => {
      const module = at(small('batch'))
      const params = randomParams(module.spec, key(3))
      const x = input(4, 4)
      const [trained] = module.run(params, x, true)
      expect(values(module.run(params, x, false)[0])).not.toEqual(values(trained))
      // .95³⁰⁰ = 2e-7 of where they began is left
      const settled = Array.from({ length: 300 }).reduce<Params>((p) => module.run(p, x, true)[1], params)
      close(module.run(settled, x, false)[0], trained, 3)
      // in evaluation an example does not depend on its batch, and nothing moves
      const [evaluated, next] = module.run(settled, x, false)
      close(module.run(settled, example(x, 2), false)[0], example(evaluated, 2), 5)
      expect(leaves(next).map(([, leaf]) => values(leaf))).toEqual(leaves(settled).map(([, leaf]) => values(leaf)))
    })
  })

  it('moves the running statistics and nothing else', () => {
    tf.tidy(() => {
      const module = at(small('batch'))
      const params = randomParams(module.spec, key(5))
      const [, next] = module.run(params, input(4, 6), true)
      const before = new Map(leaves<AnyTensor>(params))
      expect(leaves(next).map(([path]) => path)).toEqual(leaves(params).map(([path]) => path))
      for (const [path, leaf] of leaves<AnyTensor>(next)) {
        const moves = /(mean|variance)$/.test(path)
        expect(leaf === before.get(path), path).toBe(!moves)
      }
    })
  })
})

describe('weight norm', () => {
  it.each([small('none'), convNet({ hidden: [3], weightNorm: true })])('does not see how long a kernel is', (net) => {
    tf.tidy(() => {
      const module = at(net)
      const params = randomParams(module.spec, key(7))
      const longer = (tree: Params): Params =>
        Object.fromEntries(
          Object.entries(tree).map(([name, sub]) => [
            name,
            name === 'kernel'
              ? trust(tf.mul(unwrap(sub as AnyTensor), 3))
              : 'kernel' in sub
                ? longer(sub as Params)
                : sub,
          ]),
        )
      const x = input(2, 8)
      close(module.run(longer(params), x, false)[0], module.run(params, x, false)[0], 4)
    })
  })
  it('adds one gain for each channel of a convolution', () => {
    const gains = (weightNorm: boolean) =>
      leaves(at(resnet({ width: 3, blocks: 2, norm: 'none', weightNorm })).spec).filter(([path]) =>
        path.endsWith('gain'),
      )
    expect(gains(false)).toEqual([])
    expect(gains(true)).toHaveLength(9)
  })
})

describe('a width that does not fit', () => {
  it.each<readonly [string, Shape, Shape, string]>([
    ['a vector', [12], [3, 4, 3], 'expected height×width×channels, got 12'],
    ['another height', [3, 4, 2], [4, 4, 3], 'expected 3×4×channels as output, got 4×4×3'],
    ['another width', [3, 4, 2], [3, 5, 3], 'expected 3×4×channels as output, got 3×5×3'],
    ['a vector as output', [3, 4, 2], [36], 'expected 3×4×channels as output, got 36'],
  ])('is a sentence: %s', (_, from, to, sentence) => {
    for (const [name, net] of [
      ['resnet', resnet()],
      ['convNet', convNet()],
    ] as const)
      expect(pipe(net.at(from, to), E.mapLeft(describeError))).toEqual(E.left(`${name}: ${sentence}`))
  })
})
