/**
 * What a law is: a pure predicate of a bijector at one draw of its parameters and inputs.
 *
 * @module
 */
import type { AnyBijector } from '../bijector/layer.js'
import type { Params } from '../tensor/params.js'
import type { Key } from '../tensor/random.js'
import type { AnyTensor } from '../tensor/tensor.js'
import type { Verdict } from './verdict.js'

/** What a bijector promises beyond the mandatory laws: each promise adds laws. */
export interface Claims {
  /** Which positions, by row-major index in the event, come out bit for bit as they went in: a coupling's mask. */
  readonly keeps?: (index: number) => boolean
  /** The results are the same numbers in another order: squeeze, factor-out. */
  readonly permutes?: boolean
  /** `start` makes the first batch come out with mean 0 and variance 1 in each channel: ActNorm. */
  readonly normalises?: boolean
  /** Where a flow of this bijector and the standard normal has all its mass, if it is of one or two dimensions. */
  readonly mass?: readonly [low: number, high: number]
  /** Values of an element at which a slope jumps, as that of a leaky ReLU does at 0: inputs are drawn at a distance from them. */
  readonly kinks?: readonly number[]
  /** Values at which everything must be finite: a hair inside the domain, far in the tails. Default the ends of it */
  readonly edges?: readonly number[]
}

/** One draw: three examples, parameters, and a key for whatever else is random. */
export interface Draw {
  readonly params: Params
  readonly x: AnyTensor
  readonly key: Key
  /** The error allowed, relative to the largest value. */
  readonly tolerance: number
  readonly claims: Claims
}

/** `mandatory` for every bijector; `optional` where it applies; `density` through a flow. */
export type Rank = 'mandatory' | 'optional' | 'density'

export interface Law {
  readonly rank: Rank
  /** Whether it says anything of this bijector; default true. */
  readonly applies?: (b: AnyBijector, claims: Claims) => boolean
  /** Costs many calls, so a quarter of the draws is enough. */
  readonly heavy?: boolean
  readonly holds: (b: AnyBijector, draw: Draw) => Verdict
}
