/**
 * The laws of bijectors, as properties to run on bijectors of one's own. With f the bijector at random parameters:
 *
 *     finite             f(x), log|det J| are finite
 *     inverse            f⁻¹(f(x)) = x,  f(f⁻¹(z)) = z,  the log-dets are opposite
 *     jacobian           logDetJacobian = log |det ∂f/∂x| of the dense Jacobian, both ways
 *     batch              one log-det per example; an example's answers do not depend on the rest of the batch
 *     shapes             the latents have the shapes of the codomain
 *     memory             a call leaves nothing behind but what it answers
 *
 * Needs the package fast-check, and an engine with gradients (`await ready('cpu')`).
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import fc from 'fast-check'
import type { AnyBijector } from '../bijector/layer.js'
import { key } from '../tensor/random.js'
import { showLatents } from '../tensor/shape.js'
import { type AnyTensor, latentTensors, trust, unwrap } from '../tensor/tensor.js'
import { denseLogDet, rows } from './jacobian.js'
import { randomBatch, randomParams } from './random.js'

export { denseLogDet } from './jacobian.js'
export { randomBatch, randomParams } from './random.js'

export interface LawOptions {
  /** Where inputs are drawn from: uniform on [low, high]. Default [−2, 2] */
  readonly domain?: readonly [number, number]
  /** The error allowed, relative to the largest value; gradients get ten times as much. Default 1e-4 */
  readonly tolerance?: number
  /** How many draws of parameters and inputs for each law. Default 8 */
  readonly runs?: number
  /** fast-check's seed, which a failure prints. */
  readonly seed?: number
}

/** What a law says about one draw: nothing, or what is wrong. */
export type Verdict = string | undefined
/** A law: a pure predicate of a bijector and the seed of its draws. */
export type Law = (b: AnyBijector, seed: number, options: Required<Omit<LawOptions, 'seed' | 'runs'>>) => Verdict

const apart = (what: string, got: ArrayLike<number>, expected: ArrayLike<number>, tolerance: number): Verdict => {
  if (got.length !== expected.length) return `${what}: expected ${expected.length} values, got ${got.length}`
  const size = Array.from(expected).reduce((a, b) => Math.max(a, Math.abs(b)), 1)
  const wrong = Array.from(expected).findIndex((e, i) => !(Math.abs(got[i]! - e) <= tolerance * size))
  return wrong < 0 ? undefined : `${what}: expected ${expected[wrong]}, got ${got[wrong]} (value ${wrong})`
}
const read = (z: unknown): number[] => latentTensors(z).flatMap((t) => [...unwrap(t).dataSync()])
const negated = (values: readonly number[]): readonly number[] => values.map((v) => -v)

const setUp = (b: AnyBijector, seed: number, n: number, domain: readonly [number, number]) =>
  [b.bind(randomParams(b.spec, key(seed))), randomBatch(b.domain, domain, n, key(seed + 1))] as const

/** The laws by name. */
export const laws: Readonly<Record<'finite' | 'inverse' | 'jacobian' | 'batch' | 'shapes' | 'memory', Law>> = {
  finite: (b, seed, { domain }) => {
    const [f, x] = setUp(b, seed, 3, domain)
    const [z, logDet] = f.forward(x)
    const answers = [...read(z), ...read(logDet)]
    const wrong = answers.find((v) => !Number.isFinite(v))
    return wrong === undefined ? undefined : `forward: expected finite values, got ${wrong}`
  },
  inverse: (b, seed, { domain, tolerance }) => {
    const [f, x] = setUp(b, seed, 2, domain)
    const [z, logDet] = f.forward(x)
    const [back, inverseLogDet] = f.inverse(z)
    return (
      apart('inverse(forward(x))', read(back), read(x), tolerance) ??
      apart('forward(inverse(z))', read(f.forward(back)[0]), read(z), tolerance) ??
      apart('log-det of the inverse', read(inverseLogDet), negated(read(logDet)), tolerance)
    )
  },
  jacobian: (b, seed, { domain, tolerance }) => {
    const [f, x] = setUp(b, seed, 1, domain)
    const [z, logDet] = f.forward(x)
    const loose = 10 * tolerance
    const dense = denseLogDet((v) => f.forward(v)[0], x)
    const wrong = apart('logDetJacobian against log |det J|', read(logDet), [dense], loose)
    if (wrong !== undefined || latentTensors(z).length > 1) return wrong
    const inverse = denseLogDet((v) => f.inverse(v as never)[0], z as unknown as AnyTensor)
    return apart('inverse log-det against log |det J|', read(f.inverse(z)[1]), [inverse], loose)
  },
  batch: (b, seed, { domain }) => {
    const [f, x] = setUp(b, seed, 3, domain)
    const [z, logDet] = f.forward(x)
    const [alone, aloneLogDet] = f.forward(trust(tf.slice(unwrap(x), 1, 1)))
    const middle = tf.slice(rows(z), [1, 0], [1, -1]).dataSync()
    return (
      apart('the shape of the log-det', unwrap(logDet).shape, [3], 0) ??
      apart('log-det of one example alone', read(aloneLogDet), [read(logDet)[1]!], 1e-5) ??
      apart('one example alone', rows(alone).dataSync(), middle, 1e-5)
    )
  },
  shapes: (b, seed, { domain }) => {
    const [f, x] = setUp(b, seed, 2, domain)
    const shapes = latentTensors(f.forward(x)[0]).map((t) => unwrap(t).shape.slice(1))
    const got = showLatents(shapes)
    return got === showLatents(b.codomain) ? undefined : `latents: expected ${showLatents(b.codomain)}, got ${got}`
  },
  memory: (b, seed, { domain }) => {
    const [f, x] = setUp(b, seed, 2, domain)
    const before = tf.memory().numTensors
    const [z, logDet] = f.forward(x)
    const [back, inverseLogDet] = f.inverse(z)
    const answers = new Set([...latentTensors(z), logDet, inverseLogDet, back].filter((t) => t !== x))
    return apart('tensors that are left', [tf.memory().numTensors - before], [answers.size], 0)
  },
}

const draws = fc.integer({ min: 0, max: 2 ** 31 - 2 })

/**
 * Runs one law on a bijector, or all of them, with random parameters and inputs.
 *
 * @throws Error that names the bijector, the law, both numbers and the seed that repeats it
 * @example
 * test('my bijector', () => checkLaws(on([4], mine), { domain: [0, 1] }))
 */
export const checkLaws = (
  b: AnyBijector,
  { domain = [-2, 2], tolerance = 1e-4, runs = 8, seed }: LawOptions = {},
  names: readonly (keyof typeof laws)[] = Object.keys(laws) as (keyof typeof laws)[],
): void => {
  for (const name of names) {
    const verdictOf = (draw: number): Verdict =>
      tf.tidy(() => ({ verdict: laws[name](b, draw, { domain, tolerance }) })).verdict
    const property = fc.property(draws, (draw) => verdictOf(draw) === undefined)
    const outcome = fc.check(property, seed === undefined ? { numRuns: runs } : { numRuns: runs, seed })
    if (!outcome.failed) continue
    const [draw = 0] = outcome.counterexample ?? []
    const why = verdictOf(draw) ?? String(outcome.errorInstance)
    throw new Error(`${b.name} breaks the law '${name}': ${why}; repeat it with { seed: ${outcome.seed} }`)
  }
}
