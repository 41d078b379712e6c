/**
 * Calls of a program: their kernels, and the attributes of each kernel. Kernels and attributes are those of TensorFlow.js,
 * normalised when they are traced: axes count from the start, and nothing is left to a default.
 *
 * @module
 */

export type ProgramType = 'float32' | 'int32' | 'bool'

/** What is known of a value before it has one. */
export interface ValueInfo {
  readonly shape: readonly number[]
  readonly dtype: ProgramType
}

/** Pairwise arithmetic, which broadcasts. */
export const arithmetic = [
  'Add',
  'Sub',
  'Multiply',
  'RealDiv',
  'Maximum',
  'Minimum',
  'SquaredDifference',
  'Pow',
] as const
export const comparisons = ['Greater', 'GreaterEqual', 'Less', 'LessEqual', 'Equal', 'NotEqual'] as const
export const logical = ['LogicalAnd', 'LogicalOr'] as const
/** Functions of one number that return its type. */
export const functions = [
  ...(['Exp', 'Expm1', 'Log', 'Log1p', 'Tanh', 'Sigmoid', 'Softplus', 'Relu', 'Relu6', 'Elu', 'Erf'] as const),
  ...(['Square', 'Sqrt', 'Rsqrt', 'Reciprocal', 'Abs', 'Neg', 'Sin', 'Cos', 'Atan', 'Sign'] as const),
  ...(['Floor', 'Ceil', 'Round', 'Identity', 'ZerosLike', 'OnesLike'] as const),
]
/** Functions of one number that return a boolean. */
export const predicates = ['LogicalNot', 'IsNan', 'IsInf', 'IsFinite'] as const

type Pointwise =
  | (typeof arithmetic)[number]
  | (typeof comparisons)[number]
  | (typeof logical)[number]
  | (typeof functions)[number]
  | (typeof predicates)[number]

/** Kernels that passes bring in, and no function of TensorFlow.js is. */
type Gathered = 'BiasAdd' | 'BiasAddGrad' | 'ReluGrad' | 'ScaleShift'

export type None = Readonly<Record<never, never>>

interface Reduction {
  readonly axis: readonly number[]
  readonly keepDims: boolean
}
interface Along {
  readonly axis: number
}
interface Transposition {
  readonly transposeA: boolean
  readonly transposeB: boolean
}

/** A pair for each axis of an image: how many zeros stand before and after. */
type Padding = readonly (readonly [before: number, after: number])[]

export interface ConvolutionAttributes {
  readonly strides: readonly [number, number]
  readonly dilations: readonly [number, number]
  readonly pad: 'same' | 'valid' | Padding
  readonly dimRoundingMode?: 'floor' | 'round' | 'ceil'
  readonly dataFormat: 'NHWC'
}

/** A convolution in a sum of images. */
export type ImageConvolution =
  | { readonly kernel: 'Conv2D'; readonly attrs: ConvolutionAttributes }
  | {
      readonly kernel: 'Conv2DBackpropInput'
      readonly attrs: ConvolutionAttributes & { readonly inputShape: readonly number[] }
    }

/** The attributes of each kernel. */
export interface Attributes
  extends Readonly<Record<Pointwise | Gathered | 'Select' | 'AddN', None>>,
    Readonly<Record<'Sum' | 'Mean' | 'Max' | 'Min' | 'All' | 'Any', Reduction>>,
    Readonly<Record<'Concat' | 'Pack' | 'Unpack', Along>>,
    Readonly<Record<'BatchNorm' | 'BatchNormGrad', { readonly epsilon: number }>>,
    Readonly<Record<'Step' | 'LeakyRelu', { readonly alpha: number }>> {
  readonly ClipByValue: { readonly clipValueMin: number; readonly clipValueMax: number }
  readonly Softmax: { readonly dim: number }
  readonly Cumsum: Along & { readonly exclusive: boolean; readonly reverse: boolean }
  readonly Reverse: { readonly dims: readonly number[] }
  readonly Cast: { readonly dtype: ProgramType }
  readonly Reshape: { readonly shape: readonly number[] }
  readonly ExpandDims: { readonly dim: number }
  readonly Transpose: { readonly perm: readonly number[] }
  readonly Slice: { readonly begin: readonly number[]; readonly size: readonly number[] }
  readonly SplitV: Along & { readonly numOrSizeSplits: readonly number[] }
  readonly PadV2: { readonly paddings: Padding; readonly constantValue: number }
  readonly Tile: { readonly reps: readonly number[] }
  readonly Fill: { readonly shape: readonly number[]; readonly value: number; readonly dtype: ProgramType }
  readonly DepthToSpace: { readonly blockSize: number; readonly dataFormat: 'NHWC' }
  readonly GatherV2: Along & { readonly batchDims: 0 }
  readonly OneHot: {
    readonly depth: number
    readonly onValue: number
    readonly offValue: number
    readonly dtype: ProgramType
  }
  readonly BatchMatMul: Transposition
  readonly Conv2D: ConvolutionAttributes
  readonly Conv2DBackpropInput: ConvolutionAttributes & { readonly inputShape: readonly number[] }
  readonly Conv2DBackpropFilter: ConvolutionAttributes & { readonly filterShape: readonly number[] }
  /** The mean over all workers of the value that each has; `instance` tells the calls of a program apart. */
  readonly AllReduce: { readonly workers: number; readonly instance: number }
  readonly Dense: Transposition & { readonly relu: boolean }
  /** Inputs are those of the convolution, the image and the scale of each term, and the bias. */
  readonly ImageSum: {
    readonly convolution: ImageConvolution | undefined
    /** For each term, whether it has a scale. */
    readonly scaled: readonly boolean[]
    readonly biased: boolean
    readonly relu: boolean
  }
  readonly ChannelDot: { readonly mean: boolean }
}

export type Kernel = keyof Attributes

/** A call of one of these kernels. */
export type CallOf<K extends Kernel> = K extends Kernel
  ? {
      readonly kernel: K
      /** Numbers of values, in the order of the kernel's signature. */
      readonly inputs: readonly number[]
      readonly attrs: Attributes[K]
      readonly outputs: readonly number[]
    }
  : never

/** One call of a kernel. */
export type Call = CallOf<Kernel>

/** The attributes as the last argument, which may be left out where there are none. */
export type Rest<K extends Kernel> = None extends Attributes[K] ? [attrs?: Attributes[K]] : [attrs: Attributes[K]]

export const callOf = <K extends Kernel>(
  kernel: K,
  inputs: readonly number[],
  outputs: readonly number[],
  ...[attrs]: Rest<K>
): Call =>
  // the compiler does not relate a kernel and its attributes while it does not know which one it is
  ({ kernel, inputs, attrs: attrs ?? {}, outputs }) as Call

export const isCall = <K extends Kernel>(call: Call | undefined, ...kernels: readonly K[]): call is CallOf<K> =>
  call !== undefined && (kernels as readonly Kernel[]).includes(call.kernel)
