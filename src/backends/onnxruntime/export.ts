/**
 * Functions of tensors as ONNX files for other programs. They use only operators of ONNX (opset 21) and accept a batch of
 * any size.
 *
 * @module
 */
import type * as tf from '@tensorflow/tfjs-core'
import { Tensor } from '@tensorflow/tfjs-core'
import { trace } from '../../compiler/trace.js'
import { DiffeoException, usageError } from '../../error.js'
import { lowerProgram } from './lower/program.js'

/** A size of the batch while the function is traced: the first prime that no size of the inputs is a multiple of. */
const batchFor = (shapes: readonly (readonly number[])[]): number =>
  [7919, 7907, 7901, 7883].find((p) => shapes.every((shape) => shape.every((size) => size === 0 || size % p !== 0)))!

/** An input: its name, and the shape of one example. */
export interface OnnxInput {
  readonly name: string
  readonly shape: readonly number[]
}

/** A function's inputs; the names of its outputs. */
export interface OnnxFunction {
  readonly inputs: readonly OnnxInput[]
  readonly outputs: readonly string[]
  readonly run: (inputs: tf.Tensor[]) => readonly tf.Tensor[]
}

/** A function of random numbers, which the model draws, and of other inputs. */
export interface OnnxSampler {
  /** Which of them are drawn, standard normals or uniforms in [0, 1); the others are inputs of the model. */
  readonly inputs: readonly (OnnxInput & { readonly noise?: 'normal' | 'uniform' })[]
  readonly outputs: readonly string[]
  /** The temperature is a vector of one number for each example. */
  readonly run: (inputs: tf.Tensor[], temperature: tf.Tensor) => readonly tf.Tensor[]
}

const isName = (u: unknown): boolean => typeof u === 'string' && u !== ''

/** Refuses what would make an invalid model, or one with other outputs than those named. */
const checkNames = (op: string, { inputs, outputs }: Pick<OnnxSampler, 'inputs' | 'outputs'>, draws: boolean): void => {
  const lists = Array.isArray(inputs) && Array.isArray(outputs)
  if (!lists || !inputs.every((input) => isName(input?.name)) || !outputs.every(isName))
    throw new DiffeoException(usageError(op, 'inputs and outputs with names', 'unnamed ones', 'name each of them'))
  const isSize = (n: number): boolean => Number.isSafeInteger(n) && n >= 0
  const wrong = inputs.find(({ shape }) => !Array.isArray(shape) || !shape.every(isSize))
  if (wrong !== undefined)
    throw new DiffeoException(usageError(op, `a shape of whole numbers for '${wrong.name}'`, `${wrong.shape}`))
  const notDrawn = inputs.filter(({ noise }) => noise === undefined).map(({ name }) => name)
  const names = [...(draws ? ['n', 'temperature'] : []), ...notDrawn, ...outputs]
  const twice = names.find((name, i) => names.indexOf(name) !== i)
  if (twice !== undefined) throw new DiffeoException(usageError(op, 'names that differ', `'${twice}' twice`))
}

/** The results of a function, one tensor for each name. */
const resultsOf = (op: string, results: unknown, outputs: readonly string[]): readonly tf.Tensor[] => {
  if (!Array.isArray(results) || !results.every((result) => result instanceof Tensor)) {
    const got = `one that returns ${results instanceof Tensor ? 'a tensor' : typeof results}`
    throw new DiffeoException(usageError(op, 'a function that returns a list of tensors', got))
  }
  if (results.length !== outputs.length)
    throw new DiffeoException(usageError(op, `${outputs.length} results, one for each name`, `${results.length}`))
  return results
}

/** A size of the batch that no size of the inputs is a multiple of, and the inputs with it. */
const batched = (inputs: readonly OnnxInput[]) => {
  const batch = batchFor(inputs.map(({ shape }) => shape))
  return { batch, infos: inputs.map(({ shape }) => ({ shape: [batch, ...shape], dtype: 'float32' as const })) }
}

/**
 * The bytes of an ONNX model. What the function finds outside its arguments, its parameters for instance, is stored in
 * the model. Every input and output has the batch first, channels last.
 *
 * @example
 * const logProb = toOnnx({ inputs: [{ name: 'x', shape: [2] }], outputs: ['y'], run: ([x]) => [tf.sum(x!, 1)] })
 * @throws DiffeoException if the function cannot be traced, does not return a list of tensors, one for each name of an
 *   output, or if two names are equal
 */
export const toOnnx = ({ inputs, outputs, run }: OnnxFunction): Uint8Array => {
  checkNames('toOnnx', { inputs, outputs }, false)
  const { batch, infos } = batched(inputs)
  const program = trace((tensors) => resultsOf('toOnnx', run(tensors), outputs), infos)
  return lowerProgram(program, { portable: { batch, inputs: inputs.map(({ name }) => name), outputs } }).encode()
}

/**
 * Like {@link toOnnx}, of a model that draws the random numbers of the function itself. The model has two scalar inputs, `n`
 * (int64), the number of examples, and `temperature` (float32), beside the inputs of the function that are not drawn. The
 * runtime chooses the seed.
 *
 * @example
 * const draw = toOnnxSampler({
 *   inputs: [{ name: 'z', shape: [2], noise: 'normal' }],
 *   outputs: ['x'],
 *   run: ([z], temperature) => [tf.exp(tf.mul(z!, tf.expandDims(temperature, 1)))],
 * })
 * @throws DiffeoException if the function cannot be traced, does not return a list of tensors, one for each name of an
 *   output, or if two names are equal
 */
export const toOnnxSampler = ({ inputs, outputs, run }: OnnxSampler): Uint8Array => {
  checkNames('toOnnxSampler', { inputs, outputs }, true)
  const { batch, infos } = batched(inputs)
  const program = trace(
    (tensors) => resultsOf('toOnnxSampler', run(tensors.slice(0, -1), tensors.at(-1)!), outputs),
    [...infos, { shape: [batch], dtype: 'float32' as const }],
  )
  const drawn = [...inputs.map(({ noise }) => noise), 'temperature' as const]
  return lowerProgram(program, { portable: { batch, inputs: inputs.map(({ name }) => name), outputs, drawn } }).encode()
}
