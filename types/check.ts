/**
 * How `compose` infers every shape. It applies each layer's shape function to the shape that flows out of the previous
 * layer, and reports the first layer that does not fit with a {@link ShapeError} at that argument.
 *
 * @module
 */
import type { Apply, KeepsShape, Latents, Same, Shape, ShapeError, ShapeFn, ShowLatents } from './shape.js'

/** Anything that carries a shape function. */
export interface HasShapeFn<F extends ShapeFn = ShapeFn> {
  readonly _F: F
}
export type FnOf<L> = L extends { readonly _F: infer F extends ShapeFn } ? F : never
/** `O`, or `Latents` where the number of latents is known only at run time. */
type OrLatents<O> = readonly Shape[] extends O ? Latents : O
type Step<L, S, C> = OrLatents<Apply<FnOf<L>, S, C>>

/** The latent that flows on. */
type Flowing<O> = Latents extends O ? Shape : O extends readonly [...Shape[], infer H extends Shape] ? H : O
/** The latents that are left behind. */
type Left<O> = O extends readonly [...infer Z extends readonly Shape[], Shape] ? Z : readonly []

/** The event shape of the first layer if it is a bijector, else `undefined`. */
export type Start<Ls> = Ls extends readonly [{ readonly domain: infer A extends Shape }, ...unknown[]] ? A : undefined

/** The context of the first layer if it is a conditional bijector, else `undefined`. */
export type ContextOf<Ls> = Ls extends readonly [{ readonly context: infer C extends Shape }, ...unknown[]]
  ? C
  : undefined

/** `unknown` if `L` is a layer, else the error that names what it is. */
export type OnlyLayer<L> = L extends HasShapeFn
  ? unknown
  : L extends { readonly logProb: unknown }
    ? ShapeError<'compose: expected a layer, got a density; use flow(bijector, base)'>
    : L extends (...args: never) => unknown
      ? ShapeError<'compose: expected a layer, got a function; did you forget to call it?'>
      : L extends { readonly kind: string }
        ? ShapeError<'compose: expected a layer, got a net or a mask; use coupling(mask, net)'>
        : ShapeError<'compose: expected a layer, got something else'>

// `Check` and `Result` match layers that take any shape first, without using `S`. Code that is generic over shapes then
// type-checks in its body, where `S` is still a type parameter.

/** The layers, with the first that does not fit replaced by its error. */
export type Check<
  Ls extends readonly unknown[],
  S,
  C,
  Acc extends readonly unknown[] = readonly [],
> = Ls extends readonly [infer L, ...infer R]
  ? L extends HasShapeFn<Same>
    ? Check<R, S, C, readonly [...Acc, L]>
    : L extends HasShapeFn
      ? Step<L, S, C> extends infer O
        ? [O] extends [ShapeError<string>]
          ? readonly [...Acc, O, ...R]
          : Check<R, Flowing<O>, C, readonly [...Acc, L]>
        : never
      : readonly [...Acc, OnlyLayer<L>, ...R]
  : Acc

/** The latents of a list of layers at the shape `S`, with a context `C` (or `undefined`), or the first error. */
export type Result<
  Ls extends readonly unknown[],
  S,
  C = undefined,
  Z extends readonly Shape[] = readonly [],
> = Ls extends readonly [infer L, ...infer R]
  ? L extends HasShapeFn<Same>
    ? Result<R, S, C, Z>
    : Step<L, S, C> extends infer O
      ? [O] extends [ShapeError<string>]
        ? O
        : Latents extends O
          ? Result<R, Shape, C> extends infer E extends ShapeError<string>
            ? E
            : Latents
          : Result<R, Flowing<O>, C, readonly [...Z, ...Left<O>]>
      : never
  : Ls extends readonly []
    ? Z extends readonly []
      ? S
      : readonly [...Z, S]
    : Latents // a list whose length is known only at run time

/** The layer at index `K`, or its error. */
export type At<Ls extends readonly unknown[], S, C, K> =
  Check<Ls, S, C> extends infer Checked ? (K extends keyof Checked ? Checked[K] : unknown) : unknown

/** A list of layers as one shape function. */
export interface Composed<in out Ls extends readonly unknown[]> extends ShapeFn {
  readonly keeps: Ls extends readonly HasShapeFn<KeepsShape>[]
    ? Ls extends readonly HasShapeFn<Same>[]
      ? 'any shape'
      : 'some shapes'
    : 'no shape'
  readonly out: Result<Ls, this['in'], this['given']>
}

/** Whether `N` is a whole number of at least 1; `boolean` if `N` is known only at run time. */
type IsCount<N extends number> = number extends N
  ? boolean
  : N extends number
    ? `${N}` extends '0' | `-${string}` | `${string}.${string}` | `${string}e-${string}`
      ? false
      : true
    : never
/** `unknown` if `N` is a whole number of at least 1, else the error. */
export type CountRefusal<N extends number> =
  IsCount<N> extends false ? ShapeError<`repeat: expected a whole number of at least 1, got ${N}`> : unknown
type ListOf<L, N extends number, Acc extends readonly unknown[] = readonly []> = number extends N
  ? readonly L[]
  : Acc['length'] extends N
    ? Acc
    : ListOf<L, N, readonly [...Acc, L]>
/** `F` applied `N` times */
export interface Repeated<in out N extends number, in out F extends ShapeFn> extends ShapeFn {
  readonly out: Result<ListOf<HasShapeFn<F>, N>, this['in'], this['given']>
}
/** The shape function of a repeated layer: that of the layer itself if it keeps the shape. */
export type RepeatedFn<N extends number, F extends ShapeFn> = [F] extends [KeepsShape] ? F : Repeated<N, F>

/** The latents of `F` at the shape `S`; `never` if `F` rejects `S`. */
export type LatentsAt<F extends ShapeFn, S, C = undefined> = F extends Same
  ? S
  : OrLatents<Apply<F, S, C>> extends infer O extends Latents
    ? O
    : never
/** `unknown` if `F` accepts `S`, else its error. */
export type Refusal<F extends ShapeFn, S, C = undefined> = F extends Same
  ? unknown
  : OrLatents<Apply<F, S, C>> extends infer O extends ShapeError<string>
    ? O
    : unknown
/** `unknown` if `L` is a bijector (a layer at a shape), else the error. */
export type OnlyBijector<L> = L extends { readonly domain: unknown }
  ? unknown
  : L extends HasShapeFn
    ? ShapeError<'flow: expected a bijector, got a layer without a shape; use atShape(shape, layer)'>
    : ShapeError<'flow: expected a bijector, got something else'>
/** `unknown` if `L` can be reversed (it has one latent, or is a layer that keeps the shape), else the error. */
export type Reversible<L> = L extends { readonly domain: Shape; readonly codomain: infer B }
  ? OrLatents<B> extends infer O
    ? Latents extends O
      ? unknown
      : O extends Shape
        ? unknown
        : ShapeError<`reverse: expected one latent, got ${ShowLatents<O>}`>
    : never
  : ShapeFn extends FnOf<L>
    ? unknown
    : FnOf<L> extends KeepsShape
      ? unknown
      : ShapeError<'reverse: expected a layer that keeps the shape, got one that may change it; use atShape(shape, layer)'>
