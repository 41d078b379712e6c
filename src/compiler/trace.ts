/**
 * Tracing: a backend of TensorFlow.js whose kernels compute nothing. They infer the shapes of their results and record
 * themselves. Gradients and optimisers are made of kernels, so they are recorded like anything else.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import { DiffeoException, engineError } from '../error.js'
import { requireEngine } from '../missing-engine.js'
import { messageOf } from '../thrown.js'
import { isTracing, TRACING } from '../tracing.js'
import type { Attributes } from './call.js'
import { type Operation, operations, type Traced } from './operations.js'
import { PassiveBackend } from './passive-backend.js'
import { type Call, type Elements, elements, type Program, type ProgramType, type ValueInfo } from './program.js'

const refuse = (op: string, expected: string, got: string, fix: string): never => {
  throw new DiffeoException(engineError(op, expected, got, fix))
}

/** What is being recorded. */
interface Recording {
  readonly values: ValueInfo[]
  readonly constants: Map<number, Elements>
  readonly calls: Call[]
  /** The number of each piece of data that belongs to this recording. */
  readonly numbers: WeakMap<object, number>
}

let recording: Recording | undefined

const current = (): Recording =>
  recording ?? refuse('jit', 'a tensor with a value', 'one that was kept from a trace', 'return it from the function')

const fresh = (info: ValueInfo): { readonly dataId: object; readonly number: number } => {
  const { values, numbers } = current()
  const dataId = {}
  const number = values.push(info) - 1
  numbers.set(dataId, number)
  return { dataId, number }
}

const constant = (data: Elements, info: ValueInfo): { readonly dataId: object; readonly number: number } => {
  const made = fresh(info)
  current().constants.set(made.number, data)
  return made
}

class TraceBackend extends PassiveBackend {
  override write(values: tf.BackendValues, shape: number[], dtype: tf.DataType): object {
    const info = { shape, dtype: dtype as ProgramType }
    return constant(elements(info.dtype, values as Float32Array), info).dataId
  }
  override readSync(dataId: object): tf.BackendValues {
    const { constants, numbers } = current()
    const data = constants.get(numbers.get(dataId) ?? -1)
    return (
      data ??
      refuse(
        'jit',
        'a function whose values are not looked at while it is traced',
        'one that reads a value',
        'return the tensor and read it outside, or pass the value as an argument',
      )
    )
  }
  override disposeData(): boolean {
    return true
  }
  override refCount(): number {
    return 1
  }
  override incRef(): void {}
  override numDataIds(): number {
    return 0
  }
}

/** What a tensor from outside holds. In Node, WebGPU cannot tell at once what it has computed. */
const contentOf = ({ dataId }: tf.TensorInfo): Float32Array => {
  try {
    return tf.engine().readSync(dataId) as Float32Array
  } catch (thrown) {
    if (thrown instanceof DiffeoException) throw thrown
    return refuse(
      'jit',
      'outer tensors with values at hand',
      'one that cannot be read at once',
      'pass it as an argument',
    )
  }
}

/** The number of a tensor. One that was made outside becomes a constant: what it holds now is what it will be. */
const numberOf = (tensor: tf.TensorInfo): number => {
  const { dataId, shape, dtype } = tensor
  const { numbers } = current()
  const known = numbers.get(dataId)
  if (known !== undefined) return known
  const info = { shape, dtype: dtype as ProgramType }
  const { number } = constant(elements(info.dtype, contentOf(tensor)), info)
  numbers.set(dataId, number)
  return number
}

const record =
  (kernel: Traced): tf.KernelFunc =>
  ({ inputs, attrs, backend }) => {
    const { inputs: names } = operations[kernel]
    const tensors =
      names === 'list'
        ? // typed as a record, but a list for kernels of any number of inputs
          (Object.values(inputs) as tf.TensorInfo[])
        : names.map((n) => (inputs as tf.NamedTensorInfoMap)[n]!)
    const [x] = tensors
    if (kernel === 'Mean' && x!.dtype !== 'float32') {
      // a mean of integers is none
      const cast = record('Cast')({ inputs: { x: x! }, attrs: { dtype: 'float32' }, backend }) as tf.TensorInfo
      return record(kernel)({ inputs: { x: cast }, attrs: attrs!, backend })
    }
    const results = recordCall(kernel, tensors.map(numberOf), attrs ?? {})
    return results.length === 1 && kernel !== 'SplitV' && kernel !== 'Unpack' ? results[0]! : results
  }

const recordCall = <K extends Traced>(kernel: K, inputs: readonly number[], raw: tf.NamedAttrMap): tf.TensorInfo[] => {
  const { calls, values } = current()
  // indexed by a type parameter, the table has the type of that entry
  const { normalise, infer } = operations[kernel] as Operation<Attributes[K]>
  const infos = inputs.map((v) => values[v]!)
  const attrs = normalise(raw, infos)
  const results = infer(infos, attrs).map((info) => ({ ...info, ...fresh(info) }))
  const outputs = results.map(({ number }) => number)
  // `callOf` would ask whether the attributes may be left out, which is unknown for a type parameter
  calls.push({ kernel, inputs, attrs, outputs } as unknown as Call)
  return results.map(({ dataId, shape, dtype }) => ({ dataId, shape: [...shape], dtype }))
}

const register = (): void => {
  if (tf.findBackend(TRACING) !== null) return
  tf.registerBackend(TRACING, () => new TraceBackend(), 0)
  for (const kernelName of Object.keys(operations) as readonly Traced[])
    tf.registerKernel({ kernelName, backendName: TRACING, kernelFunc: record(kernelName) })
}

const unknownKernel = /Kernel '(\w+)' not registered/

/**
 * Runs `f` once on tensors without values and returns what it did. A tensor that `f` finds outside becomes a constant.
 *
 * @throws DiffeoException if `f` reads a value, or calls an operation that cannot be traced
 * @throws whatever `f` throws
 */
export const trace = (f: (inputs: tf.Tensor[]) => readonly tf.Tensor[], inputs: readonly ValueInfo[]): Program => {
  if (isTracing()) refuse('jit', 'a function that is not being traced', 'a jit inside a jit', 'call the plain function')
  requireEngine()
  const before = tf.getBackend()
  const own: Recording = { values: [], constants: new Map(), calls: [], numbers: new WeakMap() }
  recording = own
  try {
    register()
    // it returns a promise, but has set the backend by then
    tf.setBackend(TRACING)
    let outputs: readonly number[] = []
    tf.tidy(() => {
      const given = inputs.map((info) => {
        const { shape, dtype } = info
        return tf.engine().makeTensorFromTensorInfo({ dataId: fresh(info).dataId, shape: [...shape], dtype })
      })
      outputs = f(given).map(numberOf)
    })
    const { values, constants, calls } = own
    return { values, inputs: inputs.map((_, i) => i), constants, calls, outputs }
  } catch (thrown) {
    const unknown = unknownKernel.exec(messageOf(thrown))?.[1]
    if (unknown === undefined) throw thrown
    return refuse('jit', 'operations that can be traced', `'${unknown}'`, 'call it outside the function')
  } finally {
    recording = undefined
    tf.setBackend(before)
  }
}
