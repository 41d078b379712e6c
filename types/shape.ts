/**
 * Shapes and shape functions, for the compiler only. Each rule has a run-time twin with the same name and sentence in
 * `src/tensor/shape.ts`.
 *
 * Event shapes are tuples of number literals, channels last; the batch dimension is the literal `'N'`. For a shape that
 * does not fit, a rule returns `ShapeError<sentence>`, never `never`. A size known only at run time (`number`) passes
 * here; the twin checks it.
 *
 * @module
 */
import type { Even, Half, Mul, Product } from './nat.js'

// -------------------------------------------------------------------------------------
// shapes and sentences
// -------------------------------------------------------------------------------------

/** The shape of one example (an event): sizes, channels last. */
export type Shape = readonly number[]
/** The shape of a tensor: sizes, and names such as the batch's `'N'`. */
export type Dims = readonly (number | string)[]
/** The event shape with the batch in front. */
export type Batch<S extends Dims> = readonly ['N', ...S]
/** Latents (Eq. 17): one shape, or several; the last flows on into the next layer. */
export type Latents = Shape | readonly Shape[]

declare const sentence: unique symbol
/** What the compiler prints at an argument whose shape is wrong. */
export interface ShapeError<M extends string> {
  readonly [sentence]: M
}
/** `32×32×3` */
export type Show<S> = S extends readonly []
  ? 'scalar'
  : S extends readonly [infer H extends number | string, ...infer T]
    ? T extends readonly []
      ? `${H}`
      : `${H}×${Show<T>}`
    : '?'
/** `16×16×6, 8×8×12`, or the one shape */
export type ShowLatents<L> = L extends Shape
  ? Show<L>
  : L extends readonly [infer H, ...infer T]
    ? T extends readonly []
      ? Show<H>
      : `${Show<H>}, ${ShowLatents<T>}`
    : '?'
/**
 * The sentence of a rule: `op: expected …, got … in …`. It is a string, not a `ShapeError`, because compilers print
 * the name of an interface alias instead of its arguments, which would hide the sentence.
 */
type Sentence<
  Op extends string,
  Expected extends string,
  Got extends string,
> = `${Op}: expected ${Expected}, got ${Got}`

// -------------------------------------------------------------------------------------
// shape functions (defunctionalised)
// -------------------------------------------------------------------------------------

/** A function from an input shape to latents, written as an interface: `F & { in: S }` is `F` at `S`. */
export interface ShapeFn {
  readonly in: unknown
  /** The shape of the context of a conditional flow, `undefined` in other flows. */
  readonly given: unknown
  readonly out: unknown
}
/** `F` at the shape `S`, with a context of shape `C` if there is one: latents, or a {@link ShapeError}. */
export type Apply<F extends ShapeFn, S, C = undefined> = (F & { readonly in: S; readonly given: C })['out']

/** Whether `S` is `any` or a shape whose rank is known only at run time. */
type Wide<S> = [S] extends [readonly unknown[]] ? (number extends S['length'] ? true : false) : false

/**
 * A shape function that returns its input shape or rejects it. `reverse` needs the tag `keeps`. The tag also keeps
 * other shape functions from being assignable to `Same`, whose `out` alone would accept all of them.
 */
export interface KeepsShape extends ShapeFn {
  readonly keeps: 'any shape' | 'some shapes'
}

/** S → S */
export interface Same extends KeepsShape {
  readonly keeps: 'any shape'
  readonly out: this['in']
}
/** H×W×C → H×W×C */
export interface SameImage extends KeepsShape {
  readonly keeps: 'some shapes'
  readonly out: Wide<this['in']> extends true
    ? this['in']
    : this['in'] extends readonly [unknown, unknown, unknown]
      ? this['in']
      : ShapeError<Sentence<'coupling', 'height×width×channels', Show<this['in']>>>
}
/** D → D */
export interface SameVector extends KeepsShape {
  readonly keeps: 'some shapes'
  readonly out: Wide<this['in']> extends true
    ? this['in']
    : this['in'] extends readonly [unknown]
      ? this['in']
      : ShapeError<Sentence<'coupling', 'a vector', Show<this['in']>>>
}
/** H×W×C → H×W×C, C even */
export interface EvenChannels extends KeepsShape {
  readonly keeps: 'some shapes'
  readonly out: Wide<this['in']> extends true
    ? this['in']
    : this['in'] extends readonly [number, number, infer C extends number]
      ? Even<C> extends false
        ? ShapeError<Sentence<'coupling', 'an even number of channels', `${C} in ${Show<this['in']>}`>>
        : this['in']
      : ShapeError<Sentence<'coupling', 'height×width×channels', Show<this['in']>>>
}
/** H×W×C → H/2×W/2×4C */
export interface Squeeze extends ShapeFn {
  readonly out: Wide<this['in']> extends true
    ? readonly [number, number, number]
    : this['in'] extends readonly [infer H extends number, infer W extends number, infer C extends number]
      ? Even<H> extends false
        ? ShapeError<Sentence<'squeeze', 'an even height', `${H} in ${Show<this['in']>}`>>
        : Even<W> extends false
          ? ShapeError<Sentence<'squeeze', 'an even width', `${W} in ${Show<this['in']>}`>>
          : readonly [Half<H>, Half<W>, Mul<C, 4>]
      : ShapeError<Sentence<'squeeze', 'height×width×channels', Show<this['in']>>>
}
/** …×C → (…×C/2, …×C/2): the first is factored out, the second flows on */
export interface FactorOut extends ShapeFn {
  readonly out: Wide<this['in']> extends true
    ? readonly [this['in'], this['in']]
    : this['in'] extends readonly [...infer R extends Shape, infer C extends number]
      ? Even<C> extends false
        ? ShapeError<Sentence<'factorOut', 'an even number of channels', `${C} in ${Show<this['in']>}`>>
        : readonly [readonly [...R, Half<C>], readonly [...R, Half<C>]]
      : ShapeError<Sentence<'factorOut', 'at least one dimension', Show<this['in']>>>
}
/** Any shape → its number of elements */
export interface Flatten extends ShapeFn {
  readonly out: Wide<this['in']> extends true
    ? readonly [number]
    : this['in'] extends infer S extends Shape
      ? readonly [Product<S>]
      : ShapeError<Sentence<'flatten', 'a shape', Show<this['in']>>>
}
/** Any shape with as many elements as `To` → `To` */
export interface ReshapeTo<in out To extends Shape> extends ShapeFn {
  readonly out: Wide<this['in']> extends true
    ? To
    : this['in'] extends infer S extends Shape
      ? SameSize<Product<S>, Product<To>> extends false
        ? ShapeError<Sentence<'reshape', `${Product<S>} elements to fit ${Show<S>}`, `${Product<To>} in ${Show<To>}`>>
        : To
      : ShapeError<Sentence<'reshape', 'a shape', Show<this['in']>>>
}
type SameSize<A extends number, B extends number> = number extends A | B ? boolean : A extends B ? true : false
/** Exactly `A` → `B`: the shape function of a bijector */
export interface Exactly<in out A extends Shape, in out B> extends ShapeFn {
  readonly out: this['in'] extends A ? B : Fits<A, this['in']> extends false ? ShapeError<Mismatch<A, this['in']>> : B
}
/** Exactly `A` → `B` with a context of shape `C`: the shape function of a conditional bijector */
export interface ExactlyGiven<in out A extends Shape, in out C extends Shape, in out B> extends ShapeFn {
  readonly out: Fits<A, this['in']> extends false
    ? ShapeError<Mismatch<A, this['in']>>
    : this['given'] extends undefined
      ? ShapeError<`${Sentence<'compose', 'a bijector without context', `one given ${Show<C>}`>}; start with input(shape, { given })`>
      : Fits<C, this['given']> extends false
        ? ShapeError<Sentence<'compose', `a bijector given ${Show<this['given']>}`, `one given ${Show<C>}`>>
        : B
}
/** Exactly the shape `A` → `A`, with `Op` in the error */
export interface Only<in out Op extends string, in out A extends Shape> extends KeepsShape {
  readonly keeps: 'some shapes'
  readonly out: Fits<A, this['in']> extends false ? ShapeError<Sentence<Op, Show<A>, Show<this['in']>>> : this['in']
}
/** `false` only if two shapes certainly differ; `boolean` if a size known only at run time decides */
export type Fits<A, G> =
  Wide<A> extends true
    ? boolean
    : Wide<G> extends true
      ? boolean
      : A extends readonly [infer H, ...infer T]
        ? G extends readonly [infer I, ...infer U]
          ? number extends H | I
            ? Fits<T, U>
            : H extends I
              ? Fits<T, U>
              : false
          : false
        : G extends readonly []
          ? true
          : false
type Mismatch<A, G> = Sentence<'compose', Show<A>, `${Show<G>} from the layer before`>
