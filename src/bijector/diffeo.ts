/**
 * `Diffeo<A, B>`: a bijection between values whose parameters are bound. A value is a batch of tensors: one tensor,
 * or a tuple of them.
 *
 * Laws, for the value *and* for the log-det (natural log of |det ∂forward/∂a|, one number per example):
 * - `inverse(forward(a)[0])[0] = a`, and the two log-dets are opposite
 * - `andThen(id)(f) = f = andThen(f)(id)`
 * - `andThen(h)(andThen(g)(f)) = andThen(andThen(h)(g))(f)`; log-dets add up (Eq. 13)
 * - `reverse(andThen(g)(f)) = andThen(reverse(f))(reverse(g))` (Eq. 14); `reverse(reverse(f)) = f`
 *
 * @module
 */
import type { Category2 } from 'fp-ts/lib/Category.js'
import { add, neg, tidy, zeroPerExample } from '../tensor/ops.js'
import type { AnyTensor, PerExample } from '../tensor/tensor.js'

// -------------------------------------------------------------------------------------
// model
// -------------------------------------------------------------------------------------

/** A bijection A → B. `forward` goes from data to latent, `inverse` from latent to data. */
export interface Diffeo<in out A, in out B> {
  readonly forward: (a: A) => readonly [value: B, logDet: PerExample]
  readonly inverse: (b: B) => readonly [value: A, logDet: PerExample]
}

/**
 * The name of the type in fp-ts.
 *
 * @example const category: Category2<Diffeo.URI> = Diffeo.Category // the key of `URItoKind2`
 */
export const URI = 'diffeo/Diffeo'
export type URI = typeof URI
declare module 'fp-ts/lib/HKT' {
  interface URItoKind2<E, A> {
    readonly 'diffeo/Diffeo': Diffeo<E, A>
  }
}

// -------------------------------------------------------------------------------------
// constructors
// -------------------------------------------------------------------------------------

/**
 * A diffeo from its two directions. Their intermediate tensors are freed.
 *
 * @example
 * const twice = Diffeo.diffeo(
 *   (x: BatchOf<[2]>) => [T.times(2)(x), T.plus(2 * Math.LN2)(T.zeroPerExample(x))],
 *   (y: BatchOf<[2]>) => [T.times(0.5)(y), T.plus(-2 * Math.LN2)(T.zeroPerExample(y))],
 * )
 */
export const diffeo = <A, B>(forward: Diffeo<A, B>['forward'], inverse: Diffeo<A, B>['inverse']): Diffeo<A, B> => ({
  forward: (a) => tidy(() => forward(a)),
  inverse: (b) => tidy(() => inverse(b)),
})

const firstTensor = (value: unknown): AnyTensor => (Array.isArray(value) ? firstTensor(value[0]) : (value as AnyTensor))

const same = <A>(a: A): readonly [A, PerExample] => tidy(() => [a, zeroPerExample(firstTensor(a))])

/**
 * The identity: log-det 0.
 *
 * @example const [same, logDet] = Diffeo.id<typeof x>().forward(x)
 */
export const id = <A>(): Diffeo<A, A> => ({ forward: same, inverse: same })

// -------------------------------------------------------------------------------------
// combinators
// -------------------------------------------------------------------------------------

/**
 * First `f`, then `g`: values compose (Eq. 14), log-dets add up (Eq. 13).
 *
 * @example
 * pipe(moons.bijector.bind(params), Diffeo.andThen(Diffeo.reverse(moons.bijector.bind(params)))) // the identity
 */
export const andThen =
  <B, C>(g: Diffeo<B, C>) =>
  <A>(f: Diffeo<A, NoInfer<B>>): Diffeo<A, C> =>
    diffeo(
      (a) => {
        const [b, first] = f.forward(a)
        const [c, second] = g.forward(b)
        return [c, add(second)(first)]
      },
      (c) => {
        const [b, first] = g.inverse(c)
        const [a, second] = f.inverse(b)
        return [a, add(second)(first)]
      },
    )

/**
 * Exchanges the two directions.
 *
 * @example const [back, logDet] = Diffeo.reverse(moons.bijector.bind(params)).forward(z)
 */
export const reverse = <A, B>(f: Diffeo<A, B>): Diffeo<B, A> => ({ forward: f.inverse, inverse: f.forward })

/**
 * Two diffeos side by side on a pair: the Jacobian is block diagonal, so log-dets add up.
 *
 * @example const [[z1, z2], logDet] = Diffeo.both(moons.bijector.bind(params), Diffeo.id<typeof z>()).forward([x, z])
 */
export const both = <A, B, C, D>(f: Diffeo<A, B>, g: Diffeo<C, D>): Diffeo<readonly [A, C], readonly [B, D]> =>
  diffeo<readonly [A, C], readonly [B, D]>(
    ([a, c]) => {
      const [b, first] = f.forward(a)
      const [d, second] = g.forward(c)
      return [[b, d], add(second)(first)]
    },
    ([b, d]) => {
      const [a, first] = f.inverse(b)
      const [c, second] = g.inverse(d)
      return [[a, c], add(second)(first)]
    },
  )

/**
 * log |det ∂forward/∂a|, in nats, one number per example.
 *
 * @example const nats = Diffeo.logDetJacobian(moons.bijector.bind(params))(x) // Tensor<['N']>
 */
export const logDetJacobian =
  <A, B>(f: Diffeo<A, B>) =>
  (a: A): PerExample =>
    tidy(() => f.forward(a)[1])

/**
 * log |det ∂inverse/∂b|, in nats, one number per example.
 *
 * @example const nats = Diffeo.inverseLogDetJacobian(moons.bijector.bind(params))(z) // Tensor<['N']>
 */
export const inverseLogDetJacobian =
  <A, B>(f: Diffeo<A, B>) =>
  (b: B): PerExample =>
    tidy(() => f.inverse(b)[1])

/**
 * A diffeo from its two functions and the log-det of `forward`. The log-det of `inverse` at b is −logDet(inverse(b)).
 *
 * @example const exp = Diffeo.fromForward((x: BatchOf<[2]>) => T.exp(x), (y: BatchOf<[2]>) => T.log(y), T.sumEvent)
 */
export const fromForward = <A, B>(
  forward: (a: A) => B,
  inverse: (b: B) => A,
  logDet: (a: A) => PerExample,
): Diffeo<A, B> =>
  diffeo(
    (a) => [forward(a), logDet(a)],
    (b) => {
      const a = inverse(b)
      return [a, neg(logDet(a))]
    },
  )

// -------------------------------------------------------------------------------------
// instances
// -------------------------------------------------------------------------------------

/**
 * The lawful fp-ts category of diffeos.
 *
 * @example const f = Diffeo.Category.compose(Diffeo.id<typeof x>(), Diffeo.id<typeof x>())
 */
export const Category: Category2<URI> = {
  URI,
  id,
  compose: (bc, ab) => andThen(bc)(ab),
}
