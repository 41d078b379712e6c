/**
 * Standardisation with a known mean and standard deviation: a fixed affine map.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import * as E from 'fp-ts/lib/Either.js'
import type { Same } from '../../types/shape.js'
import { shapeError } from '../error.js'
import type { Option } from '../tensor/options.js'
import { product, show } from '../tensor/shape.js'
import { trust, unwrap } from '../tensor/tensor.js'
import { bijector } from './bijector.js'
import { type Layer, layer } from './layer.js'
import { withOptions } from './options.js'

export interface StandardiseOptions {
  /** One for all elements, or one for each place of the last axis. */
  readonly mean: number | readonly number[]
  /** Likewise, above 0. */
  readonly deviation: number | readonly number[]
}

const listOf = (of: number | readonly number[]): readonly number[] => (typeof of === 'number' ? [of] : of)

const every = (name: string, of: unknown, holds: (n: number) => boolean): Option => {
  const list: readonly unknown[] = Array.isArray(of) ? of : [of]
  const wrong = list.find((n) => typeof n !== 'number' || !holds(n))
  return [name, list.length > 0 && wrong === undefined, list.length === 0 ? 'none' : wrong]
}

/**
 * Subtracts a mean and divides by a standard deviation, both known before training.
 *
 * - Forward: y = (x − m)/s
 * - Forward log-det: −Σ log s
 * - Inverse: x = y·s + m
 * - Inverse log-det: Σ log s
 *
 * @throws DiffeoException, where it is put at a shape, if the last axis has another size than the lists
 * @example compose(input([2]), standardise({ mean: [170, 68], deviation: [10, 12] }), nsf()) // heights and weights
 */
export const standardise = ({ mean, deviation }: StandardiseOptions): Layer<Same> =>
  withOptions(
    'standardise',
    [
      every('a finite mean', mean, Number.isFinite),
      every('a finite deviation above 0', deviation, (n) => Number.isFinite(n) && n > 0),
    ],
    () => {
      const [means, deviations] = [listOf(mean), listOf(deviation)]
      const logDeviations = deviations.reduce((sum, s) => sum + Math.log(s), 0)
      return layer<Same>('standardise', (shape) => {
        const size = shape.at(-1) ?? 1
        const other = [means, deviations].find((list) => list.length !== 1 && list.length !== size)
        if (other !== undefined)
          return E.left(shapeError('standardise', `${other.length} elements along the last axis`, show(shape)))
        const logDet = (deviations.length === 1 ? product(shape) : product(shape) / size) * logDeviations
        const perExample = (like: tf.Tensor, value: number) => trust<readonly ['N']>(tf.fill([like.shape[0]!], value))
        return E.right(
          bijector({
            name: 'standardise',
            domain: shape,
            codomain: shape,
            spec: {},
            forward: (_, x) => [
              trust(tf.div(tf.sub(unwrap(x), tf.tensor1d([...means])), tf.tensor1d([...deviations]))),
              perExample(unwrap(x), -logDet),
            ],
            inverse: (_, y) => [
              trust(tf.add(tf.mul(unwrap(y), tf.tensor1d([...deviations])), tf.tensor1d([...means]))),
              perExample(unwrap(y), logDet),
            ],
          }),
        )
      })
    },
  )
