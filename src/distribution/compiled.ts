/**
 * The functions of a flow as programs, with the same names and results. The engine compiles each at its first use with a
 * shape. Random numbers are drawn outside the programs and passed in.
 *
 * @module
 */
import type { Latents, Shape } from '../../types/shape.js'
import { expectKind } from '../bijector/arguments.js'
import { jit } from '../jit.js'
import type { Params } from '../tensor/params.js'
import type { Key } from '../tensor/random.js'
import { type AnyTensor, type BatchOf, latentTensors, type PerExample, unwrap } from '../tensor/tensor.js'
import type { Flow } from './flow.js'
import { padded } from './padded.js'

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
  /** Frees the compiled programs. */
  readonly dispose: () => Promise<void>
}

const compile = <A extends Shape, B extends Latents>(flow: Flow<A, B>): CompiledFlow<A, B> => {
  // `steady: 1`: the first argument, the parameters, is the same in many calls
  const perExample = <X, R>(f: (params: Params, x: X) => R) => padded(jit(f, { steady: 1 }))
  const logProb = perExample((params, x: BatchOf<A>) => flow.logProb(params)(x))
  const bitsPerDim = perExample((params, x: BatchOf<A>) => flow.bitsPerDim(params)(x))
  const forward = perExample((params, x: BatchOf<A>) => flow.bijector.bind(params).forward(x))
  const inverse = perExample((params, z: BatchOf<B>) => flow.bijector.bind(params).inverse(z))
  const generate = perExample((params, z: BatchOf<B>) => flow.bijector.bind(params).inverse(z)[0])
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
      for (const { dispose } of [logProb, bitsPerDim, forward, inverse, generate]) await dispose()
    },
  }
}

const compiledFlows = new WeakMap<object, unknown>()

/**
 * The compiled functions of a flow. Every call for the same flow returns the same functions, so that nothing is compiled
 * twice. The first eight batch sizes of each function have their own programs. Batches of other sizes are padded to the
 * next power of two, so that ever new sizes need few programs; padding does not change results.
 *
 * @example
 * const nats = await compiled(moons).logProb(params)(x) // equals moons.logProb(params)(x), but is faster
 */
export const compiled = <A extends Shape, B extends Latents>(flow: Flow<A, B>): CompiledFlow<A, B> => {
  expectKind('compiled', 'a density', flow, ['a density'], 'make one: flow(bijector, prior)')
  // the functions stored for a flow have the shapes of that flow
  const functions = (compiledFlows.get(flow) ?? compile(flow)) as CompiledFlow<A, B>
  compiledFlows.set(flow, functions)
  return functions
}
