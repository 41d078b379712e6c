/**
 * `Layer<F>`: a family of bijectors, one per event shape, with the shape function `F`. `Bijector<A, B>`: a layer at
 * one shape, from events of shape `A` to latents of shape `B` (Eq. 17). Parameters are values: `init` makes them,
 * `bind` takes them, `train` answers their next statistics.
 *
 * @module
 */
import * as E from 'fp-ts/lib/Either.js'
import { pipe } from 'fp-ts/lib/function.js'
import type { HasShapeFn, LatentsAt, Refusal, Reversible } from '../../types/check.js'
import type { Exactly, Latents, Shape, ShapeFn } from '../../types/shape.js'
import { type DiffeoError, orThrow, shapeError, usageError } from '../error.js'
import { checkParams } from '../tensor/check-params.js'
import { sizesIn } from '../tensor/numbers.js'
import { add, tidy, zeroPerExample } from '../tensor/ops.js'
import { initialise, leaves, type Param, type Params, type ParamsOf, type Spec } from '../tensor/params.js'
import type { Key } from '../tensor/random.js'
import { batchOf, exactly, isShape, showLatents } from '../tensor/shape.js'
import { type AnyTensor, type BatchOf, latentTensors, type PerExample } from '../tensor/tensor.js'
import { type Diffeo, diffeo } from './diffeo.js'
import { clamp, type Interval, isBounded, logInside, REALS } from './support.js'

// -------------------------------------------------------------------------------------
// model
// -------------------------------------------------------------------------------------

/** A family of bijectors, one per event shape. */
export interface Layer<F extends ShapeFn> extends HasShapeFn<F> {
  readonly name: string
  /** The bijector at one shape, or why there is none. */
  readonly at: (shape: Shape) => E.Either<DiffeoError, AnyBijector>
}

/** A value, its log-det in nats, and the parameters with their next statistics. */
export type Trained<B> = readonly [value: B, logDet: PerExample, params: Params]

/** A bijection from events of shape `A` to latents of shape `B`, given parameters. */
export interface Bijector<in out A extends Shape, in out B extends Latents> extends Layer<Exactly<A, B>> {
  readonly domain: A
  readonly codomain: B
  /**
   * Which values each element of an event may have: outside of them the density is 0, and the log-det of `forward` −∞.
   * Of a composition, those of its first layer; the layers behind it may take fewer.
   */
  readonly support: Interval
  /** Which values each element of the latents may have: outside of them the log-det of `inverse` is −∞. */
  readonly range: Interval
  /** The names, shapes and roles of its parameters. */
  readonly spec: Spec
  /** If it is a composition: of what, in the order in which data flow; of nothing, if it is the empty flow. */
  readonly parts?: readonly AnyBijector[]
  readonly init: (key: Key) => Params
  readonly bind: (params: Params) => Diffeo<BatchOf<A>, BatchOf<B>>
  /** `forward` with batch statistics; answers the parameters with their next statistics. */
  readonly train: (params: Params) => (x: BatchOf<A>) => Trained<BatchOf<B>>
  /** Sets what depends on the first data, once (ActNorm); everything else stays. */
  readonly start: (params: Params) => (x: BatchOf<A>) => Trained<BatchOf<B>>
}
// biome-ignore lint/suspicious/noExplicitAny: invariant parameters have no other top
export type AnyBijector = Bijector<any, any>

/** What a bijector is made from: two directions and the parameters they take. */
export interface Definition<A extends Shape, B extends Latents, S extends Spec> {
  readonly name: string
  readonly domain: A
  readonly codomain: B
  readonly spec: S
  /**
   * Which values an element of an event may have; default all. `forward` is called with values inside alone: others are
   * moved to the nearest bound, and the log-det of their example becomes −∞.
   */
  readonly support?: Interval
  /** The same for latents and `inverse`; what `forward` rounds out of it is moved back. */
  readonly range?: Interval
  readonly forward: (params: ParamsOf<S>, x: BatchOf<A>) => readonly [value: BatchOf<B>, logDet: PerExample]
  readonly inverse: (params: ParamsOf<S>, z: BatchOf<B>) => readonly [value: BatchOf<A>, logDet: PerExample]
  /** Only for a layer with statistics: `forward` with the batch's, and the parameters with their next ones. */
  readonly train?: (params: ParamsOf<S>, x: BatchOf<A>) => Trained<BatchOf<B>>
  /** Only for a layer that depends on the first data; default `train`, with the parameters as they are. */
  readonly start?: (params: ParamsOf<S>, x: BatchOf<A>) => Trained<BatchOf<B>>
  readonly parts?: readonly AnyBijector[]
}

// -------------------------------------------------------------------------------------
// constructors
// -------------------------------------------------------------------------------------

/** One or several tensors, each replaced. */
const each = <L>(value: L, f: (part: AnyTensor) => AnyTensor): L =>
  (Array.isArray(value) ? value.map(f) : f(value as AnyTensor)) as L

/** A direction that computes with values inside of `from` alone, answers values inside of `to`, and −∞ for the others. */
const between =
  <P, V, W, More extends readonly unknown[]>(
    from: Interval,
    to: Interval,
    f: (params: P, value: V) => readonly [value: W, logDet: PerExample, ...more: More],
  ): typeof f =>
  (params, value) => {
    const isClamped = isBounded(from)
    const [w, logDet, ...more] = f(params, isClamped ? each(value, (part) => clamp(from, part)) : value)
    const within = isBounded(to) ? each(w, (part) => clamp(to, part)) : w
    const outside = isClamped ? latentTensors(value).map((part) => logInside(from, part)) : []
    return [within, outside.reduce((sum, log) => add(log)(sum), logDet), ...more]
  }

/**
 * A bijector from its two directions. Everything they allocate on the way is freed. What they are given has the shape that
 * the types say: a size known only at run time is compared first, and refused with a `DiffeoException` of both shapes. So
 * are parameters whose names or shapes are not those of the spec.
 *
 * @example
 * const double = bijector({
 *   name: 'double', domain: [2], codomain: [2], spec: {},
 *   forward: (_, x) => [T.times(2)(x), T.plus(2 * Math.LN2)(T.zeroPerExample(x))],
 *   inverse: (_, z) => [T.times(0.5)(z), T.plus(-2 * Math.LN2)(T.zeroPerExample(z))],
 * })
 */
export const bijector = <const A extends Shape, const B extends Latents, S extends Spec>(
  d: Definition<A, B, S>,
): Bijector<A, B> => {
  // they are compared with the spec where they come in
  const typed = (params: Params) => params as ParamsOf<S>
  const { support = REALS, range = REALS } = d
  // the layers of a composition guard themselves
  const guard: typeof between = (from, to, f) => (d.parts === undefined ? between(from, to, f) : f)
  const forward = guard(support, range, (params: Params, x: BatchOf<A>) => d.forward(typed(params), x))
  const inverse = guard(range, support, (params: Params, z: BatchOf<B>) => d.inverse(typed(params), z))
  const train = guard(
    support,
    range,
    (params: Params, x: BatchOf<A>): Trained<BatchOf<B>> =>
      d.train?.(typed(params), x) ?? [...d.forward(typed(params), x), params],
  )
  const { start: begin } = d
  const start =
    begin === undefined
      ? (params: Params, x: BatchOf<A>): Trained<BatchOf<B>> => {
          const [z, logDet] = train(params, x)
          return [z, logDet, params]
        }
      : guard(support, range, (params: Params, x: BatchOf<A>) => begin(typed(params), x))
  const checked = <L extends Latents, R>(latents: L, f: (value: BatchOf<L>) => R): ((value: BatchOf<L>) => R) => {
    const fits = batchOf(d.name, latents)
    return (value) => {
      orThrow(fits(latentTensors(value).map(sizesIn(d.name))))
      return f(value)
    }
  }
  const self: Bijector<A, B> = {
    _F: undefined as never,
    name: d.name,
    domain: d.domain,
    codomain: d.codomain,
    support,
    range,
    spec: d.spec,
    ...(d.parts && { parts: d.parts }),
    at: (shape) =>
      pipe(
        exactly(d.domain)(shape),
        E.map(() => self as AnyBijector),
      ),
    init: (key) => tidy(() => initialise(d.spec, key)),
    bind: (params) => {
      checkParams(d.name, d.spec, params)
      return diffeo(
        checked(d.domain, (x) => forward(params, x)),
        checked(d.codomain, (z) => inverse(params, z)),
      )
    },
    train: (params) => {
      checkParams(d.name, d.spec, params)
      return checked(d.domain, (x) => tidy(() => train(params, x)))
    },
    start: (params) => {
      checkParams(d.name, d.spec, params)
      return checked(d.domain, (x) => tidy(() => start(params, x)))
    },
  }
  return self
}

/**
 * A layer from its rule: at each event shape a definition, or why there is none.
 *
 * @example
 * const negate = layer<Same>('negate', (shape) =>
 *   E.right(
 *     bijector({ name: 'negate', domain: shape, codomain: shape, spec: {},
 *       forward: (_, x) => [T.neg(x), T.zeroPerExample(x)],
 *       inverse: (_, z) => [T.neg(z), T.zeroPerExample(z)],
 *     }),
 *   ),
 * )
 */
export const layer = <F extends ShapeFn>(
  name: string,
  at: (shape: Shape) => E.Either<DiffeoError, AnyBijector>,
): Layer<F> => ({ _F: undefined as never, name, at })

/**
 * The empty flow at a shape: where a composition starts.
 *
 * @example compose(input([32, 32, 3]), squeeze, actNorm)
 */
export const input = <const S extends Shape>(shape: S): Bijector<S, S> => {
  const pass = (_: unknown, x: BatchOf<S>) => [x, zeroPerExample(x as AnyTensor)] as const
  return bijector({ name: 'input', domain: shape, codomain: shape, spec: {}, parts: [], forward: pass, inverse: pass })
}

/**
 * A layer at a shape.
 *
 * @example
 * const b = on([32, 32, 3], compose(squeeze, factorOut)) // Bijector<[32, 32, 3], [[16, 16, 6], [16, 16, 6]]>
 * @throws DiffeoException if a size known only at run time does not fit; `layer.at(shape)` answers an `Either`
 */
export const on = <const S extends Shape, F extends ShapeFn>(
  shape: S,
  of: Layer<F> & Refusal<F, S>,
): Bijector<S, LatentsAt<F, S>> => orThrow(of.at(shape))

// -------------------------------------------------------------------------------------
// combinators
// -------------------------------------------------------------------------------------

const learnsFromData = (b: AnyBijector): boolean => leaves<Param>(b.spec).some(([, { role }]) => role === 'statistic')

const reversed = (b: AnyBijector): E.Either<DiffeoError, AnyBijector> =>
  !isShape(b.codomain)
    ? E.left(shapeError('reverse', 'one latent', showLatents(b.codomain)))
    : learnsFromData(b)
      ? E.left(
          usageError(
            'reverse',
            'a bijector without statistics of the data',
            b.name,
            'reverse it with its parameters bound: Diffeo.reverse(b.bind(params))',
          ),
        )
      : E.right(
          bijector({
            name: `reverse(${b.name})`,
            domain: b.codomain,
            codomain: b.domain,
            support: b.range,
            range: b.support,
            spec: b.spec,
            forward: (params, x) => b.bind(params as Params).inverse(x) as never,
            inverse: (params, z) => b.bind(params as Params).forward(z) as never,
          }),
        )

/**
 * The two directions exchanged: `reverse(normalCdf())` turns uniforms into normals. For a bijector with one latent,
 * and for a layer that keeps the shape. ActNorm and batch norm have no reverse, on the path or in a net: their statistics
 * make what comes out normal, and in the other direction would move away from what they saw, step by step.
 *
 * @throws DiffeoException for a bijector with such statistics; `layer.at(shape)` answers an `Either`
 * @example on([1], reverse(normalCdf())) // Bijector<[1], [1]>
 */
export const reverse = <L extends HasShapeFn>(of: L & Reversible<L>): Reversed<L> => {
  const l = of as HasShapeFn as AnyBijector | Layer<ShapeFn>
  const back =
    'domain' in l
      ? orThrow(reversed(l))
      : layer<ShapeFn>(`reverse(${l.name})`, (shape) => pipe(l.at(shape), E.chain(reversed)))
  return back as HasShapeFn as Reversed<L>
}

/** A bijector with its shapes exchanged, a layer that keeps the shape as it is. */
export type Reversed<L> =
  L extends Bijector<infer A, infer B>
    ? Bijector<B extends Shape ? B : Shape, A>
    : L extends Layer<infer F>
      ? Layer<F>
      : never
