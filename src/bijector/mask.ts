/**
 * Masks: how a coupling splits the variables into the part it keeps and the part it changes (Fig. 3 of Dinh et al.
 * 2016). A mask of zeros and ones keeps b ⊙ x (Eq. 12); a mask of whole channels slices instead, so that the net
 * reads and returns only what it needs.
 *
 * Laws: `merge(split(x)) = x` bit for bit; `project` is 0 where x is kept.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import * as E from 'fp-ts/lib/Either.js'
import { pipe } from 'fp-ts/lib/function.js'
import type { EvenChannels, Only, SameImage, SameVector, Shape, ShapeFn } from '../../types/shape.js'
import { type DiffeoError, shapeError, usageError } from '../error.js'
import { shapeIn, shown } from '../tensor/numbers.js'
import { add, concat, mulEvent, slice } from '../tensor/ops.js'
import { oneOf, wrongOption } from '../tensor/options.js'
import { evenChannels, only, product, sameImage, sameVector, show } from '../tensor/shape.js'
import { type AnyTensor, trust } from '../tensor/tensor.js'
import { phantom } from './phantom.js'

/** A batch of events whose shape the mask knows. */
export type Value = AnyTensor

/** A mask at one event shape. */
export interface Split {
  /** Shape of the part the net sees. */
  readonly kept: Shape
  /** Shape of the part that changes. */
  readonly changed: Shape
  readonly split: (x: Value) => readonly [kept: Value, changed: Value]
  readonly merge: (kept: Value, changed: Value) => Value
  /** Multiplies s and t by 1 − b, so that kept positions add nothing to the log-det. */
  readonly project: (v: Value) => Value
}

/** A family of masks, one for each event shape. `K` is the kind of net that it needs. */
export interface Mask<F extends ShapeFn, K extends 'image' | 'vector'> {
  readonly _fits: F
  readonly kind: K
  readonly name: string
  readonly at: (shape: Shape) => E.Either<DiffeoError, Split>
}

const maskOf = <F extends ShapeFn, K extends 'image' | 'vector'>(
  name: string,
  kind: K,
  at: Mask<F, K>['at'],
): Mask<F, K> => ({ _fits: phantom(), name, kind, at })

/** The value if it is one of the expected words, else an error. */
const either = (op: string, name: string, value: string, words: readonly string[]): E.Either<DiffeoError, string> => {
  const wrong = wrongOption(op, [oneOf(name, value, words)])
  return wrong === undefined ? E.right(value) : E.left(wrong)
}
const PARTS = ['first', 'second']

/** Keeps where `keeps` is true, by multiplication. */
const binary = (shape: Shape, keeps: (flat: number) => boolean): Split => {
  const ones = Float32Array.from({ length: product(shape) }, (_, i) => (keeps(i) ? 1 : 0))
  const zeros = ones.map((b) => 1 - b)
  const times = (b: Float32Array) => (v: Value) => mulEvent(trust<Shape>(tf.tensor(b, [...shape])))(v)
  return {
    kept: shape,
    changed: shape,
    split: (x) => [times(ones)(x), times(zeros)(x)],
    merge: (kept, changed) => add(changed)(kept),
    project: times(zeros),
  }
}

/** Keeps a run of channels, by slicing. */
const channels = (shape: Shape, keepsFirst: boolean, first: number): Split => {
  const rest = shape.slice(0, -1)
  const total = shape.at(-1) ?? 1
  const a = (x: Value): Value => slice(0, first)(x)
  const b = (x: Value): Value => slice(first, total - first)(x)
  const join = (x: Value, y: Value): Value => concat(y)(x)
  const [low, high] = [
    [...rest, first],
    [...rest, total - first],
  ]
  return {
    kept: keepsFirst ? low : high,
    changed: keepsFirst ? high : low,
    split: (x) => (keepsFirst ? [a(x), b(x)] : [b(x), a(x)]),
    merge: (kept, changed) => (keepsFirst ? join(kept, changed) : join(changed, kept)),
    project: (v) => v,
  }
}

/**
 * Alternating squares of height × width: `even` keeps the variables where row + column is even, `odd` the others.
 *
 * @example
 * coupling(checkerboard('odd'), resnet())
 */
export const checkerboard = (parity: 'even' | 'odd' = 'even'): Mask<SameImage, 'image'> =>
  maskOf(`checkerboard-${parity}`, 'image', (shape) =>
    pipe(
      either('checkerboard', 'parity', parity, ['even', 'odd']),
      E.chain(() => sameImage(shape)),
      E.map(([, w, c]) => {
        const keep = parity === 'even' ? 0 : 1
        return binary(shape, (i) => (Math.floor(i / (w! * c!)) + (Math.floor(i / c!) % w!)) % 2 === keep)
      }),
    ),
  )

/**
 * Half of the channels of an image: keeps the `first` or the `second` half.
 *
 * @example coupling(channelwise('second'), resnet())
 */
export const channelwise = (part: 'first' | 'second' = 'first'): Mask<EvenChannels, 'image'> =>
  maskOf(`channelwise-${part}`, 'image', (shape) =>
    pipe(
      either('channelwise', 'part', part, PARTS),
      E.chain(() => evenChannels(shape)),
      E.map((s) => channels(s, part === 'first', s[2]! / 2)),
    ),
  )

/**
 * Half of a vector of at least 2: keeps the `first` or the `second` half. The middle of an odd size belongs to the second.
 *
 * @example coupling(halves('second'), mlp())
 */
export const halves = (part: 'first' | 'second' = 'first'): Mask<SameVector, 'vector'> =>
  maskOf(`halves-${part}`, 'vector', (shape) =>
    pipe(
      either('halves', 'part', part, PARTS),
      E.chain(() => sameVector(shape)),
      E.chain((s) =>
        s[0]! < 2
          ? E.left(shapeError('halves', 'a vector of at least 2', show(s)))
          : E.right(channels(s, part === 'first', Math.floor(s[0]! / 2))),
      ),
    ),
  )

/** The kind of net that a mask of this shape needs; either, if its rank is known only at run time. */
export type KindOf<S extends Shape> = number extends S['length']
  ? 'image' | 'vector'
  : S extends readonly [number]
    ? 'vector'
    : 'image'

/**
 * Any mask of zeros and ones at one event shape: keeps the variables where `keeps(index)` is true.
 *
 * @example
 * mask([3], ([i]) => i === 1) // keeps the middle one
 */
export const mask = <const S extends Shape>(
  shape: S,
  keeps: (index: readonly number[]) => boolean,
): Mask<Only<'mask', S>, KindOf<S>> =>
  maskOf('mask', (shape?.length === 1 ? 'vector' : 'image') as KindOf<S>, (got) =>
    pipe(
      shapeIn('mask', shape),
      E.filterOrElse(
        () => typeof keeps === 'function',
        () => usageError('mask', 'a function from an index to true or false', shown(keeps)),
      ),
      E.chain((expected) => only('mask', expected)(got)),
      E.map(() =>
        binary(shape, (flat) => {
          const index: number[] = []
          for (let i = shape.length - 1, rest = flat; i >= 0; i--) {
            index.unshift(rest % shape[i]!)
            rest = Math.floor(rest / shape[i]!)
          }
          return keeps(index)
        }),
      ),
    ),
  )
