/**
 * The functions of a flow as programs, with the same names and results. The engine compiles each at its first use with a
 * shape. Random numbers are drawn outside the programs and passed in.
 *
 * @module
 */
import type { Latents, Shape } from '../../types/shape.js'
import { expectKind } from '../bijector/arguments.js'
import { jit } from '../jit.js'
import { checkParams } from '../tensor/check-params.js'
import type { Params } from '../tensor/params.js'
import type { Key } from '../tensor/random.js'
import { type AnyTensor, type BatchOf, type PerExample, unwrap } from '../tensor/tensor.js'
import { drawNoise, temperatures } from './base.js'
import {
  type AnyConditionalFlow,
  type AnyFlow,
  bijectorParams,
  type ConditionalFlow,
  type Flow,
  originOf,
} from './flow.js'
import { type Examples, padded } from './padded.js'

/** The functions of a flow, each as one program of the engine. */
export interface CompiledFunctions<A extends Shape, B extends Latents> {
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
}

interface Disposable {
  /** Frees the compiled programs. */
  readonly dispose: () => Promise<void>
}

/** A flow whose functions run on the engine as one program each. */
export interface CompiledFlow<A extends Shape, B extends Latents> extends CompiledFunctions<A, B>, Disposable {}

/** The same for a conditional flow. Contexts are arguments of the programs, so new contexts need no new program. */
export interface CompiledConditionalFlow<A extends Shape, C extends Shape, B extends Latents> extends Disposable {
  /** The functions at contexts: one for all examples, or one for each. */
  readonly given: (context: BatchOf<C>) => CompiledFunctions<A, B>
}

interface Draw {
  readonly noise: readonly AnyTensor[]
  readonly temperature?: PerExample | undefined
}

/** The functions of a flow, or of a conditional flow at any contexts. */
const compile = (of: AnyFlow | AnyConditionalFlow) => {
  // `steady: 1`: the first argument, the parameters, is the same in many calls
  const perExample = <X, R>(f: (flow: Flow<Shape, Latents>, params: Params, x: X) => R) =>
    padded(
      jit(
        (params: Params, { x, given }: Examples<X>) =>
          f('given' in of ? of.given(given!) : (of as Flow<Shape, Latents>), params, x),
        { steady: 1 },
      ),
    )
  const programs = {
    logProb: perExample((flow, params, x: BatchOf<Shape>) => flow.logProb(params)(x)),
    bitsPerDim: perExample((flow, params, x: BatchOf<Shape>) => flow.bitsPerDim(params)(x)),
    forward: perExample((flow, params, x: BatchOf<Shape>) =>
      flow.bijector.bind(bijectorParams(flow, params)).forward(x),
    ),
    inverse: perExample((flow, params, z: BatchOf<Latents>) =>
      flow.bijector.bind(bijectorParams(flow, params)).inverse(z),
    ),
    make: perExample((flow, params, { noise, temperature }: Draw) => flow.make(params)(noise, temperature)[0]),
  }
  /** A function of parameters that rejects those of another flow before anything is compiled or drawn. */
  const checked =
    <Args extends readonly unknown[], R>(f: (params: Params, ...args: Args) => Promise<R>) =>
    (params: Params) =>
    async (...args: Args): Promise<R> => {
      checkParams(of.bijector.name, of.spec, params)
      return f(params, ...args)
    }
  const functions = (given?: AnyTensor): CompiledFunctions<Shape, Latents> => ({
    logProb: checked((params, x) => programs.logProb(params, { x, given })),
    bitsPerDim: checked((params, x) => programs.bitsPerDim(params, { x, given })),
    forward: checked((params, x) => programs.forward(params, { x, given })),
    inverse: checked((params, z) => programs.inverse(params, { x: z, given })),
    sample: checked(async (params, key: Key, n: number, temperature: number = 1) => {
      const at = temperatures(temperature, n)
      const noise = drawNoise(of.base, of.bijector.codomain, key, n)
      try {
        return await programs.make(params, { x: { noise, temperature: at }, given })
      } finally {
        for (const part of at === undefined ? noise : [...noise, at]) unwrap(part).dispose()
      }
    }),
  })
  const dispose = async (): Promise<void> => {
    for (const { dispose } of Object.values(programs)) await dispose()
  }
  return 'given' in of ? { given: functions, dispose } : { ...functions(), dispose }
}

type AnyCompiled = ReturnType<typeof compile>
const compiledFlows = new WeakMap<object, AnyCompiled>()

/**
 * The compiled functions of a flow. Every call for the same flow returns the same functions, so that nothing is compiled
 * twice. The first eight batch sizes of each function have their own programs. Batches of other sizes are padded to the
 * next power of two, so that many sizes need few programs; padding does not change results. Contexts of a conditional
 * flow are arguments of the programs.
 *
 * @example
 * const nats = await compiled(moons).logProb(params)(x) // equals moons.logProb(params)(x), but is faster
 */
export function compiled<A extends Shape, B extends Latents>(flow: Flow<A, B>): CompiledFlow<A, B>
export function compiled<A extends Shape, C extends Shape, B extends Latents>(
  flow: ConditionalFlow<A, C, B>,
): CompiledConditionalFlow<A, C, B>
export function compiled(flow: AnyFlow | AnyConditionalFlow): unknown {
  expectKind('compiled', 'a density', flow, ['a density'], 'make one: flow(bijector, base)')
  const origin = originOf(flow)
  if (origin !== undefined) {
    const { given, dispose } = compiled(origin.of)
    return { ...given(origin.given), dispose }
  }
  const functions = compiledFlows.get(flow) ?? compile(flow)
  compiledFlows.set(flow, functions)
  return functions
}
