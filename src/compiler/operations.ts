/**
 * The kernels of TensorFlow.js that can be traced: the names of their inputs, their attributes normalised, and the shapes
 * that they return.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import { DiffeoException, engineError } from '../error.js'
import {
  type Attributes,
  arithmetic,
  type CallOf,
  type ConvolutionAttributes,
  comparisons,
  functions,
  type Kernel,
  logical,
  type None,
  type ProgramType,
  predicates,
  type ValueInfo,
} from './call.js'
import { sizeOf } from './program.js'

/** The mean over all workers of the value that each has. No kernel of TensorFlow.js: only sharding adds it. */
export const ALL_REDUCE = 'AllReduce'

/** The kernels that only passes bring in. */
type Untraced =
  | typeof ALL_REDUCE
  | ('BiasAdd' | 'BiasAddGrad' | 'ReluGrad' | 'ScaleShift' | 'BatchNorm' | 'BatchNormGrad')
  | ('Dense' | 'ImageSum' | 'ChannelDot')

export type Traced = Exclude<Kernel, Untraced>

/** Attributes as TensorFlow.js passes them, with its names and its own types. */
// biome-ignore lint/suspicious/noExplicitAny: TensorFlow.js types every attribute as any of a dozen
type Raw = Readonly<Record<string, any>>

export interface Operation<A> {
  /** The kernel's inputs by name, or any number of them. */
  readonly inputs: readonly string[] | 'list'
  readonly normalise: (raw: Raw, inputs: readonly ValueInfo[]) => A
  readonly infer: (inputs: readonly ValueInfo[], attrs: A) => readonly ValueInfo[]
}

const operation = <A>(
  inputs: Operation<A>['inputs'],
  normalise: Operation<A>['normalise'],
  infer: Operation<A>['infer'],
): Operation<A> => ({ inputs, normalise, infer })

const all = <K extends string, A>(kernels: readonly K[], op: Operation<A>): Readonly<Record<K, Operation<A>>> =>
  Object.fromEntries(kernels.map((kernel) => [kernel, op])) as Record<K, Operation<A>>

const refuse = (expected: string, got: string): never => {
  throw new DiffeoException(engineError('jit', expected, got))
}

const mutable = (shape: readonly number[]): number[] => [...shape]

/** Axes counted from the start; all, where none are given. */
const axesOf = (axis: number | number[] | undefined, { shape }: ValueInfo): number[] =>
  tf.util.parseAxisParam(axis ?? mutable([...shape.keys()]), mutable(shape))

const axisOf = (axis: number, rank: number): number => (axis < 0 ? axis + rank : axis)

const broadcast = (a: readonly number[], b: readonly number[]): number[] =>
  tf.backend_util.assertAndGetBroadcastShape(mutable(a), mutable(b))

const none = (): None => ({})

const pairwise = (dtype?: ProgramType) =>
  operation<None>(['a', 'b'], none, ([a, b]) => [{ shape: broadcast(a!.shape, b!.shape), dtype: dtype ?? a!.dtype }])

const pointwise = <A>(normalise: Operation<A>['normalise'], dtype?: ProgramType, input = 'x') =>
  operation<A>([input], normalise, ([x]) => [{ shape: x!.shape, dtype: dtype ?? x!.dtype }])

const reduction = (axisName = 'axis', dtype?: ProgramType) =>
  operation<Attributes['Sum']>(
    ['x'],
    (raw, [x]) => ({ axis: axesOf(raw[axisName], x!), keepDims: raw['keepDims'] === true }),
    ([x], { axis, keepDims }) => {
      const shape = keepDims
        ? x!.shape.map((n, i) => (axis.includes(i) ? 1 : n))
        : x!.shape.filter((_, i) => !axis.includes(i))
      return [{ shape, dtype: dtype ?? x!.dtype }]
    },
  )

const pair = (n: number | readonly number[] | undefined): [number, number] => {
  const [a = 1, b = a] = [n ?? 1].flat()
  return [a, b]
}

const convolution = ({ strides, dilations, pad, dimRoundingMode, dataFormat }: Raw): ConvolutionAttributes => {
  if ((dataFormat ?? 'NHWC') !== 'NHWC') refuse('images with channels last', `the data format ${dataFormat}`)
  const sides = [pad, pad]
  const padding = typeof pad === 'number' ? ([[0, 0], sides, sides, [0, 0]] as [number, number][]) : pad
  return {
    strides: pair(strides),
    dilations: pair(dilations),
    pad: padding,
    ...(dimRoundingMode && { dimRoundingMode }),
    dataFormat: 'NHWC',
  }
}

/** What TensorFlow.js computes of a convolution of an image N×H×W×I with a filter h×w×I×O: sizes and paddings. */
export const convolutionInfo = (
  x: readonly number[],
  filter: readonly number[],
  { strides, dilations, pad, dimRoundingMode }: ConvolutionAttributes,
): tf.backend_util.Conv2DInfo =>
  tf.backend_util.computeConv2DInfo(
    mutable(x) as [number, number, number, number],
    mutable(filter) as [number, number, number, number],
    [...strides],
    [...dilations],
    pad as Parameters<typeof tf.backend_util.computeConv2DInfo>[4],
    dimRoundingMode,
  )

/** Whether a reduction leaves the last axis alone: channels of an image, or columns of a matrix. */
export const isOverChannels = (
  { attrs: { axis, keepDims } }: Pick<CallOf<'Sum'>, 'attrs'>,
  { length }: readonly number[],
): boolean => !keepDims && `${axis}` === `${[...Array(length - 1).keys()]}`

/** Every kernel that can be traced. */
export const operations: { readonly [K in Traced]: Operation<Attributes[K]> } = {
  ...all(arithmetic, pairwise()),
  ...all(comparisons, pairwise('bool')),
  ...all(logical, pairwise('bool')),
  ...all(functions, pointwise(none)),
  ...all(predicates, pointwise(none, 'bool')),
  ...all(
    ['Step', 'LeakyRelu'],
    pointwise<Attributes['Step']>(({ alpha = 0 }) => ({ alpha })),
  ),
  ClipByValue: pointwise<Attributes['ClipByValue']>(({ clipValueMin, clipValueMax }) => ({
    clipValueMin,
    clipValueMax,
  })),
  Softmax: pointwise<Attributes['Softmax']>(
    ({ dim }, [x]) => ({ dim: axisOf(dim ?? -1, x!.shape.length) }),
    undefined,
    'logits',
  ),
  ...all(['Sum', 'Mean', 'Min'], reduction()),
  Max: reduction('reductionIndices'),
  ...all(['All', 'Any'], reduction('axis', 'bool')),
  Cumsum: pointwise<Attributes['Cumsum']>(({ axis, exclusive, reverse }, [x]) => ({
    axis: axesOf(axis, x!)[0]!,
    exclusive: exclusive === true,
    reverse: reverse === true,
  })),
  Reverse: pointwise<Attributes['Reverse']>(({ dims }, [x]) => ({ dims: axesOf(dims, x!) })),
  Cast: operation<Attributes['Cast']>(
    ['x'],
    ({ dtype }) => ({ dtype }),
    ([x], { dtype }) => [{ shape: x!.shape, dtype }],
  ),
  Select: operation(['condition', 't', 'e'], none, ([, t]) => [t!]),
  Reshape: operation<Attributes['Reshape']>(
    ['x'],
    ({ shape }, [x]) => ({ shape: tf.util.inferFromImplicitShape(mutable(shape), sizeOf(x!.shape)) }),
    ([x], { shape }) => [{ shape, dtype: x!.dtype }],
  ),
  ExpandDims: operation<Attributes['ExpandDims']>(
    ['input'],
    ({ dim }, [x]) => ({ dim: axisOf(dim, x!.shape.length + 1) }),
    ([x], { dim }) => [{ shape: x!.shape.toSpliced(dim, 0, 1), dtype: x!.dtype }],
  ),
  Transpose: operation<Attributes['Transpose']>(
    ['x'],
    ({ perm }) => ({ perm }),
    ([x], { perm }) => [{ shape: perm.map((p) => x!.shape[p]!), dtype: x!.dtype }],
  ),
  Slice: operation<Attributes['Slice']>(
    ['x'],
    (raw, [x]) => {
      const like = { shape: mutable(x!.shape), rank: x!.shape.length } as tf.Tensor
      const [begin, size] = tf.slice_util.parseSliceParams(like, raw['begin'], raw['size'])
      return { begin: begin!, size: size! }
    },
    ([x], { size }) => [{ shape: size, dtype: x!.dtype }],
  ),
  Concat: operation<Attributes['Concat']>(
    'list',
    ({ axis }, [x]) => ({ axis: axesOf(axis, x!)[0]! }),
    (inputs, { axis }) => [
      {
        shape: tf.backend_util.computeOutShape(
          inputs.map((x) => mutable(x.shape)),
          axis,
        ),
        dtype: inputs[0]!.dtype,
      },
    ],
  ),
  SplitV: operation<Attributes['SplitV']>(
    ['x'],
    (raw, [x]) => {
      const axis = axesOf(raw['axis'], x!)[0]!
      const like = { shape: mutable(x!.shape) } as tf.Tensor
      return { numOrSizeSplits: tf.backend_util.prepareSplitSize(like, raw['numOrSizeSplits'], axis), axis }
    },
    ([x], { numOrSizeSplits, axis }) =>
      numOrSizeSplits.map((n) => ({ shape: x!.shape.with(axis, n), dtype: x!.dtype })),
  ),
  Pack: operation<Attributes['Pack']>(
    'list',
    ({ axis }, [x]) => ({ axis: axisOf(axis, x!.shape.length + 1) }),
    (inputs, { axis }) => [{ ...inputs[0]!, shape: inputs[0]!.shape.toSpliced(axis, 0, inputs.length) }],
  ),
  Unpack: operation<Attributes['Unpack']>(
    ['value'],
    ({ axis }, [x]) => ({ axis: axesOf(axis, x!)[0]! }),
    ([x], { axis }) =>
      Array.from({ length: x!.shape[axis]! }, () => ({ shape: x!.shape.toSpliced(axis, 1), dtype: x!.dtype })),
  ),
  PadV2: operation<Attributes['PadV2']>(
    ['x'],
    ({ paddings, constantValue = 0 }) => ({ paddings, constantValue }),
    ([x], { paddings }) => [{ shape: x!.shape.map((n, i) => n + paddings[i]![0] + paddings[i]![1]), dtype: x!.dtype }],
  ),
  Tile: operation<Attributes['Tile']>(
    ['x'],
    ({ reps }) => ({ reps }),
    ([x], { reps }) => [{ shape: x!.shape.map((n, i) => n * reps[i]!), dtype: x!.dtype }],
  ),
  Fill: operation<Attributes['Fill']>(
    [],
    ({ shape, value, dtype = 'float32' }) => ({ shape, value, dtype }),
    (_, { shape, dtype }) => [{ shape, dtype }],
  ),
  DepthToSpace: operation<Attributes['DepthToSpace']>(
    ['x'],
    ({ blockSize, dataFormat = 'NHWC' }) =>
      dataFormat === 'NHWC' ? { blockSize, dataFormat } : refuse('images with channels last', `${dataFormat}`),
    ([x], { blockSize: k }) => {
      const [n, h, w, c] = x!.shape as [number, number, number, number]
      return [{ shape: [n, h * k, w * k, c / (k * k)], dtype: x!.dtype }]
    },
  ),
  GatherV2: operation<Attributes['GatherV2']>(
    ['x', 'indices'],
    ({ axis = 0, batchDims = 0 }, [x]) =>
      batchDims === 0
        ? { axis: axesOf(axis, x!)[0]!, batchDims }
        : refuse('a gather without batchDims', `${batchDims}`),
    ([x, indices], { axis }) => [{ shape: x!.shape.toSpliced(axis, 1, ...indices!.shape), dtype: x!.dtype }],
  ),
  OneHot: operation<Attributes['OneHot']>(
    ['indices'],
    ({ depth, onValue = 1, offValue = 0, dtype = 'int32' }) => ({ depth, onValue, offValue, dtype }),
    ([indices], { depth, dtype }) => [{ shape: [...indices!.shape, depth], dtype }],
  ),
  AddN: operation('list', none, ([x]) => [x!]),
  BatchMatMul: operation<Attributes['BatchMatMul']>(
    ['a', 'b'],
    ({ transposeA, transposeB }) => ({ transposeA: transposeA === true, transposeB: transposeB === true }),
    ([a, b], { transposeA, transposeB }) => {
      const [m, n] = [a!.shape.at(transposeA ? -1 : -2)!, b!.shape.at(transposeB ? -2 : -1)!]
      return [{ shape: [...broadcast(a!.shape.slice(0, -2), b!.shape.slice(0, -2)), m, n], dtype: a!.dtype }]
    },
  ),
  Conv2D: operation(['x', 'filter'], convolution, ([x, filter], attrs) => [
    { shape: convolutionInfo(x!.shape, filter!.shape, attrs).outShape, dtype: x!.dtype },
  ]),
  Conv2DBackpropInput: operation<Attributes['Conv2DBackpropInput']>(
    ['dy', 'filter'],
    (raw) => ({ ...convolution(raw), inputShape: raw['inputShape'] }),
    ([dy], { inputShape }) => [{ shape: inputShape, dtype: dy!.dtype }],
  ),
  Conv2DBackpropFilter: operation<Attributes['Conv2DBackpropFilter']>(
    ['x', 'dy'],
    (raw) => ({ ...convolution(raw), filterShape: raw['filterShape'] }),
    ([, dy], { filterShape }) => [{ shape: filterShape, dtype: dy!.dtype }],
  ),
}
