/**
 * Sums of images scaled by channel, as one call. Batch norms, biases, residual connections and their gradients are all
 *
 *     y = act(Σₖ sₖ ⊙ xₖ + b + conv(x, w))
 *
 * with vectors sₖ and b over channels: one pass over memory for each term, instead of one for every operation. A
 * convolution takes bias, sum and ReLU on the way. And Σ a ⊙ b over batch and positions is a `ChannelDot`, which needs
 * no product in memory.
 *
 * The pass brings in two kernels that TensorFlow.js does not have, so only an engine that knows them runs it.
 *
 * @module
 */
import type * as tf from '@tensorflow/tfjs-core'
import { axesOf, convolutions } from '../operations.js'
import { type Call, type Elements, isByChannel, type Program, sizeOf, useCounts, type ValueInfo } from '../program.js'
import { dropUnused } from './simplify.js'

/** The attributes of an `Affine`: what its inputs are, by their place among them. */
interface Affine {
  readonly terms: readonly { readonly x: number; readonly s: number | undefined }[]
  readonly bias: number | undefined
  /** A convolution, or the gradient of one by its input: its own call, with the places of its inputs. */
  readonly conv: Call | undefined
  readonly relu: boolean
}

/** The attributes of a call of `Affine`. */
export const affineOf = ({ attrs }: Call): Affine => attrs as unknown as Affine

interface Term {
  readonly x: number
  readonly s: number | undefined
}

/** A value that is not made yet. */
interface Form {
  readonly terms: readonly Term[]
  readonly bias: number | undefined
  readonly conv: Call | undefined
}

const absorbing = new Set(['Add', 'Sub', 'Multiply', 'Neg', 'Relu'])

/** The program with sums and products by channel gathered, for images whose channels are a multiple of `block`. */
export const gatherAffine = (program: Program, block: number): Program => {
  const values: ValueInfo[] = [...program.values]
  const constants = new Map<number, Elements>(program.constants)
  const calls: Call[] = []
  const uses = useCounts(program)
  const users = new Map<number, Call>(program.calls.flatMap((c) => c.inputs.map((v) => [v, c] as const)))
  const outputs = new Set(program.outputs)
  const forms = new Map<number, Form>()
  const products = new Map<number, readonly [number, number]>()

  const shape = (v: number): readonly number[] => values[v]!.shape
  const isImage = (v: number): boolean => {
    const s = shape(v)
    return s.length === 4 && s[3]! % block === 0 && values[v]!.dtype === 'float32'
  }
  const alike = (a: number, b: number): boolean => shape(a).join() === shape(b).join()
  /** One number for each channel of an image, or one for all. */
  const byChannel = (v: number, image: number): boolean => sizeOf(shape(v)) === 1 || isByChannel(shape(v), shape(image))

  // -----------------------------------------------------------------------------------
  // small vectors
  // -----------------------------------------------------------------------------------

  const number = (value: number): number => {
    const v = values.push({ shape: [], dtype: 'float32' }) - 1
    constants.set(v, Float32Array.of(value))
    return v
  }
  const small = (kernel: string, inputs: readonly number[]): number => {
    const wide = inputs.reduce((a, b) => (sizeOf(shape(b)) > sizeOf(shape(a)) ? b : a))
    const v = values.push({ shape: [sizeOf(shape(wide))], dtype: 'float32' }) - 1
    // a scalar has to become a vector of one: the shapes of all that is small are lists of one size
    const flat = inputs.map((u) => {
      if (shape(u).length === 1) return u
      const w = values.push({ shape: [sizeOf(shape(u))], dtype: 'float32' }) - 1
      calls.push({ kernel: 'Reshape', inputs: [u], attrs: { shape: [sizeOf(shape(u))] }, outputs: [w] })
      return w
    })
    calls.push({ kernel, inputs: flat, attrs: {}, outputs: [v] })
    return v
  }
  const times = (a: number | undefined, b: number): number => (a === undefined ? b : small('Multiply', [a, b]))
  const plus = (a: number | undefined, b: number | undefined): number | undefined =>
    a === undefined ? b : b === undefined ? a : small('Add', [a, b])

  // -----------------------------------------------------------------------------------
  // forms
  // -----------------------------------------------------------------------------------

  const emit = ({ terms, bias, conv }: Form, out: number, relu = false): void => {
    const inputs: number[] = []
    const place = (v: number): number => inputs.push(v) - 1
    const attrs: Affine = {
      terms: terms.map(({ x, s }) => ({ x: place(x), s: s === undefined ? undefined : place(s) })),
      bias: bias === undefined ? undefined : place(bias),
      conv: conv === undefined ? undefined : { ...conv, inputs: conv.inputs.map(place), outputs: [out] },
      relu,
    }
    calls.push({ kernel: 'Affine', inputs, attrs: attrs as unknown as tf.NamedAttrMap, outputs: [out] })
  }
  const opaque = (x: number): Form => ({ terms: [{ x, s: undefined }], bias: undefined, conv: undefined })
  /** x + b: later sums take x in its place, so that a centred image need not be kept for the backward pass. */
  const isShift = ({ terms, conv }: Form): boolean =>
    conv === undefined && terms.length === 1 && terms[0]?.s === undefined
  const formOf = (v: number): Form => forms.get(v) ?? opaque(v)
  /** The same value, made here. */
  const make = (form: Form, like: number): Form => {
    const v = values.push(values[like]!) - 1
    emit(form, v)
    return opaque(v)
  }
  const added = (a: Form, b: Form, like: number): Form => {
    const first = a.conv !== undefined && b.conv !== undefined ? make(a, like) : a
    return {
      terms: [...first.terms, ...b.terms],
      bias: plus(first.bias, b.bias),
      conv: first.conv ?? b.conv,
    }
  }
  const scaled = (form: Form, by: number, like: number): Form => {
    const { terms, bias } = form.conv === undefined ? form : make(form, like)
    return {
      terms: terms.map(({ x, s }) => ({ x, s: times(s, by) })),
      bias: bias === undefined ? undefined : small('Multiply', [bias, by]),
      conv: undefined,
    }
  }
  const shifted = (form: Form, by: number): Form => ({ ...form, bias: plus(form.bias, by) })
  const negated = (v: number): number => small('Neg', [v])

  /** What an operation makes of its operands, or nothing if it is none of these. */
  const combined = ({ kernel, inputs, outputs }: Call): Form | undefined => {
    const [a, b] = inputs as readonly [number, number]
    const out = outputs[0]!
    if (kernel === 'Neg') return scaled(formOf(a), number(-1), out)
    if (b === undefined) return undefined
    const [left, right] = [isImage(a) && alike(a, out), isImage(b) && alike(b, out)]
    if (kernel === 'Add') {
      if (left && right) return added(formOf(a), formOf(b), out)
      if (left && byChannel(b, out)) return shifted(formOf(a), b)
      return right && byChannel(a, out) ? shifted(formOf(b), a) : undefined
    }
    if (kernel === 'Sub') {
      if (left && right) return added(formOf(a), scaled(formOf(b), number(-1), out), out)
      return left && byChannel(b, out) ? shifted(formOf(a), negated(b)) : undefined
    }
    if (kernel !== 'Multiply' || left === right) return undefined
    const [x, s] = left ? [a, b] : [b, a]
    return byChannel(s, out) ? scaled(formOf(x), s, out) : undefined
  }

  /** Whether the only use of a value is by an operation that takes it into a form. */
  const absorbed = (v: number): boolean => {
    const user = users.get(v)
    if (uses.get(v) !== 1 || outputs.has(v) || user === undefined || !absorbing.has(user.kernel)) return false
    const out = user.outputs[0]!
    if (!isImage(out) || !alike(v, out)) return false
    if (user.kernel !== 'Multiply') return user.inputs.every((u) => alike(u, out) || byChannel(u, out))
    return user.inputs.some((u) => u !== v && byChannel(u, out) && !alike(u, out))
  }

  const leadingSum = ({ kernel, inputs, attrs }: Call): boolean =>
    (kernel === 'Sum' || kernel === 'Mean') &&
    attrs['keepDims'] !== true &&
    axesOf(attrs['axis'], shape(inputs[0]!).length).join() === '0,1,2'

  for (const call of program.calls) {
    const { kernel, inputs, outputs: made } = call
    const out = made[0]!
    if (convolutions.has(kernel) && isImage(out) && absorbed(out)) {
      forms.set(out, { terms: [], bias: undefined, conv: call })
      continue
    }
    if (kernel === 'Relu' && forms.has(inputs[0]!)) {
      emit(forms.get(inputs[0]!)!, out, true)
      continue
    }
    const user = users.get(out)
    const isProduct = (kernel === 'Multiply' && alike(inputs[0]!, inputs[1]!)) || kernel === 'Square'
    if (isProduct && isImage(out) && uses.get(out) === 1 && user !== undefined && leadingSum(user)) {
      products.set(out, [inputs[0]!, inputs[1] ?? inputs[0]!])
      continue
    }
    const product = products.get(inputs[0] ?? -1)
    if (product !== undefined) {
      calls.push({ ...call, kernel: 'ChannelDot', inputs: product, attrs: { mean: kernel === 'Mean' } })
      continue
    }
    const form = isImage(out) ? combined(call) : undefined
    if (form === undefined) calls.push(call)
    else if (absorbed(out)) forms.set(out, form)
    else {
      emit(form, out)
      if (isShift(form)) forms.set(out, form)
    }
  }
  return dropUnused({ ...program, values, constants, calls })
}
