/**
 * A flow's functions as programs: the same names and the same numbers as the flow's own, each compiled by the engine
 * at its first use with a shape. What is drawn at random is drawn outside and goes in as an argument.
 *
 * @module
 */
import type { Latents, Shape } from '../../types/shape.js'
import { type Jitted, jit } from '../jit.js'
import type { Params } from '../tensor/params.js'
import type { Key } from '../tensor/random.js'
import { type AnyTensor, type BatchOf, latentTensors, type PerExample, unwrap } from '../tensor/tensor.js'
import type { Flow } from './flow.js'

/** A flow whose functions run on the engine as one program each. */
export interface CompiledFlow<A extends Shape, B extends Latents> {
  /** log p(x) in nats, one number per example. */
  readonly logProb: (params: Params) => (x: BatchOf<A>) => Promise<PerExample>
  /** −log p(x) / (D log 2), one number per example. */
  readonly bitsPerDim: (params: Params) => (x: BatchOf<A>) => Promise<PerExample>
  /** f(x) and its log-det, in evaluation mode. */
  readonly forward: (params: Params) => (x: BatchOf<A>) => Promise<readonly [z: BatchOf<B>, logDet: PerExample]>
  /** f⁻¹(z) and its log-det, in evaluation mode. */
  readonly inverse: (params: Params) => (z: BatchOf<B>) => Promise<readonly [x: BatchOf<A>, logDet: PerExample]>
  /** `n` draws; a temperature below 1 draws nearer to the mode. */
  readonly sample: (params: Params) => (key: Key, n: number, temperature?: number) => Promise<BatchOf<A>>
  /** Frees what was compiled. */
  readonly dispose: () => Promise<void>
}

const compile = <A extends Shape, B extends Latents>(flow: Flow<A, B>): CompiledFlow<A, B> => {
  // the parameters
  const steady = { steady: 1 }
  const logProb = jit((params: Params, x: BatchOf<A>) => flow.logProb(params)(x), steady)
  const bitsPerDim = jit((params: Params, x: BatchOf<A>) => flow.bitsPerDim(params)(x), steady)
  const forward = jit((params: Params, x: BatchOf<A>) => flow.bijector.bind(params).forward(x), steady)
  const inverse = jit((params: Params, z: BatchOf<B>) => flow.bijector.bind(params).inverse(z), steady)
  const generate = jit((params: Params, z: BatchOf<B>) => flow.bijector.bind(params).inverse(z)[0], steady)
  const all: readonly Jitted<never, unknown>[] = [logProb, bitsPerDim, forward, inverse, generate]
  return {
    logProb: (params) => (x) => logProb(params, x),
    bitsPerDim: (params) => (x) => bitsPerDim(params, x),
    forward: (params) => (x) => forward(params, x),
    inverse: (params) => (z) => inverse(params, z),
    sample:
      (params) =>
      async (key, n, temperature = 1) => {
        const z = flow.prior.sample(flow.bijector.codomain, key, n, temperature)
        try {
          return await generate(params, z)
        } finally {
          for (const part of latentTensors(z)) unwrap(part as AnyTensor).dispose()
        }
      },
    dispose: async () => {
      for (const one of all) await one.dispose()
    },
  }
}

const known = new WeakMap<object, unknown>()

/**
 * The compiled functions of a flow; the same ones at every call, so that nothing is compiled twice.
 *
 * @example
 * const nats = await compiled(moons).logProb(params)(x) // as moons.logProb(params)(x), faster
 */
export const compiled = <A extends Shape, B extends Latents>(flow: Flow<A, B>): CompiledFlow<A, B> => {
  const own = (known.get(flow) ?? compile(flow)) as CompiledFlow<A, B>
  known.set(flow, own)
  return own
}
