/**
 * The functions of a flow as ONNX functions. Those of a conditional flow have one input more, `given`, with a context for
 * each example.
 *
 *     density    x → log_prob, z0, z1, …, log_det          nats, in evaluation mode
 *     inverse    z0, z1, … → x, log_det
 *     sampler    n, temperature → x, log_prob, z0, z1, …   draws its random numbers in the model
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import type { Latents, Shape } from '../../types/shape.js'
import type { OnnxFunction, OnnxSampler } from '../backends/onnxruntime/export.js'
import { clamp, isBounded, logInside, REALS } from '../bijector/support.js'
import { type AnyConditionalFlow, type AnyFlow, baseParams, bijectorParams, type Flow } from '../distribution/flow.js'
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
  const { domain, codomain, support } = of.bijector as { domain: Shape; codomain: Latents; support: typeof REALS }
  const latents = latentList(codomain).map((shape, i) => ({ name: `z${i}`, shape }))
  const names = latents.map(({ name }) => name)
  const contexts = 'given' in of ? [{ name: 'given', shape: of.bijector.context as Shape }] : []
  const [own, ofBase] = [bijectorParams(of, params), baseParams(of, params)]
  const at = (given: tf.Tensor | undefined): Flow<Shape, Latents> => ('given' in of ? of.given(trust(given!)) : of)
  const trusted = (tensors: readonly tf.Tensor[]): readonly AnyTensor[] => tensors.map((t) => trust(t))

  const forward = (x: AnyTensor, given: tf.Tensor | undefined) => {
    const { runs } = at(given).bijector
    const inside = isBounded(support) ? x : clamp(REALS, x)
    const { values, logDet } = runs.forward({ params: own, values: [inside] })
    const base = unwrap(of.base.logProb(ofBase, values, given && trust(given)))
    const logProb = tf.add(base, unwrap(logDet))
    return { logProb: isBounded(support) ? logProb : tf.add(logProb, unwrap(logInside(REALS, x))), values, logDet }
  }
  const inverse = (z: readonly AnyTensor[], given: tf.Tensor | undefined) => {
    const { values, logDet } = at(given).bijector.runs.inverse({ params: own, values: z })
    return { x: unwrap(values[0]!), logDet: unwrap(logDet) }
  }
  const drawn = (z: readonly AnyTensor[], given: tf.Tensor | undefined): readonly tf.Tensor[] => {
    const { x, logDet } = inverse(z, given)
    const base = unwrap(of.base.logProb(ofBase, z, given && trust(given)))
    return [x, tf.sub(base, logDet), ...z.map(unwrap)]
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
      run: tidied(([x, given]: tf.Tensor[]) => {
        const { logProb, values, logDet } = forward(trust(x!), given)
        return [logProb, ...values.map(unwrap), unwrap(logDet)]
      }),
    },
    inverse: {
      inputs: [...latents, ...contexts],
      outputs: ['x', 'log_det'],
      run: tidied((inputs: tf.Tensor[]) => {
        const { x, logDet } = inverse(trusted(inputs.slice(0, names.length)), inputs[names.length])
        return [x, logDet]
      }),
    },
    sampler: {
      inputs: [...noise, ...contexts],
      outputs: ['x', 'log_prob', ...names],
      run: tidied((inputs: tf.Tensor[], temperature: tf.Tensor) => {
        const given = inputs[noise.length]
        const options = { temperature: trust<readonly ['N']>(temperature), given: given && trust<Shape>(given) }
        return drawn(of.base.make(codomain, ofBase, trusted(inputs.slice(0, noise.length)), options), given)
      }),
    },
    fromLatents: {
      inputs: [...latents, ...contexts],
      outputs: ['x', 'log_prob', ...names],
      run: tidied((inputs: tf.Tensor[]) => drawn(trusted(inputs.slice(0, names.length)), inputs[names.length])),
    },
  }
}
