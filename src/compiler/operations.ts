/**
 * The kernels of TensorFlow.js that a program may call: the names of their inputs, and the shapes that they answer.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import { type Call, type ProgramType, sizeOf, type ValueInfo } from './program.js'

type Infer = (inputs: readonly ValueInfo[], attrs: tf.NamedAttrMap) => readonly ValueInfo[]

/** A kernel's inputs by name, or any number of them, and what it answers. */
interface Signature {
  readonly inputs: readonly string[] | 'list'
  readonly infer: Infer
}

const kernel = (inputs: Signature['inputs'], infer: Infer): Signature => ({ inputs, infer })
const named = (names: string, signature: Signature): Record<string, Signature> =>
  Object.fromEntries(names.split(' ').map((name) => [name, signature]))

const mutable = (shape: readonly number[]): number[] => [...shape]
/** Axes as numbers from 0, of whatever way they were given; none means all. */
export const axesOf = (axis: unknown, rank: number): number[] =>
  tf.util.parseAxisParam(
    (axis ?? null) as number,
    Array.from({ length: rank }, () => 1),
  )

/** Whether a reduction leaves the last axis alone: channels of an image, or columns of a matrix. */
export const isOverChannels = ({ attrs }: Pick<Call, 'attrs'>, { length }: readonly number[]): boolean =>
  attrs['keepDims'] !== true && `${axesOf(attrs['axis'], length)}` === `${[...Array(length - 1).keys()]}`

/** Where a slice begins, and what it cuts out, of whatever way they were given. */
export const sliceOf = ({ shape }: ValueInfo, attrs: tf.NamedAttrMap): readonly [begin: number[], size: number[]] => {
  const like = { shape: mutable(shape), rank: shape.length } as tf.Tensor
  const [begin, size] = tf.slice_util.parseSliceParams(like, attrs['begin'] as number[], attrs['size'] as number[])
  return [begin!, size!]
}

const broadcast = (a: ValueInfo, b: ValueInfo): number[] =>
  tf.backend_util.assertAndGetBroadcastShape(mutable(a.shape), mutable(b.shape))

const pairwise = (dtype?: ProgramType): Signature =>
  kernel(['a', 'b'], ([a, b]) => [{ shape: broadcast(a!, b!), dtype: dtype ?? a!.dtype }])

const pointwise = (dtype?: ProgramType, input = 'x'): Signature =>
  kernel([input], ([x]) => [{ shape: x!.shape, dtype: dtype ?? x!.dtype }])

const reduction = (axisName = 'axis', dtype?: ProgramType): Signature =>
  kernel(['x'], ([x], attrs) => {
    const axes = axesOf(attrs[axisName], x!.shape.length)
    const shape = attrs['keepDims']
      ? x!.shape.map((n, i) => (axes.includes(i) ? 1 : n))
      : x!.shape.filter((_, i) => !axes.includes(i))
    return [{ shape, dtype: dtype ?? x!.dtype }]
  })

const reshaped = (x: ValueInfo, shape: unknown): number[] =>
  tf.util.inferFromImplicitShape(mutable(shape as number[]), sizeOf(x.shape))

const convOutput = (x: ValueInfo, filter: ValueInfo, attrs: tf.NamedAttrMap): number[] =>
  tf.backend_util.computeConv2DInfo(
    x.shape as [number, number, number, number],
    filter.shape as [number, number, number, number],
    attrs['strides'] as number,
    (attrs['dilations'] as number | undefined) ?? 1,
    attrs['pad'] as 'same',
    attrs['dimRoundingMode'] as 'floor',
    false,
    tf.backend_util.convertConv2DDataFormat((attrs['dataFormat'] as 'NHWC' | undefined) ?? 'NHWC'),
  ).outShape

/** The mean over all workers of the value that each has. No kernel of TensorFlow.js: only sharding adds it. */
export const ALL_REDUCE = 'AllReduce'

/** Convolutions, and their gradients by the input: both are convolutions of an image. */
export const convolutions: ReadonlySet<string> = new Set(['Conv2D', 'Conv2DBackpropInput'])

/** Every kernel that can be traced. */
export const signatures: Readonly<Record<string, Signature>> = {
  ...named('Add Sub Multiply RealDiv Maximum Minimum SquaredDifference Pow', pairwise()),
  ...named('Greater GreaterEqual Less LessEqual Equal NotEqual LogicalAnd LogicalOr', pairwise('bool')),
  ...named('Exp Expm1 Log Log1p Tanh Sigmoid Softplus Relu Relu6 LeakyRelu Elu Erf Square Sqrt Rsqrt', pointwise()),
  ...named('Reciprocal Abs Neg Sin Cos Atan Sign Step Floor Ceil Round ClipByValue Identity', pointwise()),
  ...named('ZerosLike OnesLike', pointwise()),
  ...named('LogicalNot IsNan IsInf IsFinite', pointwise('bool')),
  Softmax: pointwise(undefined, 'logits'),
  ...named('Sum Mean Min', reduction()),
  ...named('Max', reduction('reductionIndices')),
  ...named('All Any', reduction('axis', 'bool')),
  ...named('Cumsum Reverse', pointwise()),
  Cast: kernel(['x'], ([x], { dtype }) => [{ shape: x!.shape, dtype: dtype as ProgramType }]),
  Select: kernel(['condition', 't', 'e'], ([, t]) => [t!]),
  Reshape: kernel(['x'], ([x], { shape }) => [{ shape: reshaped(x!, shape), dtype: x!.dtype }]),
  ExpandDims: kernel(['input'], ([x], { dim }) => {
    const at = (dim as number) < 0 ? x!.shape.length + 1 + (dim as number) : (dim as number)
    return [{ shape: x!.shape.toSpliced(at, 0, 1), dtype: x!.dtype }]
  }),
  Transpose: kernel(['x'], ([x], { perm }) => [
    { shape: (perm as number[]).map((p) => x!.shape[p]!), dtype: x!.dtype },
  ]),
  Slice: kernel(['x'], ([x], attrs) => [{ shape: sliceOf(x!, attrs)[1], dtype: x!.dtype }]),
  Concat: kernel('list', (inputs, { axis }) => {
    const at = axesOf(axis, inputs[0]!.shape.length)[0]!
    const shape = tf.backend_util.computeOutShape(
      inputs.map((x) => mutable(x.shape)),
      at,
    )
    return [{ shape, dtype: inputs[0]!.dtype }]
  }),
  SplitV: kernel(['x'], ([x], { numOrSizeSplits, axis }) => {
    const at = axesOf(axis, x!.shape.length)[0]!
    const like = { shape: mutable(x!.shape) } as tf.Tensor
    const sizes = tf.backend_util.prepareSplitSize(like, numOrSizeSplits as number[], at)
    return sizes.map((n) => ({ shape: x!.shape.with(at, n), dtype: x!.dtype }))
  }),
  Pack: kernel('list', (inputs, { axis }) => {
    const { shape, dtype } = inputs[0]!
    return [{ shape: shape.toSpliced(axesOf(axis, shape.length + 1)[0]!, 0, inputs.length), dtype }]
  }),
  Unpack: kernel(['value'], ([x], { axis }) => {
    const at = axesOf(axis, x!.shape.length)[0]!
    const one = { shape: x!.shape.toSpliced(at, 1), dtype: x!.dtype }
    return Array.from({ length: x!.shape[at]! }, () => one)
  }),
  PadV2: kernel(['x'], ([x], { paddings }) => [
    { shape: x!.shape.map((n, i) => n + sum((paddings as number[][])[i]!)), dtype: x!.dtype },
  ]),
  Tile: kernel(['x'], ([x], { reps }) => [
    { shape: x!.shape.map((n, i) => n * (reps as number[])[i]!), dtype: x!.dtype },
  ]),
  Fill: kernel([], (_, { shape, dtype }) => [
    { shape: shape as number[], dtype: (dtype as ProgramType | undefined) ?? 'float32' },
  ]),
  DepthToSpace: kernel(['x'], ([x], { blockSize }) => {
    const [n, h, w, c] = x!.shape as [number, number, number, number]
    const k = blockSize as number
    return [{ shape: [n, h * k, w * k, c / (k * k)], dtype: x!.dtype }]
  }),
  GatherV2: kernel(['x', 'indices'], ([x, indices], { axis, batchDims }) => {
    if (batchDims) throw new Error('GatherV2 with batchDims')
    const at = axesOf(axis, x!.shape.length)[0]!
    return [{ shape: x!.shape.toSpliced(at, 1, ...indices!.shape), dtype: x!.dtype }]
  }),
  OneHot: kernel(['indices'], ([indices], { depth, dtype }) => [
    { shape: [...indices!.shape, depth as number], dtype: (dtype as ProgramType | undefined) ?? 'int32' },
  ]),
  AddN: kernel('list', ([x]) => [x!]),
  BatchMatMul: kernel(['a', 'b'], ([a, b], { transposeA, transposeB }) => {
    const [m, n] = [a!.shape.at(transposeA ? -1 : -2)!, b!.shape.at(transposeB ? -2 : -1)!]
    const outer = { shape: a!.shape.slice(0, -2), dtype: a!.dtype }
    return [{ shape: [...broadcast(outer, { ...outer, shape: b!.shape.slice(0, -2) }), m, n], dtype: a!.dtype }]
  }),
  Conv2D: kernel(['x', 'filter'], ([x, filter], attrs) => [{ shape: convOutput(x!, filter!, attrs), dtype: x!.dtype }]),
  Conv2DBackpropInput: kernel(['dy', 'filter'], ([dy], { inputShape }) => [
    { shape: inputShape as number[], dtype: dy!.dtype },
  ]),
  Conv2DBackpropFilter: kernel(['x', 'dy'], ([, dy], { filterShape }) => [
    { shape: filterShape as number[], dtype: dy!.dtype },
  ]),
}

const sum = (ns: readonly number[]): number => ns.reduce((a, b) => a + b, 0)
