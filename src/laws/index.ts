/**
 * The laws of bijectors, to run on your own bijectors. There are two layers: pure predicates ({@link laws},
 * {@link categoryLaws}), and their bindings to fast-check ({@link checkLaws}, {@link checkCategory}). With f the bijector
 * at random parameters:
 *
 *     mandatory   finite            f(x) and log|det J| are finite
 *                 roundTrip         f⁻¹(f(x)) = x, f(f⁻¹(z)) = z
 *                 oppositeLogDets   log|det J of f⁻¹| at f(x) = −log|det J of f| at x
 *                 jacobian          each log-det = log|det| of the dense Jacobian
 *                 perExample        one log-det per example, independent of the rest of the batch
 *                 batch             a batch = its examples one by one
 *                 shapes            the latents have the shapes of the codomain, which the compiler knows
 *                 memory            a call leaves no tensors behind but its results
 *                 support           outside of the support log|det J| is −∞, in both directions; log p is −∞ there and
 *                                   at infinities, NaN for NaN; other examples and all gradients are untouched
 *     optional    keeps, permutes   what a mask keeps is the same bit for bit; a permutation keeps the sorted values
 *                 starts            the data-dependent start gives mean 0 and variance 1
 *                 checkpoint        parameters survive a file, with the outputs and that they have started
 *                 training          training and evaluation agree once the statistics are at rest
 *                 gradients         exist for every parameter and input, are finite, agree with differences
 *                 edges             everything is finite at the ends of the domain and in the tails
 *     density     mass, samples     the density integrates to 1; samples agree with it
 *                 bits              bits/dim of a noisy integer bound −log₂ of its probability
 *     category    identity, associativity, logDetsAdd, reverse   of random compositions
 *
 * Needs the package fast-check, and an engine with gradients (`await ready('cpu')`).
 *
 * @module
 */
export type { CategoryLaw, Chain } from './category.js'
export {
  categoryLaws,
  checkCategory,
  checkLaws,
  interval,
  type LawName,
  type LawOptions,
  laws,
  lawsOf,
  type Part,
} from './check.js'
export { denseLogDet } from './jacobian.js'
export type { Claims, Draw, Law, Rank } from './law.js'
export { randomBatch, randomParams } from './random.js'
export type { Verdict, Violation } from './verdict.js'
