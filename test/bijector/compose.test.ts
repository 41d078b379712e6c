import * as tf from '@tensorflow/tfjs-core'
import {
  type AnyBijector,
  actNorm,
  affine,
  atShape,
  batchNorm,
  bijector,
  compose,
  coupling,
  describeError,
  exponentialCdf,
  factorOut,
  flip,
  halves,
  input,
  key,
  mlp,
  normalCdf,
  repeat,
  reverse,
  squeeze,
} from 'diffeo'
import { randomBatch } from 'diffeo/laws'
import * as T from 'diffeo/tensor'
import { leaves } from 'diffeo/tensor'
import * as E from 'fp-ts/lib/Either.js'
import { pipe } from 'fp-ts/lib/function.js'
import { describe, expect, it } from 'vitest'
import { randomParams, values } from '../support.js'

it('compose takes latents back in the order in which it left them behind', () => {
  tf.tidy(() => {
    const f = atShape([8], compose(factorOut, factorOut, factorOut)).bind({})
    const x = randomBatch([8], [-2, 2], 2, key(6))
    const [z] = f.forward(x as never)
    expect(values(f.inverse(z)[0])).toEqual(values(x))
  })
})

it('compose counts the log-det of every part, whatever its name', () => {
  const double = bijector({
    name: 'input',
    domain: [2],
    codomain: [2],
    spec: {},
    forward: (_, x) => [T.times(2)(x), T.plus(2 * Math.LN2)(T.zeroPerExample(x))],
    inverse: (_, z) => [T.times(0.5)(z), T.plus(-2 * Math.LN2)(T.zeroPerExample(z))],
  })
  tf.tidy(() => {
    const f = compose(input([2]), double, double).bind({})
    const x = randomBatch([2], [-1, 1], 1, key(7)) as never
    expect(values(f.forward(x)[1])[0]).toBeCloseTo(4 * Math.LN2, 6)
    expect(values(f.inverse(x)[1])[0]).toBeCloseTo(-4 * Math.LN2, 6)
  })
})

describe('a composition', () => {
  it('of nothing is the identity, with a log-det of 0 for each example', () => {
    tf.tidy(() => {
      const empty = compose(input([3]))
      expect([empty.domain, empty.codomain, empty.spec]).toEqual([[3], [3], {}])
      const x = randomBatch([3], [-2, 2], 2, key(8))
      const f = empty.bind({})
      for (const [y, logDet] of [f.forward(x), f.inverse(x)]) {
        expect(values(y)).toEqual(values(x))
        expect(values(logDet)).toEqual([0, 0])
      }
    })
  })
  it('of no layers is the identity at any shape', () => {
    tf.tidy(() => {
      const none = atShape([2, 2, 3], compose())
      expect([none.domain, none.codomain, none.parts]).toEqual([[2, 2, 3], [2, 2, 3], []])
      const x = randomBatch([2, 2, 3], [-2, 2], 2, key(11))
      expect(values(none.bind({}).forward(x as never)[0])).toEqual(values(x))
      expect(values(none.bind({}).forward(x as never)[1])).toEqual([0, 0])
    })
  })
  it('takes latents back past layers that leave none behind', () => {
    tf.tidy(() => {
      const f = atShape([8], compose(factorOut, flip, factorOut, flip)).bind({})
      const x = randomBatch([8], [-2, 2], 2, key(12))
      expect(values(f.inverse(f.forward(x as never)[0])[0])).toEqual(values(x))
    })
  })
  it('takes what its first part takes, and makes what its last part makes; empty flows are no part', () => {
    const ends = ({ support, range }: AnyBijector) => [support, range]
    const [exponential, normal] = [atShape([2], exponentialCdf(1)), atShape([2], reverse(normalCdf()))]
    const whole = atShape([2], compose(exponential, normal))
    expect(ends(whole)).toEqual([exponential.support, normal.range])
    expect(ends(whole)).not.toEqual(ends(atShape([2], compose(normal, exponential))))
    expect(ends(atShape([2], compose(input([2]), exponential, normal, input([2]))))).toEqual(ends(whole))
    expect(ends(compose(input([2])))).toEqual(ends(input([2])))
    const cdf = compose(input([2]), affine, normalCdf(), input([2]))
    expect(ends(cdf)).toEqual([atShape([2], affine).support, atShape([2], normalCdf()).range])
    expect(cdf.range).not.toEqual(cdf.support)
  })
  it('names its parts by place, and lists those with parameters in its spec', () => {
    const b = compose(input([4]), flip, affine, factorOut, affine, actNorm)
    expect(Object.keys(b.spec)).toEqual(['2.affine', '4.affine', '5.actNorm'])
    expect(b.parts?.map(({ name }) => name)).toEqual(['input', 'flip', 'affine', 'factorOut', 'affine', 'actNorm'])
    expect(b.codomain).toEqual([[2], [2]])
    expect(compose(input([4]), flip).codomain).toEqual([4])
  })
  it('trains and starts each part on what comes out of the parts before, and returns the parameters of each', () => {
    tf.tidy(() => {
      const [first, second] = [atShape([2], batchNorm()), atShape([2], actNorm)]
      const b = compose(input([2]), first, flip, second)
      const params = randomParams(b, key(9))
      const [one, two] = Object.keys(b.spec) as [string, string]
      const x = randomBatch([2], [-3, 3], 5, key(10))
      for (const way of ['train', 'start'] as const) {
        const [h, logDet, next] = first[way](params[one] as never)(x)
        const turned = atShape([2], flip).bind({}).forward(h)[0]
        const [z, more, after] = second[way](params[two] as never)(turned)
        const [got, whole, all] = b[way](params)(x)
        expect(values(got)).toEqual(values(z))
        values(whole).forEach((v, i) => {
          expect(v).toBeCloseTo(values(logDet)[i]! + values(more)[i]!, 5)
        })
        expect(Object.keys(all)).toEqual([one, two])
        const read = (tree: unknown) => leaves(tree as never).map(([path, leaf]) => [path, values(leaf)])
        expect(read(all)).toEqual(read({ [one]: next, [two]: after }))
      }
    })
  })
})

describe('repeat', () => {
  const step = compose(actNorm, coupling(halves(), mlp({ hidden: [4] })), flip)

  it('is the composition of as many copies, each with parameters of its own', () => {
    tf.tidy(() => {
      const [a, b] = [atShape([4], repeat(3, step)), atShape([4], compose(step, step, step))]
      expect(a.spec).toEqual(b.spec)
      const params = randomParams(a, key(1))
      const x = randomBatch([4], [-2, 2], 3, key(2))
      const [z, logDet] = a.bind(params).forward(x)
      const [same, sameLogDet] = b.bind(params).forward(x)
      expect(values(z)).toEqual(values(same))
      expect(values(logDet)).toEqual(values(sameLogDet))
      const kernels = leaves(a.init(key(3))).filter(([path]) => path.endsWith('dense0/kernel'))
      expect(new Set(kernels.map(([, leaf]) => values(leaf).join())).size).toBe(3)
    })
  })

  it('adds up: n + m times are n times, then m times', () => {
    tf.tidy(() => {
      const whole = atShape([3], repeat(5, affine))
      const inParts = atShape([3], compose(repeat(2, affine), repeat(3, affine)))
      const params = randomParams(whole, key(4))
      const from = (first: number, n: number) =>
        Object.fromEntries(Array.from({ length: n }, (_, i) => [`${i}.affine`, params[`${first + i}.affine`]!]))
      const x = randomBatch([3], [-1, 1], 2, key(5))
      const inTwo = inParts.bind({ '0.compose': from(0, 2), '1.compose': from(2, 3) }).forward(x)
      const atOnce = whole.bind(params).forward(x)
      expect(values(inTwo[0])).toEqual(values(atOnce[0]))
      // the sums of log-dets are associated otherwise
      values(inTwo[1]).forEach((logDet, i) => {
        expect(logDet).toBeCloseTo(values(atOnce[1])[i]!, 5)
      })
    })
  })

  it.each([0, -1, 2.5, Number.NaN, Number.POSITIVE_INFINITY])('refuses %d times in a sentence', (n: number) => {
    const said = pipe(repeat(n, squeeze).at([4, 4, 1]), E.mapLeft(describeError))
    expect(said).toEqual(E.left(`repeat: expected a whole number of at least 1, got ${n}`))
  })

  it('refuses what does not fit at the time at which it does not', () => {
    const times: number = 3
    const said = pipe(repeat(times, squeeze).at([28, 28, 1]), E.mapLeft(describeError))
    expect(said).toEqual(E.left('squeeze: expected an even height, got 7 in 7×7×16'))
  })
})
