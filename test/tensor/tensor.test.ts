import * as tf from '@tensorflow/tfjs-core'
import { type DiffeoError, describeError } from 'diffeo'
import { batch, refine, tensor } from 'diffeo/fp'
import { sizes, toArray, unwrap } from 'diffeo/tensor'
import * as E from 'fp-ts/lib/Either.js'
import { pipe } from 'fp-ts/lib/function.js'
import { describe, expect, it } from 'vitest'
import '../support.js'

describe('refine', () => {
  const answer = (dims: readonly (number | string)[], t: tf.Tensor): E.Either<string, unknown> =>
    pipe(
      refine(dims)(t),
      E.bimap(
        (e: DiffeoError) => describeError(e),
        (right) => unwrap(right) === t,
      ),
    )
  it.each<readonly [readonly (number | string)[], number[]]>([
    [
      ['N', 4, 4, 1],
      [7, 4, 4, 1],
    ],
    [[3], [3]],
    [[], []],
    [
      ['N', 'N'],
      [2, 2],
    ],
    [
      ['N', 'M'],
      [2, 3],
    ],
  ])('takes %j for %j as it is', (dims, got) => {
    tf.tidy(() => void expect(answer(dims, tf.zeros(got))).toEqual(E.right(true)))
  })
  it.each<readonly [string, readonly (number | string)[], () => tf.Tensor]>([
    ['another rank', ['N', 4], () => tf.zeros([2, 4, 1])],
    ['another rank', [4], () => tf.scalar(4)],
    ['another size', ['N', 4], () => tf.zeros([2, 5])],
    ['unequal names', ['N', 'N'], () => tf.zeros([2, 3])],
    ['another dtype', ['N'], () => tf.zeros([2], 'int32')],
    ['another dtype', ['N'], () => tf.zeros([2], 'bool')],
  ])('refuses %s', (what, dims, make) => {
    const show = (s: readonly (number | string)[]) => (s.length === 0 ? 'scalar' : s.join('×'))
    tf.tidy(() => {
      const t = make()
      const sentence =
        what === 'another dtype'
          ? `refine: expected float32, got ${t.dtype}`
          : `refine: expected ${show(dims)}, got ${show(t.shape)}`
      expect(answer(dims, t)).toEqual(E.left(sentence))
    })
  })
})

describe('tensor and batch', () => {
  it('take values in row-major order, and give them back', async () => {
    const made = [tensor([2, 3], [1, 2, 3, 4, 5, 6]), batch([3], [1, 2, 3, 4, 5, 6])]
    for (const answer of made) {
      if (E.isLeft(answer)) throw new Error(describeError(answer.left))
      expect(sizes(answer.right)).toEqual([2, 3])
      expect([...(await toArray(answer.right))]).toEqual([1, 2, 3, 4, 5, 6])
      unwrap(answer.right).dispose()
    }
  })
  it('refuse another number of values', () => {
    expect(pipe(tensor([2, 3], [1, 2]), E.mapLeft(describeError))).toEqual(
      E.left('tensor: expected 6 values for 2×3, got 2'),
    )
    expect(pipe(batch([2, 2], [1, 2, 3]), E.mapLeft(describeError))).toEqual(
      E.left('batch: expected a multiple of 4 values for N×2×2, got 3'),
    )
  })
})
