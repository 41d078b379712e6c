/**
 * The functions of a flow as ONNX functions. Those of a conditional flow have an additional input, `given`, with a context
 * for each example.
 *
 *     density    x → log_prob, z0, z1, …, log_det          nats, in evaluation mode
 *     inverse    z0, z1, … → x, log_det
 *     sampler    n, temperature → x, log_prob, z0, z1, …   draws its random numbers in the model
 *
 * @module
 */
import type * as tf from '@tensorflow/tfjs-core'
import type { Latents, Shape } from '../../types/shape.js'
import type { OnnxFunction, OnnxSampler } from '../backends/onnxruntime/export.js'
import {
  type AnyConditionalFlow,
  type AnyFlow,
  baseParams,
  bijectorParams,
  densityOf,
  originOf,
} from '../distribution/flow.js'
import { checkParams } from '../tensor/check-params.js'
import { tidy } from '../tensor/ops.js'
import type { Params } from '../tensor/params.js'
import { latentList } from '../tensor/shape.js'
import { type AnyTensor, trust, unwrap } from '../tensor/tensor.js'

/** The files of a flow, and what the sampler computes from the latents that it drew. */
export interface OnnxFunctions {
  readonly density: OnnxFunction
  readonly inverse: OnnxFunction
  readonly sampler: OnnxSampler
  /** z0, z1, … → x, log_prob, z0, z1, …: to compare with the outputs of the sampler. */
  readonly fromLatents: OnnxFunction
}

/**
 * The functions of a flow or of a conditional flow, for `toOnnx` and `toOnnxSampler`.
 *
 * @example
 * const { density, sampler } = onnxFunctions(moons, params)
 * const files = [toOnnx(density), toOnnxSampler(sampler)]
 */
export const onnxFunctions = (of: AnyFlow | AnyConditionalFlow, params: Params): OnnxFunctions => {
  const { domain, codomain } = of.bijector as { readonly domain: Shape; readonly codomain: Latents }
  checkParams('onnxFunctions', of.spec, params)
  const latents = latentList(codomain).map((shape, i) => ({ name: `z${i}`, shape }))
  const names = latents.map(({ name }) => name)
  const contexts = 'given' in of ? [{ name: 'given', shape: of.bijector.context as Shape }] : []
  const parts = { bijector: bijectorParams(of, params), base: baseParams(of, params) }
  const density = densityOf(of.bijector, of.base)
  // the file of a flow at a context contains the context
  const fixed = originOf(of)?.given
  const contextIn = (inputs: readonly tf.Tensor[], place: number): AnyTensor | undefined =>
    inputs[place] === undefined ? fixed : trust(inputs[place])
  const trusted = (tensors: readonly tf.Tensor[]): readonly AnyTensor[] => tensors.map((t) => trust(t))
  /** x, log p(x) and the latents. */
  const from = (z: readonly AnyTensor[], given: AnyTensor | undefined): readonly tf.Tensor[] => {
    const { x, logProb } = density.to(parts, z, given)
    return [x, logProb, ...z].map(unwrap)
  }

  const noise = of.base.noise(codomain).map(({ kind, shape }, i) => ({ name: `noise${i}`, shape, noise: kind }))
  const tidied =
    <Args extends readonly unknown[]>(run: (...args: Args) => readonly tf.Tensor[]) =>
    (...args: Args): readonly tf.Tensor[] =>
      tidy(() => run(...args))
  return {
    density: {
      inputs: [{ name: 'x', shape: domain }, ...contexts],
      outputs: ['log_prob', ...names, 'log_det'],
      run: tidied((inputs: tf.Tensor[]) => {
        const { forward } = of.bijector.runs
        const { logProb, values, logDet } = density.from(forward, parts, trust(inputs[0]!), contextIn(inputs, 1))
        return [logProb, ...values, logDet].map(unwrap)
      }),
    },
    inverse: {
      inputs: [...latents, ...contexts],
      outputs: ['x', 'log_det'],
      run: tidied((inputs: tf.Tensor[]) => {
        const z = trusted(inputs.slice(0, names.length))
        const { x, logDet } = density.to(parts, z, contextIn(inputs, names.length))
        return [x, logDet].map(unwrap)
      }),
    },
    sampler: {
      inputs: [...noise, ...contexts],
      outputs: ['x', 'log_prob', ...names],
      run: tidied((inputs: tf.Tensor[], temperature: tf.Tensor) => {
        const given = contextIn(inputs, noise.length)
        const options = { temperature: trust<readonly ['N']>(temperature), given }
        return from(of.base.make(codomain, parts.base, trusted(inputs.slice(0, noise.length)), options), given)
      }),
    },
    fromLatents: {
      inputs: [...latents, ...contexts],
      outputs: ['x', 'log_prob', ...names],
      run: tidied((inputs: tf.Tensor[]) =>
        from(trusted(inputs.slice(0, names.length)), contextIn(inputs, names.length)),
      ),
    },
  }
}
