/**
 * Rearrangements: each permutes the variables, so its log-det is 0 in both directions.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import * as E from 'fp-ts/lib/Either.js'
import { pipe } from 'fp-ts/lib/function.js'
import type { SplitInto, TransposeTo } from '../../types/rearrange.js'
import type { FactorOut, Flatten, Latents, ReshapeTo, Same, Shape, ShapeFn, Squeeze } from '../../types/shape.js'
import { type DiffeoError, shapeError } from '../error.js'
import { shown } from '../tensor/numbers.js'
import { concat, depthToSpace, reshape, slice, spaceToDepth, zeroPerExample } from '../tensor/ops.js'
import { seedOption } from '../tensor/options.js'
import { key, permutation } from '../tensor/random.js'
import * as shapes from '../tensor/shape.js'
import { type AnyTensor, trust, unwrap } from '../tensor/tensor.js'
import { fromRuns } from './from-runs.js'
import { type Layer, layer } from './layer.js'
import { withOptions } from './options.js'
import { permuteLast } from './permutation.js'

/** How the elements of an event move, in both directions. */
interface Moves {
  readonly forward: (x: AnyTensor) => readonly AnyTensor[]
  readonly inverse: (latents: readonly AnyTensor[]) => AnyTensor
}

/** Moves from one event to one latent. */
const moves = (there: (x: AnyTensor) => AnyTensor, back: (z: AnyTensor) => AnyTensor): Moves => ({
  forward: (x) => [there(x)],
  inverse: ([z]) => back(z!),
})

/** Forward log-det 0, inverse log-det 0. */
const rearrange = <F extends ShapeFn>(
  name: string,
  rule: (shape: Shape) => E.Either<DiffeoError, Latents>,
  movesAt: (shape: Shape) => Moves,
): Layer<F> =>
  layer<F>(name, (shape) =>
    pipe(
      rule(shape),
      E.map((codomain) => {
        const { forward, inverse } = movesAt(shape)
        return fromRuns({
          name,
          domain: shape,
          codomain,
          spec: {},
          forward: ({ params, values: [x] }) => ({ params, values: forward(x!), logDet: zeroPerExample(x!) }),
          inverse: ({ params, values }) => {
            const x = inverse(values)
            return { params, values: [x], logDet: zeroPerExample(x) }
          },
        })
      }),
    ),
  )

// -------------------------------------------------------------------------------------
// space and channels
// -------------------------------------------------------------------------------------

/**
 * Squeeze: each 2×2 square becomes 4 channels, in pixel-unshuffle order: channel c·4 + 2·dy + dx (Fig. 3).
 *
 * - Forward: y[i, j, 4c + 2dy + dx] = x[2i + dy, 2j + dx, c]
 * - Forward log-det: 0
 * - Inverse: x[2i + dy, 2j + dx, c] = y[i, j, 4c + 2dy + dx]
 * - Inverse log-det: 0
 *
 * @example compose(input([32, 32, 3]), squeeze) // Bijector<[32, 32, 3], [16, 16, 12]>
 */
export const squeeze: Layer<Squeeze> = rearrange('squeeze', shapes.squeeze, () => moves(spaceToDepth, depthToSpace))

/** The authors' order of the four corners: one colour of the checkerboard, then the other. */
const corners = [0, 3, 1, 2] as const

const permuted = (order: readonly number[]): Moves => {
  const { there, back } = permuteLast(order)
  return moves(there, back)
}

/**
 * Channels of a squeezed image in the authors' order for factoring out: all channels of the top-left corners, then
 * bottom-right, top-right, bottom-left, so that each half is one colour of the checkerboard of the image.
 * `compose(squeeze, ordered)` is the authors' ordered squeeze.
 *
 * - Forward: y[…, kC + c] = x[…, 4c + corner(k)]
 * - Forward log-det: 0
 * - Inverse: x[…, 4c + corner(k)] = y[…, kC + c]
 * - Inverse log-det: 0
 *
 * @example compose(input([32, 32, 3]), squeeze, ordered, factorOut)
 */
export const ordered: Layer<Same> = rearrange(
  'ordered',
  (shape) =>
    (shape.at(-1) ?? 1) % 4 === 0
      ? E.right(shape)
      : E.left(shapeError('ordered', 'a multiple of 4 channels', shapes.show(shape), 'put it after squeeze')),
  (shape) => {
    const c = shape.at(-1)! / 4
    return permuted(corners.flatMap((corner) => Array.from({ length: c }, (_, i) => 4 * i + corner)))
  },
)

/**
 * Factoring out (Eq. 17): the first half of the channels becomes a latent, the second half flows on.
 *
 * - Forward: (z, h) = (x[…, :C/2], x[…, C/2:])
 * - Forward log-det: 0
 * - Inverse: x = [z, h]
 * - Inverse log-det: 0
 *
 * @example compose(input([16, 16, 12]), factorOut) // Bijector<[16, 16, 12], [[16, 16, 6], [16, 16, 6]]>
 */
export const factorOut: Layer<FactorOut> = rearrange('factorOut', shapes.factorOut, (shape) => {
  const half = shape.at(-1)! / 2
  return {
    forward: (x) => [slice(0, half)(x), slice(half, half)(x)],
    inverse: ([z, h]) => concat(h!)(z!),
  }
})

/**
 * Factoring out pieces of any sizes (Eq. 17): consecutive pieces of the last axis become latents, and the last flows on.
 *
 * - Forward: (z¹, …, zᵏ) = x in pieces of the given sizes
 * - Forward log-det: 0
 * - Inverse: x = [z¹, …, zᵏ]
 * - Inverse log-det: 0
 *
 * @example compose(input([12]), splitInto([2, 3, 7])) // Bijector<[12], [[2], [3], [7]]>
 */
export const splitInto = <const Sizes extends readonly [number, number, ...(readonly number[])]>(
  sizes: Sizes,
): Layer<SplitInto<Sizes>> =>
  rearrange(
    'splitInto',
    (shape) =>
      Array.isArray(sizes) && sizes.length > 1
        ? shapes.split(sizes, 'splitInto')(shape)
        : E.left(shapeError('splitInto', 'at least two sizes', shown(sizes))),
    () => ({
      forward: (x) => tf.split(unwrap(x), [...sizes], -1).map((piece) => trust(piece)),
      inverse: (pieces) => trust(tf.concat(pieces.map(unwrap), -1)),
    }),
  )

// -------------------------------------------------------------------------------------
// order and form
// -------------------------------------------------------------------------------------

/**
 * Reorders the last axis. `order` is a permutation of 0…C−1.
 *
 * - Forward: y[…, i] = x[…, order(i)]
 * - Forward log-det: 0
 * - Inverse: x[…, order(i)] = y[…, i]
 * - Inverse log-det: 0
 *
 * @example compose(input([3]), permute([2, 0, 1]))
 */
export const permute = (order: readonly number[]): Layer<Same> =>
  rearrange(
    'permute',
    (shape) => {
      const n = shape.at(-1)
      const proper =
        Array.isArray(order) &&
        order.length === n &&
        new Set(order).size === n &&
        order.every((i) => Number.isInteger(i) && i >= 0 && i < n)
      return proper
        ? E.right(shape)
        : E.left(
            shapeError(
              'permute',
              `a permutation of 0…${(n ?? 0) - 1} for ${shapes.show(shape)}`,
              Array.isArray(order) ? `[${order.join(', ')}]` : shown(order),
            ),
          )
    },
    () => permuted(order),
  )

/**
 * Reorders the last axis at random, in the same way for one seed and size. Unlike `permute` it fits every size.
 *
 * - Forward: y[…, i] = x[…, order(i)]
 * - Forward log-det: 0
 * - Inverse: x[…, order(i)] = y[…, i]
 * - Inverse log-det: 0
 *
 * @example compose(input([8]), coupling(halves(), mlp()), shuffle(1), coupling(halves(), mlp()))
 */
export const shuffle = (seed = 0): Layer<Same> =>
  withOptions('shuffle', [seedOption(seed)], () =>
    rearrange('shuffle', shapes.same, (shape) => permuted([...permutation(key(seed), shape.at(-1) ?? 1)])),
  )

/**
 * Reverses the last axis.
 *
 * - Forward: y[…, i] = x[…, C − 1 − i]
 * - Forward log-det: 0
 * - Inverse: x[…, i] = y[…, C − 1 − i]
 * - Inverse log-det: 0
 *
 * @example compose(input([2]), coupling(halves(), mlp()), flip, coupling(halves(), mlp()))
 */
export const flip: Layer<Same> = rearrange('flip', shapes.same, () => {
  const backwards = (x: AnyTensor): AnyTensor => trust(tf.reverse(unwrap(x), -1))
  return moves(backwards, backwards)
})

/**
 * Puts the same elements into another event shape, row-major.
 *
 * - Forward: y = reshape(x), log-det 0
 * - Inverse: x = reshape(y), log-det 0
 *
 * @example compose(input([4, 4, 1]), reshapeTo([16])) // Bijector<[4, 4, 1], [16]>
 */
export const reshapeTo = <const To extends Shape>(to: To): Layer<ReshapeTo<To>> =>
  rearrange('reshape', shapes.reshapeTo(to), (shape) => moves(reshape(to), reshape(shape)))

/**
 * Puts all elements into one vector, row-major.
 *
 * - Forward: y = reshape(x), log-det 0
 * - Inverse: x = reshape(y), log-det 0
 *
 * @example compose(input([4, 4, 3]), flatten) // Bijector<[4, 4, 3], [48]>
 */
export const flatten: Layer<Flatten> = rearrange('flatten', shapes.flatten, (shape) =>
  moves(reshape([shapes.product(shape)]), reshape(shape)),
)

/**
 * Axes in another order: axis i of y is axis order(i) of x. The axes are those of an event, without the batch.
 *
 * - Forward: y = transpose(x), log-det 0
 * - Inverse: x = transpose(y) in the opposite order, log-det 0
 *
 * @example compose(input([28, 14, 1]), transpose([1, 0, 2])) // Bijector<[28, 14, 1], [14, 28, 1]>
 */
export const transpose = <const Order extends Shape>(order: Order): Layer<TransposeTo<Order>> => {
  const moved =
    (axes: readonly number[]) =>
    (x: AnyTensor): AnyTensor =>
      trust(tf.transpose(unwrap(x), [0, ...axes.map((axis) => axis + 1)]))
  return rearrange('transpose', shapes.transpose(order), (shape) =>
    moves(moved(order), moved(shape.map((_, axis) => order.indexOf(axis)))),
  )
}
