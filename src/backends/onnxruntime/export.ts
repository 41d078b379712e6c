/**
 * Functions of tensors as ONNX files for other programs: operators of ONNX alone (opset 21), and a batch of any size.
 *
 * @module
 */
import type * as tf from '@tensorflow/tfjs-core'
import { trace } from '../../compiler/trace.js'
import { lowerProgram } from './lower/program.js'

/** Stands for the batch while the function is traced: a prime that no other size is a multiple of. */
const BATCH = 7919

/** A function's inputs: names, and the shapes of one example each; the names of its outputs. */
export interface OnnxFunction {
  readonly inputs: readonly { readonly name: string; readonly shape: readonly number[] }[]
  readonly outputs: readonly string[]
  readonly run: (inputs: tf.Tensor[]) => readonly tf.Tensor[]
}

const write = ({ inputs, outputs, run }: OnnxFunction, drawn: boolean): Uint8Array => {
  const infos = inputs.map(({ shape }) => ({ shape: [BATCH, ...shape], dtype: 'float32' as const }))
  const portable = { batch: BATCH, inputs: inputs.map(({ name }) => name), outputs, drawn }
  return lowerProgram(trace(run, infos), { portable }).encode()
}

/**
 * The bytes of an ONNX model. What the function finds outside its arguments, its parameters for instance, is stored in
 * the model. Every input and output has the batch first, channels last.
 *
 * @example
 * const logProb = toOnnx({ inputs: [{ name: 'x', shape: [2] }], outputs: ['y'], run: ([x]) => [tf.sum(x!, 1)] })
 * @throws DiffeoException if the function cannot be traced
 */
export const toOnnx = (f: OnnxFunction): Uint8Array => write(f, false)

/**
 * The same, of a model that draws what the function takes: its inputs are `n`, how many examples (int64), and
 * `temperature`, by which standard normals are multiplied (float32), both scalars. The seed is the runtime's. So the
 * latents are those of the prior `standardNormal`; of another prior they have to be made of normals in the function.
 *
 * @example
 * const draw = toOnnxSampler({ inputs: [{ name: 'z', shape: [2] }], outputs: ['x', 'z'], run: ([z]) => [tf.exp(z!), z!] })
 * @throws DiffeoException if the function cannot be traced
 */
export const toOnnxSampler = (f: OnnxFunction): Uint8Array => write(f, true)
