/**
 * Run-time twins of the shape rules in `types/shape.ts`: the same names, the same sentences.
 *
 * @module
 */
import * as E from 'fp-ts/lib/Either.js'
import { pipe } from 'fp-ts/lib/function.js'
import type { Latents, Shape } from '../../types/shape.js'
import { type DiffeoError, shapeError } from '../error.js'

type Rule<Out> = (shape: Shape) => E.Either<DiffeoError, Out>

/** `32×32×3` */
export const show = (shape: readonly (number | string)[]): string => (shape.length === 0 ? 'scalar' : shape.join('×'))

/** Whether latents are one shape rather than several (Eq. 17). */
export const isShape = (latents: Latents): latents is Shape => latents.length === 0 || typeof latents[0] === 'number'

/** The latents as a list, the last of which flows on. */
export const latentList = (latents: Latents): readonly Shape[] =>
  isShape(latents) ? [latents] : (latents as readonly Shape[])

/** `16×16×6, 8×8×12`, or the one shape */
export const showLatents = (latents: Latents): string => latentList(latents).map(show).join(', ')

/** The number of elements. */
export const product = (shape: Shape): number => shape.reduce((a, b) => a * b, 1)

/** Whether a value is a list of whole numbers from 0. */
const isSizes = (values: readonly number[]): boolean =>
  Array.isArray(values) && values.every((size) => Number.isSafeInteger(size) && size >= 0)

/** `[1, 2]`, or whatever plain JavaScript passed. */
const list = (values: readonly number[]): string => (Array.isArray(values) ? `[${values.join(', ')}]` : String(values))

/** Whether two shapes are equal. */
export const sameShape = (a: readonly (number | string)[], b: readonly (number | string)[]): boolean =>
  a.length === b.length && a.every((n, i) => n === b[i])

/** S → S */
export const same: Rule<Shape> = E.right

/** H×W×C → H×W×C */
export const sameImage: Rule<Shape> = (shape) =>
  shape.length === 3 ? E.right(shape) : E.left(shapeError('coupling', 'height×width×channels', show(shape)))

/** D → D */
export const sameVector: Rule<Shape> = (shape) =>
  shape.length === 1 ? E.right(shape) : E.left(shapeError('coupling', 'a vector', show(shape)))

/** H×W×C → H×W×C, C even */
export const evenChannels: Rule<Shape> = (shape) =>
  shape.length !== 3
    ? sameImage(shape)
    : shape[2]! % 2 === 0
      ? E.right(shape)
      : E.left(shapeError('coupling', 'an even number of channels', `${shape[2]} in ${show(shape)}`))

/** H×W×C → H/2×W/2×4C */
export const squeeze: Rule<Shape> = (shape) => {
  const [h, w, c] = shape
  if (shape.length !== 3 || h === undefined || w === undefined || c === undefined)
    return E.left(shapeError('squeeze', 'height×width×channels', show(shape)))
  if (h % 2 !== 0) return E.left(shapeError('squeeze', 'an even height', `${h} in ${show(shape)}`))
  if (w % 2 !== 0) return E.left(shapeError('squeeze', 'an even width', `${w} in ${show(shape)}`))
  return E.right([h / 2, w / 2, c * 4])
}

/** …×C → (…×C/2, …×C/2) */
export const factorOut: Rule<readonly [Shape, Shape]> = (shape) => {
  const channels = shape.at(-1)
  if (channels === undefined) return E.left(shapeError('factorOut', 'at least one dimension', show(shape)))
  if (channels % 2 !== 0)
    return E.left(shapeError('factorOut', 'an even number of channels', `${channels} in ${show(shape)}`))
  const half = [...shape.slice(0, -1), channels / 2]
  return E.right([half, half])
}

/** Any shape → its number of elements */
export const flatten: Rule<Shape> = (shape) => E.right([product(shape)])

/** Any shape of as many elements as `to` → `to` */
export const reshapeTo =
  (to: Shape): Rule<Shape> =>
  (shape) =>
    !isSizes(to)
      ? E.left(shapeError('reshape', 'a shape of whole numbers', list(to)))
      : product(shape) === product(to)
        ? E.right(to)
        : E.left(
            shapeError('reshape', `${product(shape)} elements to fit ${show(shape)}`, `${product(to)} in ${show(to)}`),
          )

/** The dimensions in another order, `order` a permutation of their places */
export const transpose =
  (order: readonly number[]): Rule<Shape> =>
  (shape) =>
    Array.isArray(order) && order.length === shape.length && shape.every((_, i) => order.includes(i))
      ? E.right(order.map((i) => shape[i]!))
      : E.left(shapeError('transpose', `a permutation of the axes of ${show(shape)}`, list(order)))

/** …×C → …×size for each of the sizes, which add up to C */
export const split =
  (sizes: readonly number[], op = 'split'): Rule<readonly Shape[]> =>
  (shape) => {
    const total = shape.at(-1)
    if (total === undefined) return E.left(shapeError(op, 'at least one dimension', show(shape)))
    return isSizes(sizes) && sizes.reduce((a, b) => a + b, 0) === total
      ? E.right(sizes.map((size) => [...shape.slice(0, -1), size]))
      : E.left(shapeError(op, `sizes that add up to ${total} in ${show(shape)}`, list(sizes)))
  }

/** …×C → …×size, the places from `from` on, which C has */
export const slice =
  (from: number, size: number): Rule<Shape> =>
  (shape) => {
    const total = shape.at(-1)
    if (total === undefined) return E.left(shapeError('slice', 'at least one dimension', show(shape)))
    return isSizes([from, size]) && from + size <= total
      ? E.right([...shape.slice(0, -1), size])
      : E.left(shapeError('slice', `a range within 0 to ${total} in ${show(shape)}`, `${size} elements from ${from}`))
  }

/** The shape without one dimension, where the operation has a name */
export const axis =
  (op: string, place: number): Rule<Shape> =>
  (shape) =>
    Number.isInteger(place) && place in shape
      ? E.right(shape.filter((_, i) => i !== place))
      : E.left(shapeError(op, `an axis of ${show(shape)}`, `${place}`))

/** S and `other` with sizes of 1 repeated, the last dimensions in correspondence, where the operation has a name */
export const broadcast =
  (op: string, other: Shape): Rule<Shape> =>
  (shape) => {
    const rank = Math.max(shape.length, other.length)
    const padded = (s: Shape): Shape => [...Array<number>(rank - s.length).fill(1), ...s]
    const [a, b] = [padded(shape), padded(other)]
    return a.every((n, i) => n === b[i] || n === 1 || b[i] === 1)
      ? E.right(a.map((n, i) => (n === 1 ? b[i]! : n)))
      : E.left(shapeError(op, `sizes of ${show(other)} or 1`, show(shape)))
  }

/** The shape with one dimension replaced by as many places as there are indices, which it has */
export const gather =
  (indices: readonly number[], place: number): Rule<Shape> =>
  (shape) =>
    pipe(
      axis('gather', place)(shape),
      E.chain(() =>
        isSizes(indices) && indices.every((i) => i < shape[place]!)
          ? E.right(shape.with(place, indices.length))
          : E.left(shapeError('gather', `indices below ${shape[place]} in ${show(shape)}`, list(indices))),
      ),
    )

/** H×W×C → 2H×2W×C/4 */
export const depthToSpace: Rule<Shape> = (shape) => {
  const [h, w, c] = shape
  if (shape.length !== 3 || h === undefined || w === undefined || c === undefined)
    return E.left(shapeError('depthToSpace', 'height×width×channels', show(shape)))
  return c % 4 === 0
    ? E.right([2 * h, 2 * w, c / 4])
    : E.left(shapeError('depthToSpace', 'a multiple of 4 channels', `${c} in ${show(shape)}`))
}

/** Exactly `shape`: the input of a bijector that already has its shape */
export const exactly =
  (shape: Shape): Rule<Shape> =>
  (got) =>
    sameShape(shape, got)
      ? E.right(got)
      : E.left(shapeError('compose', show(shape), `${show(got)} from the layer before`))

/** Exactly `shape`: the context of a conditional bijector */
export const sameContext =
  (shape: Shape) =>
  (given: Shape | undefined): E.Either<DiffeoError, Shape> =>
    given === undefined
      ? E.left(
          shapeError(
            'compose',
            'a bijector without context',
            `one given ${show(shape)}`,
            'start with input(shape, { given })',
          ),
        )
      : sameShape(shape, given)
        ? E.right(given)
        : E.left(shapeError('compose', `a bijector given ${show(given)}`, `one given ${show(shape)}`))

/** Exactly `shape`, where the operation has a name */
export const only =
  (op: string, shape: Shape): Rule<Shape> =>
  (got) =>
    sameShape(shape, got) ? E.right(got) : E.left(shapeError(op, show(shape), show(got)))

/** As many examples of each of the latents, where the operation has a name */
export const batchOf =
  (op: string, latents: Latents) =>
  (got: readonly Shape[]): E.Either<DiffeoError, readonly Shape[]> => {
    const events = latentList(latents)
    const fits = got.length === events.length && events.every((event, i) => sameShape([got[0]![0]!, ...event], got[i]!))
    return fits
      ? E.right(got)
      : E.left(shapeError(op, events.map((event) => show(['N', ...event])).join(', '), got.map(show).join(', ')))
  }
