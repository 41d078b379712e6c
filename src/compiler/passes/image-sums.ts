/**
 * Gathers sums of images scaled by channel as one call. Batch norms, biases, residual connections and their gradients are
 * all
 *
 *     y = act(Σₖ sₖ ⊙ xₖ + b + conv(x, w))
 *
 * with vectors sₖ and b over channels: one pass over memory for each term, instead of one for every operation. A
 * convolution adds bias and sum, and applies the ReLU, on the way. And Σ a ⊙ b over batch and positions is a
 * `ChannelDot`, which needs no product in memory.
 *
 * No list of rules: a sum grows from call to call, and stands in the program only where something else reads it.
 *
 * The pass brings in two kernels that TensorFlow.js does not have, so only a backend that knows them runs it.
 *
 * @module
 */
import { type Attributes, type Call, type CallOf, callOf, type ImageConvolution, isCall, type Kernel } from '../call.js'
import { isOverChannels } from '../operations.js'
import { isByChannel, type Program, sameShape, sizeOf } from '../program.js'
import { type Build, rebuild } from '../rebuild.js'

/** A convolution, or the gradient of one by its input. */
export type Convolution = ImageConvolution & { readonly inputs: readonly number[] }

/** The parts of a sum: values, by number. */
interface Parts {
  readonly terms: readonly { readonly x: number; readonly s: number | undefined }[]
  readonly bias: number | undefined
  readonly convolution: Convolution | undefined
}

/** What a call of `ImageSum` adds up. */
export const partsOf = ({ inputs, attrs }: CallOf<'ImageSum'>): Parts & { readonly relu: boolean } => {
  const { convolution, scaled, biased, relu } = attrs
  const rest = inputs.values()
  const next = (): number => rest.next().value!
  return {
    convolution: convolution && { ...convolution, inputs: [next(), next()] },
    terms: scaled.map((hasScale) => ({ x: next(), s: hasScale ? next() : undefined })),
    bias: biased ? next() : undefined,
    relu,
  }
}

const withoutInputs = ({ inputs: _, ...convolution }: Convolution): ImageConvolution => convolution

const inputsOf = ({ convolution, terms, bias }: Parts): readonly number[] => [
  ...(convolution?.inputs ?? []),
  ...terms.flatMap(({ x, s }) => (s === undefined ? [x] : [x, s])),
  ...(bias === undefined ? [] : [bias]),
]

const opaque = (x: number): Parts => ({ terms: [{ x, s: undefined }], bias: undefined, convolution: undefined })

/** x + b: later sums take x in its place, so that a centred image need not be kept for the backward pass. */
const isShift = ({ terms, convolution }: Parts): boolean =>
  convolution === undefined && terms.length === 1 && terms[0]?.s === undefined

const absorbing = new Set<Kernel>(['Add', 'Sub', 'Multiply', 'Neg', 'Relu'])

/** The kernels of calls that are gathered. */
const gathered = new Set<Kernel>([
  ...absorbing,
  ...(['Conv2D', 'Conv2DBackpropInput', 'Square', 'Sum', 'Mean'] as const),
])

/** The program with sums and products by channel gathered, for images whose channels are a multiple of `block`. */
export const gatherImageSums =
  (block: number) =>
  (program: Program): Program => {
    const sums = new Map<number, Parts>()
    const products = new Map<number, readonly [number, number]>()
    return rebuild(program, (call, build) =>
      gathered.has(call.kernel) ? gather(call, build, block, sums, products) : build.place(call),
    )
  }

const gather = (
  call: Call,
  build: Build,
  block: number,
  sums: Map<number, Parts>,
  products: Map<number, readonly [number, number]>,
): void => {
  const { info, shape, readers, isReadOnce, value, emit, constant, place } = build
  const { kernel, inputs, outputs } = call
  const [a, b] = inputs as readonly [number, number]
  const out = outputs[0]!

  const isImage = (v: number): boolean =>
    shape(v).length === 4 && shape(v)[3]! % block === 0 && info(v).dtype === 'float32'
  const alike = (v: number, as: number): boolean => sameShape(shape(v), shape(as))
  /** One number for each channel of an image, or one for all. */
  const scales = (v: number, image: number): boolean => sizeOf(shape(v)) === 1 || isByChannel(shape(v), shape(image))

  /** An operation of vectors and numbers as one of vectors. */
  const small = (kernel: 'Add' | 'Multiply' | 'Neg', operands: readonly number[]): number => {
    const vector = (n: number) => ({ shape: [n], dtype: 'float32' as const })
    const sizes = operands.map((v) => sizeOf(shape(v)))
    const flat = operands.map((v, i) =>
      shape(v).length === 1 ? v : emit('Reshape', [v], vector(sizes[i]!), { shape: [sizes[i]!] }),
    )
    return emit(kernel, flat, vector(Math.max(...sizes)))
  }
  const times = (s: number | undefined, by: number): number => (s === undefined ? by : small('Multiply', [s, by]))
  const plus = (v: number | undefined, w: number | undefined): number | undefined =>
    v === undefined ? w : w === undefined ? v : small('Add', [v, w])
  const minusOne = () => constant({ shape: [], dtype: 'float32' }, [-1])

  const make = (parts: Parts, result: number, relu = false): void => {
    const { convolution, terms, bias } = parts
    const attrs: Attributes['ImageSum'] = {
      convolution: convolution && withoutInputs(convolution),
      scaled: terms.map(({ s }) => s !== undefined),
      biased: bias !== undefined,
      relu,
    }
    place(callOf('ImageSum', inputsOf(parts), [result], attrs))
  }
  const partsAt = (v: number): Parts => sums.get(v) ?? opaque(v)
  /** A sum that starts from the value of another. */
  const made = (parts: Parts): Parts => {
    const v = value(info(out))
    make(parts, v)
    return opaque(v)
  }
  const added = (left: Parts, right: Parts): Parts => {
    const first = left.convolution !== undefined && right.convolution !== undefined ? made(left) : left
    return {
      terms: [...first.terms, ...right.terms],
      bias: plus(first.bias, right.bias),
      convolution: first.convolution ?? right.convolution,
    }
  }
  const scaled = (parts: Parts, by: number): Parts => {
    const { terms, bias } = parts.convolution === undefined ? parts : made(parts)
    return {
      terms: terms.map(({ x, s }) => ({ x, s: times(s, by) })),
      bias: bias === undefined ? undefined : small('Multiply', [bias, by]),
      convolution: undefined,
    }
  }
  const shifted = (parts: Parts, by: number): Parts => ({ ...parts, bias: plus(parts.bias, by) })

  /** What a call makes of sums, if it makes a sum. */
  const combined = (): Parts | undefined => {
    if (kernel === 'Neg') return scaled(partsAt(a), minusOne())
    if (b === undefined) return undefined
    const [left, right] = [a, b].map((v) => isImage(v) && alike(v, out))
    if (kernel === 'Add') {
      if (left && right) return added(partsAt(a), partsAt(b))
      if (left && scales(b, out)) return shifted(partsAt(a), b)
      return right && scales(a, out) ? shifted(partsAt(b), a) : undefined
    }
    if (kernel === 'Sub') {
      if (left && right) return added(partsAt(a), scaled(partsAt(b), minusOne()))
      return left && scales(b, out) ? shifted(partsAt(a), small('Neg', [b])) : undefined
    }
    if (kernel !== 'Multiply' || left === right) return undefined
    const [x, s] = left ? [a, b] : [b, a]
    return scales(s, out) ? scaled(partsAt(x), s) : undefined
  }

  /** The only call that reads the result. */
  const [reader] = isReadOnce(out) ? readers(out) : []
  /** Whether that call takes the result into a sum of its own. */
  const isAbsorbed = (): boolean => {
    if (reader === undefined || !absorbing.has(reader.kernel)) return false
    const image = reader.outputs[0]!
    if (!isImage(image) || !alike(out, image)) return false
    return reader.kernel === 'Multiply'
      ? reader.inputs.some((v) => v !== out && scales(v, image) && !alike(v, image))
      : reader.inputs.every((v) => alike(v, image) || scales(v, image))
  }
  const isChannelSum = (user: Call): boolean =>
    isCall(user, 'Sum', 'Mean') && isOverChannels(user, shape(user.inputs[0]!))

  const parts = (): Parts | undefined => {
    if (isCall(call, 'Conv2D', 'Conv2DBackpropInput') && isImage(out) && isAbsorbed())
      return { terms: [], bias: undefined, convolution: call }
    return isImage(out) ? combined() : undefined
  }
  const product = products.get(a)
  const isProduct = (kernel === 'Multiply' && alike(a, b)) || kernel === 'Square'
  if (kernel === 'Relu' && sums.has(a)) make(sums.get(a)!, out, true)
  else if (isProduct && isImage(out) && reader !== undefined && isChannelSum(reader)) products.set(out, [a, b ?? a])
  else if (product !== undefined) place(callOf('ChannelDot', product, outputs, { mean: kernel === 'Mean' }))
  else {
    const sum = parts()
    const absorbed = sum !== undefined && isAbsorbed()
    if (sum === undefined) place(call)
    else if (!absorbed) make(sum, out)
    if (sum !== undefined && (absorbed || isShift(sum))) sums.set(out, sum)
  }
}
