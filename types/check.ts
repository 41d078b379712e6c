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
type FnOf<L> = L extends { readonly _F: infer F extends ShapeFn } ? F : never
/** Who knows how many latents, from a layer that is only known to be one, are `Latents`. */
type Known<O> = readonly Shape[] extends O ? Latents : O
type Step<L, S> = Known<Apply<FnOf<L>, S>>

/** The latent that flows on. */
type Flowing<O> = Latents extends O ? Shape : O extends readonly [...Shape[], infer H extends Shape] ? H : O
/** The latents that are left behind. */
type Left<O> = O extends readonly [...infer Z extends readonly Shape[], Shape] ? Z : readonly []

/** The event shape of a bijector that comes first, `undefined` if what comes first has no shape yet. */
export type Start<Ls> = Ls extends readonly [{ readonly domain: infer A extends Shape }, ...unknown[]] ? A : undefined

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
    : Step<L, S> extends infer O
      ? [O] extends [ShapeError<string>]
        ? readonly [...Acc, O, ...R]
        : Check<R, Flowing<O>, readonly [...Acc, L]>
      : never
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
