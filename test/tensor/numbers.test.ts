/** What plain JavaScript may pass for numbers, shapes and tensors. */
import * as tf from '@tensorflow/tfjs-core'
import { affine, batch, describeError, flow, key, on, realNvp, refine, standardNormal, T, tensor, unwrap } from 'diffeo'
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
    'expected numbers of float32, got a list at place 0; flatten nested lists: values.flat(Infinity)',
  ],
  [[1, [2], 3, 4], 'expected numbers of float32, got a list at place 1'],
  [[new Float32Array(2), new Float32Array(2)], 'expected numbers of float32, got a list at place 0'],
  [['1', '2'], 'expected numbers of float32, got "1" at place 0; pass a list of numbers'],
  ['1234', 'expected a list of numbers, got "1234"'],
  [[1, null], 'got null at place 1'],
  [[1, undefined], 'got undefined at place 1'],
  [new Array(2), 'got undefined at place 0'],
  [{ length: 2 }, 'got undefined at place 0'],
  [[1, true], 'got true at place 1'],
  [[1, {}], 'got an object at place 1'],
  [[1, 2n], 'got 2 at place 1'],
  [new BigInt64Array(2), 'got 0 at place 0'],
  [[1, 1e300], 'got 1e+300 at place 1; scale the data: float32 ends at 3.4e38'],
  [[-3.5e38, 1], 'got -3.5e+38 at place 0'],
  [Float64Array.of(0, 1e39), 'got 1e+39 at place 1'],
  [null, 'expected a list of numbers, got null'],
  [undefined, 'expected a list of numbers, got undefined'],
  [7, 'expected a list of numbers, got 7'],
  [{}, 'expected a list of numbers, got an object'],
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
  const f = flow(on([2], affine), standardNormal)
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
      const b = on([4, 4, 1], realNvp({ width: 2, blocks: 1 }))
      const params = b.init(key(0))
      expect(() => b.bind(params).inverse([[1], [2]] as never)).toThrow(
        'compose: expected a tensor, got a list; make one',
      )
    })
  })
})
