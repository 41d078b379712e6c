/**
 * A flow: the density of a bijector f and a prior (Eqs. 5–7, 15):
 *
 *     log p(x) = log p_Z(f(x)) + log |det ∂f/∂x|
 *
 * Bits per dimension. For images, x is an integer image plus uniform noise u in [0, 1) (dequantisation). By Jensen's
 * inequality the integer image's log-probability log P(i) = log ∫ p(i + u) du ≥ ∫ log p(i + u) du, so
 * −log p(x) / (D log 2) is, on average, an upper bound on the bits that a code spends for each of the D sub-pixels.
 * It needs no further correction: x stays in [0, 256), every bin has volume 1, and preprocessing is a bijector of the flow,
 * whose log-det counts.
 *
 * @module
 */
import { pipe } from 'fp-ts/lib/function.js'
import type { OnlyBijector } from '../../types/check.js'
import type { Latents, Shape } from '../../types/shape.js'
import { expectKind } from '../bijector/arguments.js'
import type { Bijector } from '../bijector/layer.js'
import { clamp, isBounded, logInside, REALS } from '../bijector/support.js'
import { floatSizesIn } from '../tensor/numbers.js'
import { add, tidy, times } from '../tensor/ops.js'
import type { Params } from '../tensor/params.js'
import type { Key } from '../tensor/random.js'
import { product } from '../tensor/shape.js'
import type { AnyTensor, BatchOf, PerExample } from '../tensor/tensor.js'
import type { Prior } from './prior.js'

/** A density over events of shape `A`, given parameters. */
export interface Flow<in out A extends Shape, in out B extends Latents> {
  readonly bijector: Bijector<A, B>
  readonly prior: Prior
  readonly init: (key: Key) => Params
  /** log p(x) in nats, one number per example: −∞ outside of the support and at infinities, NaN for NaN. */
  readonly logProb: (params: Params) => (x: BatchOf<A>) => PerExample
  /** log p(x) in nats with batch statistics, and the parameters with their next statistics. */
  readonly train: (params: Params) => (x: BatchOf<A>) => readonly [logProb: PerExample, params: Params]
  /** −log p(x) / (D log 2), one number per example. */
  readonly bitsPerDim: (params: Params) => (x: BatchOf<A>) => PerExample
  /** `n` draws; a temperature below 1 draws nearer to the mode. */
  readonly sample: (params: Params) => (key: Key, n: number, temperature?: number) => BatchOf<A>
}

/**
 * Nats to bits per dimension: −log p / (D log 2).
 *
 * @example toBitsPerDim(-2 * Math.LN2, 2) // 1
 */
export const toBitsPerDim = (logProb: number, dimensions: number): number => -logProb / (dimensions * Math.LN2)

/**
 * The density of a bijector and a prior.
 *
 * @example
 * const moons = flow(compose(input([2]), coupling(halves(), mlp()), coupling(halves('second'), mlp())), standardNormal)
 * const params = moons.init(key(0))
 * moons.logProb(params)(x) // Tensor<['N']>, nats
 */
export const flow = <A extends Shape, B extends Latents, L = Bijector<A, B>>(
  bijector: L & OnlyBijector<L> & Bijector<A, B>,
  prior: Prior,
): Flow<A, B> => {
  expectKind('flow', 'a bijector', bijector, ['a bijector'], 'put a layer at a shape: on(shape, layer)')
  expectKind('flow', 'a prior', prior)
  // a bijector of bounded support handles infinities itself; others would turn them into NaN (0·∞, ∞ − ∞)
  const isGuarded = isBounded(bijector.support)
  const inside = (x: BatchOf<A>): BatchOf<A> => {
    floatSizesIn(bijector.name)(x)
    return (isGuarded ? x : clamp(REALS, x as AnyTensor)) as BatchOf<A>
  }
  const density = (x: BatchOf<A>, z: BatchOf<B>, logDet: PerExample): PerExample => {
    const logP = add(logDet)(prior.logProb(z))
    return isGuarded ? logP : add(logInside(REALS, x as AnyTensor))(logP)
  }
  const logProb: Flow<A, B>['logProb'] = (params) => (x) =>
    tidy(() => {
      const [z, logDet] = bijector.bind(params).forward(inside(x))
      return density(x, z, logDet)
    })
  return {
    bijector,
    prior,
    init: bijector.init,
    logProb,
    train: (params) => (x) =>
      tidy(() => {
        const [z, logDet, next] = bijector.train(params)(inside(x))
        return [density(x, z, logDet), next] as const
      }),
    bitsPerDim: (params) => (x) =>
      tidy(() => pipe(logProb(params)(x), times(-1 / (product(bijector.domain) * Math.LN2)))),
    sample:
      (params) =>
      (key, n, temperature = 1) =>
        tidy(() => bijector.bind(params).inverse(prior.sample(bijector.codomain, key, n, temperature))[0]),
  }
}
