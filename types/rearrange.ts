/**
 * Shape functions of layers that move elements by given axes or sizes, for the compiler only. Their rules are those of the
 * tensor operations in `ops.ts`, with the same run-time twins in `src/tensor/shape.ts`.
 *
 * @module
 */
import type { Renamed, SplitRefusal, Transposed, TransposeRefusal } from './ops.js'
import type { Dims, Shape, ShapeError, ShapeFn } from './shape.js'

/** What a rule returns, or its sentence. */
type Outcome<R, Out> = R extends ShapeError<string> ? R : Out

/** A shape → the same sizes in another order */
export interface TransposeTo<in out Order extends Shape> extends ShapeFn {
  readonly out: this['in'] extends infer S extends Shape
    ? Outcome<TransposeRefusal<S, Order>, Transposed<S, Order>>
    : never
}
/** …×C → …×size for each of the sizes; the last flows on */
export interface SplitInto<in out Sizes extends Shape> extends ShapeFn {
  readonly out: this['in'] extends infer S extends Shape
    ? Outcome<Renamed<'splitInto', SplitRefusal<S, Sizes>>, Pieces<S, Sizes>>
    : never
}
type Pieces<S extends Dims, Sizes extends Shape> = S extends readonly [...infer P extends Shape, number]
  ? { readonly [K in keyof Sizes]: readonly [...P, Sizes[K]] }
  : { readonly [K in keyof Sizes]: S }
