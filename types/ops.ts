/**
 * Shape rules of tensor operations, for the compiler only. Each has a run-time twin with the same sentence in
 * `src/tensor/shape.ts`. A rule is two types: the resulting shape, and `…Refusal`, which is `unknown` for valid
 * arguments and a {@link ShapeError} for others. A rank or size known only at run time passes here; the twin checks it.
 *
 * @module
 */
import type { Refusal } from './check.js'
import type { Add, AtMost, Even, Half, Mul } from './nat.js'
import type { Batch, Dims, ReshapeTo, Shape, ShapeError, Show, Squeeze } from './shape.js'

/** Whether the length of a list is known only at run time. */
type Open<S extends readonly unknown[]> = number extends S['length'] ? true : false
/** `2, 0, 1` */
type List<P extends readonly number[]> = P extends readonly [
  infer H extends number,
  ...infer R extends readonly number[],
]
  ? R extends readonly []
    ? `${H}`
    : `${H}, ${List<R>}`
  : ''
/** The axes of a shape: 0 | 1 | 2 for three dimensions. */
type Axes<S extends Dims> = Exclude<Partial<S>['length'], S['length']>

/** `unknown` if `To` has as many elements as `S`, else the error. */
export type ReshapeRefusal<S extends Shape, To extends Shape> =
  Open<S> extends true ? unknown : Refusal<ReshapeTo<To>, S>

/** Axis i of the result is axis P[i] of `S`. */
export type Transposed<S extends Dims, P extends readonly number[]> = { readonly [K in keyof P]: S[P[K] & number] }
/** `unknown` if `P` is a permutation of the axes of `S`, else the error. */
export type TransposeRefusal<S extends Dims, P extends readonly number[]> =
  Open<S> extends true
    ? unknown
    : number extends P['length'] | P[number]
      ? unknown
      : P['length'] extends S['length']
        ? [Axes<S>] extends [P[number]]
          ? unknown
          : ShapeError<NoPermutation<S, P>>
        : ShapeError<NoPermutation<S, P>>
type NoPermutation<
  S extends Dims,
  P extends readonly number[],
> = `transpose: expected a permutation of the axes of ${Show<S>}, got [${List<P>}]`

/** The sum of a list of sizes. */
export type Sum<Sizes extends readonly number[], Acc extends number = 0> =
  Open<Sizes> extends true
    ? number
    : Sizes extends readonly [infer H extends number, ...infer R extends readonly number[]]
      ? Sum<R, Add<Acc, H>>
      : Acc
/** `unknown` if the sizes add up to the last axis, else the error. */
export type SplitRefusal<S extends Dims, Sizes extends readonly number[]> =
  Open<S> extends true
    ? unknown
    : S extends readonly [...Dims, infer C extends number]
      ? number extends C | Sum<Sizes>
        ? unknown
        : Sum<Sizes> extends C
          ? unknown
          : ShapeError<`split: expected sizes that add up to ${C} in ${Show<S>}, got [${List<Sizes>}]`>
      : unknown

/** `unknown` if the last axis has indices `From` to `From + Size - 1`, else the error. */
export type SliceRefusal<S extends Dims, From extends number, Size extends number> =
  Open<S> extends true
    ? unknown
    : S extends readonly [...Dims, infer C extends number]
      ? Inside<C, From, Size> extends false
        ? ShapeError<`slice: expected a range within 0 to ${C} in ${Show<S>}, got ${Size} elements from ${From}`>
        : unknown
      : unknown
type Inside<
  C extends number,
  From extends number,
  Size extends number,
> = `${From} ${Size}` extends `${string}-${string}` ? false : AtMost<Add<From, Size>, C>

/** `S` without the axis `Axis`. */
export type Without<S extends Dims, Axis extends number, Before extends Dims = readonly []> = number extends
  | S['length']
  | Axis
  ? Dims
  : S extends readonly [infer H extends number | string, ...infer R extends Dims]
    ? Before['length'] extends Axis
      ? readonly [...Before, ...R]
      : Without<R, Axis, readonly [...Before, H]>
    : Before
/** `unknown` if `S` has the axis `Axis`, else the error. */
export type AxisRefusal<Op extends string, S extends Dims, Axis extends number> =
  Open<S> extends true
    ? unknown
    : number extends Axis
      ? unknown
      : Axis extends Axes<S>
        ? unknown
        : ShapeError<`${Op}: expected an axis of ${Show<S>}, got ${Axis}`>

/** `S` with as many places along the axis `Axis` as there are indices. */
export type Gathered<S extends Dims, I extends readonly number[], Axis extends number> = number extends
  | S['length']
  | Axis
  ? Dims
  : { readonly [K in keyof S]: K extends `${Axis}` ? I['length'] : S[K] }
/** `unknown` if `S` has the axis, and that axis the indices; else the error. */
export type GatherRefusal<S extends Dims, I extends readonly number[], Axis extends number> =
  Open<S> extends true
    ? unknown
    : number extends Axis
      ? unknown
      : Axis extends Axes<S>
        ? Below<I, S[Axis]> extends false
          ? ShapeError<`gather: expected indices below ${S[Axis]} in ${Show<S>}, got [${List<I>}]`>
          : unknown
        : ShapeError<`gather: expected an axis of ${Show<S>}, got ${Axis}`>
/** `false` if one of the indices is not below `C`. A size with a name has indices known only at run time. */
type Below<I extends readonly number[], C> = C extends number
  ? Open<I> extends true
    ? boolean
    : I extends readonly [infer H extends number, ...infer R extends readonly number[]]
      ? Inside<C, H, 1> extends false
        ? false
        : Below<R, C>
      : true
  : boolean

/** `A` and `B` with sizes of 1 repeated, the last dimensions in correspondence. */
export type Broadcast<A extends Dims, B extends Dims, Acc extends Dims = readonly []> = true extends Open<A> | Open<B>
  ? Dims
  : A extends readonly [...infer P extends Dims, infer H extends Size]
    ? B extends readonly [...infer Q extends Dims, infer I extends Size]
      ? Broadcast<P, Q, readonly [Repeated<H, I>, ...Acc]>
      : readonly [...A, ...Acc]
    : readonly [...B, ...Acc]
type Size = number | string
/** The size of two that correspond: the one that is not 1. */
type Repeated<H extends Size, I extends Size> = H extends 1 ? I : I extends 1 ? H : number extends H ? I : H
/** `unknown` if sizes that correspond are equal or 1, else the error. */
export type BroadcastRefusal<Op extends string, A extends Dims, B extends Dims> =
  Corresponds<A, B> extends false ? ShapeError<`${Op}: expected sizes of ${Show<B>} or 1, got ${Show<A>}`> : unknown
type Corresponds<A extends Dims, B extends Dims> = true extends Open<A> | Open<B>
  ? true
  : A extends readonly [...infer P extends Dims, infer H extends Size]
    ? B extends readonly [...infer Q extends Dims, infer I extends Size]
      ? 1 extends H | I
        ? Corresponds<P, Q>
        : number extends H | I
          ? Corresponds<P, Q>
          : H extends I
            ? Corresponds<P, Q>
            : false
      : true
    : true

/** The error of a rule with the name of its operation replaced. */
export type Renamed<Op extends string, R> =
  R extends ShapeError<`${string}: ${infer M}`> ? ShapeError<`${Op}: ${M}`> : R
/** H×W×C → H/2×W/2×4C */
export type ToDepth<H extends number, W extends number, C extends number> = Batch<
  readonly [Half<H>, Half<W>, Mul<C, 4>]
>
/** `unknown` if height and width are even, else the error. */
export type ToDepthRefusal<H extends number, W extends number, C extends number> = Renamed<
  'spaceToDepth',
  Refusal<Squeeze, readonly [H, W, C]>
>
/** H×W×C → 2H×2W×C/4 */
export type ToSpace<H extends number, W extends number, C extends number> = Batch<
  readonly [Mul<H, 2>, Mul<W, 2>, Half<Half<C>>]
>
/** `unknown` if the number of channels is a multiple of 4, else the error. */
export type ToSpaceRefusal<H extends number, W extends number, C extends number> = false extends Even<C> | Even<Half<C>>
  ? number extends C
    ? unknown
    : ShapeError<`depthToSpace: expected a multiple of 4 channels, got ${C} in ${Show<readonly [H, W, C]>}`>
  : unknown
