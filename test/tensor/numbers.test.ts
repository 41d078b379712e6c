/** What plain JavaScript may pass for numbers, shapes and tensors. */
import * as tf from '@tensorflow/tfjs-core'
import { affine, atShape, DiffeoException, dequantise, describeError, flow, key, realNvp, standardNormal } from 'diffeo'
import { batch, orThrow, refine, tensor } from 'diffeo/fp'
import * as T from 'diffeo/tensor'
import { toArray, unwrap } from 'diffeo/tensor'
import * as E from 'fp-ts/lib/Either.js'
import { pipe } from 'fp-ts/lib/function.js'
import { describe, expect, it } from 'vitest'
import '../support.js'

const sentence = (e: E.Either<never, unknown> | E.Either<{ readonly _tag: string }, unknown>): string =>
  pipe(
    e as E.Either<Parameters<typeof describeError>[0], unknown>,
    E.match(describeError, () => 'accepted'),
  )

const refused: readonly (readonly [values: unknown, sentence: string])[] = [
  [
    [
      [1, 2],
      [3, 4],
    ],
    'expected numbers of float32, got a list at index 0; flatten nested lists: values.flat(Infinity)',
  ],
  [[1, [2], 3, 4], 'expected numbers of float32, got a list at index 1'],
  [[new Float32Array(2), new Float32Array(2)], 'expected numbers of float32, got a list at index 0'],
  [['1', '2'], 'expected numbers of float32, got "1" at index 0; pass a list of numbers'],
  ['1234', 'expected a list of numbers, got "1234"'],
  [[1, null], 'got null at index 1'],
  [[1, undefined], 'got undefined at index 1'],
  [new Array(2), 'got undefined at index 0'],
  [{ length: 2 }, 'got undefined at index 0'],
  [[1, true], 'got true at index 1'],
  [[1, {}], 'got an object at index 1'],
  [[1, 2n], 'got 2n at index 1'],
  [new BigInt64Array(2), 'got 0n at index 0'],
  [[1, 1e300], 'got 1e+300 at index 1; scale the data: float32 ends at 3.4e38'],
  [[-3.5e38, 1], 'got -3.5e+38 at index 0'],
  [Float64Array.of(0, 1e39), 'got 1e+39 at index 1'],
  [null, 'expected a list of numbers, got null'],
  [undefined, 'expected a list of numbers, got undefined'],
  [7, 'expected a list of numbers, got 7'],
  [{}, 'expected a list of numbers, got an object'],
  [{ length: -2 }, 'expected a list of numbers, got an object'],
  [() => [1, 2], 'expected a list of numbers, got a function'],
  [[1, 2, 3], 'got 3'],
]

describe.each([
  ['batch', batch],
  ['tensor', tensor],
] as const)('%s', (name, make) => {
  it.each(refused)('refuses %o', (values, wanted) => {
    const said = sentence(make([2], values as never))
    expect(said).toContain(wanted)
    expect(said.startsWith(`${name}: expected`)).toBe(true)
  })
  it('refuses a tensor, and says how to check one', () => {
    tf.tidy(() => {
      expect(sentence(make([2], tf.tensor([1, 2]) as never))).toContain('got a tensor; check a tensor with refine')
    })
  })
  it.each([
    [[-1], 'a shape of whole numbers, got [-1]'],
    [[1.5], 'a shape of whole numbers, got [1.5]'],
    [['N', 2], 'a shape of whole numbers, got [N,2]'],
    [2, 'a shape of whole numbers, got 2'],
    [undefined, 'a shape of whole numbers, got undefined'],
  ] as const)('refuses the shape %o', (shape, wanted) => {
    expect(sentence(make(shape as never, [1, 2]))).toContain(`${name}: expected ${wanted}`)
  })
  it('takes NaN, infinities, the largest float32 and every kind of array', () => {
    tf.tidy(() => {
      const largest = 3.4028234663852886e38
      for (const values of [
        [Number.NaN, Number.POSITIVE_INFINITY],
        [largest, -largest],
        Float32Array.of(1, 2),
        Float64Array.of(0.1, 2),
        Uint8Array.of(1, 255),
        Int32Array.of(-1, 2),
        { length: 2, 0: 5, 1: 6 },
      ]) {
        const made = make([2], values as never) as E.Either<never, never>
        expect(E.isRight(made)).toBe(true)
        if (E.isRight(made))
          expect([...unwrap(made.right as never).dataSync()]).toEqual(Array.from(values as number[], Math.fround))
      }
    })
  })
})

describe('what is no tensor', () => {
  const f = flow(atShape([2], affine), standardNormal)
  it.each([[[[1, 2]]], [[1, 2]], ['12'], [undefined], [null], [3]])('%o is refused in a sentence', (x) => {
    tf.tidy(() => {
      const params = f.init(key(0))
      for (const call of [
        () => f.logProb(params)(x as never),
        () => f.train(params)(x as never),
        () => f.bijector.bind(params).inverse(x as never),
        () => f.bijector.start(params)(x as never),
        () => T.add(x as never)(x as never),
        () => T.bias(x as never)(x as never),
      ])
        expect(call).toThrow(/expected .+, got .+/)
      expect(sentence(refine([2])(x as never))).toMatch(/^refine: expected a tensor/)
    })
  })
  it('is refused by flows of several latents', () => {
    tf.tidy(() => {
      const b = atShape([4, 4, 1], realNvp({ width: 2, blocks: 1 }))
      const params = b.init(key(0))
      expect(() => b.bind(params).inverse([[1], [2]] as never)).toThrow(
        'compose: expected a tensor, got a list; make one',
      )
    })
  })
})

describe('what is no number, and no tensor of float32', () => {
  const f = flow(atShape([2], affine), standardNormal)
  const any = (u: unknown) => u as never
  const x = () => orThrow(batch([2], [1, 2, 3, 4]))
  const list = any([1, 2])
  it.each<[name: string, call: () => unknown, sentence: string]>([
    ['plus', () => T.plus(any('a'))(x()), 'plus: expected a number, got "a"; add tensors with add'],
    ['plus', () => T.plus(any(x()))(x()), 'plus: expected a number, got a tensor; add tensors with add'],
    ['times', () => T.times(any([1, 2]))(x()), 'times: expected a number, got a list; multiply tensors with mul'],
    ['exp', () => T.exp(list), 'exp: expected a tensor, got a list'],
    ['softplus', () => T.softplus(any(undefined)), 'softplus: expected a tensor, got undefined'],
    ['sum', () => T.sum(list), 'sum: expected a tensor, got a list'],
    ['mean', () => T.mean(any('a')), 'mean: expected a tensor, got "a"'],
    ['sumEvent', () => T.sumEvent(list), 'sumEvent: expected a tensor, got a list'],
    ['sumEvent', () => T.sumEvent(any(tf.scalar(1))), 'sumEvent: expected a batch, got scalar'],
    ['zeroPerExample', () => T.zeroPerExample(list), 'zeroPerExample: expected a tensor, got a list'],
    ['zeroPerExample', () => T.zeroPerExample(any(tf.scalar(1))), 'zeroPerExample: expected a batch, got scalar'],
    ['slice', () => T.slice(any('0'), any(1))(any(x())), 'slice: expected a range within 0 to 2 in 2×2'],
    ['slice', () => T.slice(0.5, 1)(any(x())), 'slice: expected a range within 0 to 2 in 2×2, got 1 elements from 0.5'],
    ['split', () => T.split(any(1))(any(x())), 'split: expected sizes that add up to 2 in 2×2, got 1'],
    ['split', () => T.split([0.5, 1.5])(any(x())), 'split: expected sizes that add up to 2 in 2×2, got [0.5, 1.5]'],
    ['reshape', () => T.reshape(any(4))(any(x())), 'reshape: expected a shape of whole numbers, got 4'],
    [
      'transpose',
      () => T.transpose(any('10'))(any(x())),
      'transpose: expected a permutation of the axes of 2×2, got 10',
    ],
    ['sumAxis', () => T.sumAxis(any('1'))(any(x())), 'sumAxis: expected an axis of 2×2, got 1'],
    ['refine', () => orThrow(refine(any('N'))(tf.ones([2]))), 'refine: expected a list of sizes and names, got "N"'],
    ['dequantise', () => dequantise(key(0)).inverse(list), 'dequantise: expected a tensor, got a list'],
    ['logProb', () => f.logProb(f.init(key(0)))(any(tf.ones([1, 2], 'int32'))), 'got one of int32; convert it'],
    ['bitsPerDim', () => f.bitsPerDim(f.init(key(0)))(any(tf.ones([1, 2], 'bool'))), 'got one of bool; convert it'],
    ['inverse', () => f.bijector.bind(f.init(key(0))).inverse(any(tf.ones([1, 2], 'int32'))), 'got one of int32'],
    [
      'sample',
      () => f.sample(f.init(key(0)))(key(0), 2 ** 40),
      'sample: expected at most 1073741824 draws at a time, got 1099511627776',
    ],
  ])('is refused by %s', (_, call, sentence) => {
    tf.tidy(() => {
      expect(call).toThrow(sentence)
      expect(call).toThrow(DiffeoException)
    })
  })
  it('is refused by values', async () => {
    await expect(toArray(list)).rejects.toThrow('values: expected a tensor, got a list')
    await expect(toArray(any(undefined))).rejects.toThrow('values: expected a tensor, got undefined')
  })
})
