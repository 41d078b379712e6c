/**
 * How `compose` finds every shape: it applies each layer's shape function to what flows out of the layer before, and
 * answers the sentence at the first layer that does not fit.
 *
 * @module
 */
import type { Apply, KeepsShape, Latents, Same, Shape, ShapeError, ShapeFn, ShowLatents } from './shape.js'

/** Anything that carries a shape function. */
export interface HasShapeFn<F extends ShapeFn = ShapeFn> {
  readonly _F: F
}
export type FnOf<L> = L extends { readonly _F: infer F extends ShapeFn } ? F : never
/** Who knows how many latents, from a layer that is only known to be one, are `Latents`. */
type Known<O> = readonly Shape[] extends O ? Latents : O
type Step<L, S> = Known<Apply<FnOf<L>, S>>

/** The latent that flows on. */
type Flowing<O> = Latents extends O ? Shape : O extends readonly [...Shape[], infer H extends Shape] ? H : O
/** The latents that are left behind. */
type Left<O> = O extends readonly [...infer Z extends readonly Shape[], Shape] ? Z : readonly []

/** The event shape of a bijector that comes first, `undefined` if what comes first has no shape yet. */
export type Start<Ls> = Ls extends readonly [{ readonly domain: infer A extends Shape }, ...unknown[]] ? A : undefined

/** Nothing if `L` is a layer, else the sentence for what it is. */
export type OnlyLayer<L> = L extends HasShapeFn
  ? unknown
  : L extends { readonly logProb: unknown }
    ? ShapeError<'compose: expected a layer, got a density; flow(bijector, prior) joins the two'>
    : L extends (...args: never) => unknown
      ? ShapeError<'compose: expected a layer, got a function that may answer one; call it'>
      : L extends { readonly kind: string }
        ? ShapeError<'compose: expected a layer, got a net or a mask; coupling(mask, net) takes one of each'>
        : ShapeError<'compose: expected a layer, got something else'>

// A layer that takes any shape is asked first and without the shape: so code that is generic over shapes is proved in
// its own body, where `S` is not known yet.

/** The layers, the first that does not fit replaced by its sentence. */
export type Check<
  Ls extends readonly unknown[],
  S,
  Acc extends readonly unknown[] = readonly [],
> = Ls extends readonly [infer L, ...infer R]
  ? L extends HasShapeFn<Same>
    ? Check<R, S, readonly [...Acc, L]>
    : L extends HasShapeFn
      ? Step<L, S> extends infer O
        ? [O] extends [ShapeError<string>]
          ? readonly [...Acc, O, ...R]
          : Check<R, Flowing<O>, readonly [...Acc, L]>
        : never
      : readonly [...Acc, OnlyLayer<L>, ...R]
  : Acc

/** What a list of layers makes of the shape `S`: latents, or the first sentence. */
export type Result<Ls extends readonly unknown[], S, Z extends readonly Shape[] = readonly []> = Ls extends readonly [
  infer L,
  ...infer R,
]
  ? L extends HasShapeFn<Same>
    ? Result<R, S, Z>
    : Step<L, S> extends infer O
      ? [O] extends [ShapeError<string>]
        ? O
        : Latents extends O
          ? Result<R, Shape> extends infer E extends ShapeError<string>
            ? E
            : Latents
          : Result<R, Flowing<O>, readonly [...Z, ...Left<O>]>
      : never
  : Ls extends readonly []
    ? Z extends readonly []
      ? S
      : readonly [...Z, S]
    : Latents // a list whose length is known only at run time

/** The layer at place `K`, or its sentence. */
export type At<Ls extends readonly unknown[], S, K> =
  Check<Ls, S> extends infer C ? (K extends keyof C ? C[K] : unknown) : unknown

/** A list of layers as one shape function. */
export interface Composed<in out Ls extends readonly unknown[]> extends ShapeFn {
  readonly keeps: Ls extends readonly HasShapeFn<KeepsShape>[]
    ? Ls extends readonly HasShapeFn<Same>[]
      ? 'any shape'
      : 'some shapes'
    : 'no shape'
  readonly out: Result<Ls, this['in']>
}

/** How often, as far as it is known: 0 is `false`, and so is what is no whole number. */
type IsCount<N extends number> = number extends N
  ? boolean
  : N extends number
    ? `${N}` extends '0' | `-${string}` | `${string}.${string}` | `${string}e-${string}`
      ? false
      : true
    : never
/** Nothing if `N` is a whole number of at least 1, else the sentence. */
export type CountRefusal<N extends number> =
  IsCount<N> extends false ? ShapeError<`repeat: expected a whole number of at least 1, got ${N}`> : unknown
type ListOf<L, N extends number, Acc extends readonly unknown[] = readonly []> = number extends N
  ? readonly L[]
  : Acc['length'] extends N
    ? Acc
    : ListOf<L, N, readonly [...Acc, L]>
/** `F` applied `N` times */
export interface Repeated<in out N extends number, in out F extends ShapeFn> extends ShapeFn {
  readonly out: Result<ListOf<HasShapeFn<F>, N>, this['in']>
}
/** What a layer is when it is repeated: itself where it keeps the shape. */
export type RepeatedFn<N extends number, F extends ShapeFn> = [F] extends [KeepsShape] ? F : Repeated<N, F>

/** What `F` makes of the shape `S`, where it must answer latents. */
export type LatentsAt<F extends ShapeFn, S> = F extends Same
  ? S
  : Known<Apply<F, S>> extends infer O extends Latents
    ? O
    : never
/** Nothing, or the sentence of `F` at `S`. */
export type Refusal<F extends ShapeFn, S> = F extends Same
  ? unknown
  : Known<Apply<F, S>> extends infer O extends ShapeError<string>
    ? O
    : unknown
/** Nothing if `L` stands at a shape, else a sentence. */
export type Placed<L> = L extends { readonly domain: unknown }
  ? unknown
  : L extends HasShapeFn
    ? ShapeError<'flow: expected a bijector, got a layer without a shape; put it at one with on'>
    : ShapeError<'flow: expected a bijector, got what is no layer at all'>
/** Nothing if `L` can run backwards, else a sentence: it takes one latent, or a layer that keeps the shape. */
export type Reversible<L> = L extends { readonly domain: Shape; readonly codomain: infer B }
  ? Known<B> extends infer O
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
      : ShapeError<'reverse: expected a layer that keeps the shape, got one that may not; put it at a shape with on'>
