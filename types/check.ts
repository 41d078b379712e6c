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
export type FnOf<L> = L extends HasShapeFn<infer F> ? F : never
/** `O`, or `Latents` where the number of latents is known only at run time. */
type OrLatents<O> = readonly Shape[] extends O ? Latents : O

/** The latent that flows on. */
type Flowing<O> = Latents extends O ? Shape : O extends readonly [...Shape[], infer H extends Shape] ? H : O
/** The latents that are left behind. */
type Left<O> = O extends readonly [...infer Z extends readonly Shape[], Shape] ? Z : readonly []

/** The two ends of a bijector. Inference through it gives a `Shape` even where the sizes are type parameters. */
export interface Ends<A extends Shape, B extends Latents> {
  readonly domain: A
  readonly codomain: B
}
/** The context of the first layer if it is a conditional bijector, else `undefined`. */
export type ContextOf<Ls> = Ls extends readonly [{ readonly context: infer C }, ...unknown[]] ? C : undefined
/** The sentence for a function that was not called, or for any other value. */
type NotOf<V, Op extends string, Expected extends string> = V extends (...args: never) => unknown
  ? `${Op}: expected ${Expected}, got a function; did you forget to call it?`
  : `${Op}: expected ${Expected}, got something else`
/** The sentence for a function that was not called; `unknown` for any other value, which the compiler compares. */
export type Called<V, Op extends string, Expected extends string> = V extends (...args: never) => unknown
  ? NotOf<V, Op, Expected>
  : unknown
/** `unknown` if `L` is a layer, else the sentence that names what it is. */
export type OnlyLayer<L, Op extends string = 'compose'> = [L] extends [{ readonly _F: unknown }]
  ? unknown
  : L extends { readonly logProb: unknown }
    ? `${Op}: expected a layer, got a density; use flow(bijector, base)`
    : L extends { readonly kind: string }
      ? `${Op}: expected a layer, got a net or a mask; use coupling(mask, net)`
      : NotOf<L, Op, 'a layer'>
/** `unknown` if `M` is a mask, else the sentence that names what it is. */
export type OnlyMask<M> = M extends { readonly _fits: unknown }
  ? unknown
  : M extends { readonly kind: string }
    ? 'coupling: expected a mask first, got a net'
    : NotOf<M, 'coupling', 'a mask'>
/** `unknown` if `N` is a net over the kind of events (images or vectors) of the mask `M`, else the sentence. */
export type Serves<M, N> = N extends undefined
  ? unknown
  : N extends { readonly _fits: unknown }
    ? 'coupling: expected a net, got a mask; pass the mask first'
    : N extends { readonly kind: infer K extends string }
      ? M extends { readonly kind: infer J extends string }
        ? [J & K] extends [never]
          ? `coupling: expected a net over ${J}s for this mask, got one over ${K}s`
          : unknown
        : unknown
      : NotOf<N, 'coupling', 'a net'>

// Code that is generic over layers, shapes or sizes type-checks in its body. Three rules make that possible:
// - A layer that keeps the shape passes `S` on, whatever `S` is.
// - A test of a type asks for what the type parameters in it cannot change: `{ _F: unknown }`, not `HasShapeFn`.
// - Sentences are read from a list (`Checked<…>[K]`). Where the compiler cannot choose the list yet, it accepts what one
//   of the possible lists accepts; the run-time twins check the rest.

/** The latents of a list of layers at the shape `S`, with a context `C` (or `undefined`), or the first error. */
export type Result<
  Ls extends readonly unknown[],
  S,
  C = undefined,
  Z extends readonly Shape[] = readonly [],
> = Ls extends readonly [infer L, ...infer R]
  ? L extends HasShapeFn<Same>
    ? Result<R, S, C, Z>
    : L extends HasShapeFn<infer F>
      ? OrLatents<Apply<F, S, C>> extends infer O
        ? [O] extends [ShapeError<string>]
          ? O
          : F extends KeepsShape
            ? Result<R, S, C, Z>
            : Latents extends O
              ? Result<R, Shape, C> extends infer E extends ShapeError<string>
                ? E
                : Latents
              : O extends readonly [...infer Y extends readonly Shape[], infer H extends Shape]
                ? Result<R, H, C, readonly [...Z, ...Y]>
                : Result<R, O, C, Z>
        : never
      : ShapeError<OnlyLayer<L> & string>
  : Ls extends readonly []
    ? Z extends readonly []
      ? S
      : readonly [...Z, S]
    : Latents // a list whose length is known only at run time

/** The latents of a list of layers of which the first is a bijector, or the first error; `undefined` for a block. */
export type Composition<Ls> = Ls extends readonly [{ readonly domain: infer A; readonly codomain: infer B }, ...infer R]
  ? readonly [[A]] extends readonly [[B]]
    ? Result<R, A, ContextOf<Ls>>
    : Result<R, Flowing<B>, ContextOf<Ls>, Left<B>>
  : undefined
/** The latents after layers `R` that follow a bijector to the latents `B`. */
export type Codomain<Ls, B extends Latents, R> = R extends readonly HasShapeFn<KeepsShape>[]
  ? B
  : Composition<Ls> extends infer O extends Latents
    ? O
    : never
/** The arguments of `compose`: the layers, or a list in which a sentence stands for the first that does not fit. */
export type Checked<Ls extends readonly unknown[]> =
  Composition<Ls> extends infer B
    ? [B] extends [ShapeError<string>]
      ? Ls extends readonly [infer L extends { readonly codomain: unknown }, ...infer R]
        ? Refused<R, L['codomain'], ContextOf<Ls>, readonly [L]>
        : never
      : B extends undefined
        ? { readonly [K in keyof Ls]: OnlyLayer<Ls[K]> }
        : Ls
    : never
/** The layers after latents `B`, with the first that does not fit replaced by its sentence. */
type Refused<Ls, B, C, Acc extends readonly unknown[]> = Ls extends readonly [infer L, ...infer R]
  ? Result<readonly [L], Flowing<B>, C> extends infer O
    ? [O] extends [ShapeError<infer M>]
      ? readonly [...Acc, M, ...R]
      : Refused<R, O, C, readonly [...Acc, L]>
    : never
  : Acc
/**
 * The part of an argument's type that a rule decides: `unknown` if it accepts the argument, else its sentence. A sentence
 * as a literal stands nearer to the beginning of the compiler's message than a `ShapeError`. Where the compiler cannot
 * apply the rule yet, because sizes are type parameters, the property of either object will do, and `unknown` accepts.
 */
export type Told<R> = (R extends ShapeError<infer M> ? { readonly as: M } : { readonly as: unknown })['as']
/** The entry of a list of sentences. */
export type At<Sentences, K> = Sentences[K & keyof Sentences]

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
export type LatentsAt<F extends ShapeFn, S, C = undefined> = F extends KeepsShape
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
/** `unknown` if `L` is a layer that accepts `S`, else its error. */
export type Placed<Op extends string, L, S, C> =
  L extends HasShapeFn<infer F> ? Told<Refusal<F, S, C>> : OnlyLayer<L, Op>
/** `unknown` if `L` is a bijector (a layer at a shape), else the error. */
export type OnlyBijector<L> = L extends { readonly domain: unknown }
  ? unknown
  : L extends { readonly _F: unknown }
    ? 'flow: expected a bijector, got a layer without a shape; use atShape(shape, layer)'
    : L extends { readonly logProb: unknown }
      ? 'flow: expected a bijector first, got a base'
      : NotOf<L, 'flow', 'a bijector'>
/** `unknown` if `L` can be reversed (it has one latent, or is a layer that keeps the shape), else the error. */
export type Reversible<L> = L extends { readonly domain: unknown; readonly codomain: infer B }
  ? OrLatents<B> extends infer O
    ? Latents extends O
      ? unknown
      : O extends Shape
        ? unknown
        : ShapeError<`reverse: expected one latent, got ${ShowLatents<O>}`>
    : never
  : L extends { readonly _F: infer F }
    ? ShapeFn extends F
      ? unknown
      : F extends KeepsShape
        ? unknown
        : ShapeError<'reverse: expected a layer that keeps the shape, got one that may change it; use atShape(shape, layer)'>
    : ShapeError<OnlyLayer<L, 'reverse'> & string>
