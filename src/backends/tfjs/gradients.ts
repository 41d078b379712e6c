/**
 * The gradients of the kernels that the library runs. The bundle of `@tensorflow/tfjs-core` that Node loads registers
 * none (they come with the much larger `@tensorflow/tfjs`), so this table does. Every gradient is made of ops, hence
 * itself differentiable, and of the ops that are cheap on every engine and can be traced. They replace those of
 * `@tensorflow/tfjs`, some of which have the shape of the wrong operand (`Maximum`, `SquaredDifference`) or kernels of
 * their own (`EluGrad`, `UnsortedSegmentSum`).
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import {
  type Attrs,
  dyOf,
  mask,
  type Named,
  ofDy,
  ofInputs,
  ofPair,
  ofX,
  ofY,
  type T,
  unbroadcast,
} from './grad-config.js'
import { orderTape } from './tape.js'

const axesOf = (axis: unknown, x: T): number[] => tf.util.parseAxisParam(axis as number | number[], x.shape)

// Constants are made by `tf.fill`, on the engine; `tf.ones` and `tf.zeros` would be filled by JavaScript and copied.

/** The shape of `x` reduced over `axis`, the reduced axes kept as 1. */
const kept = (x: T, axis: unknown): number[] => {
  const axes = axesOf(axis, x)
  return x.shape.map((n, i) => (axes.includes(i) ? 1 : n))
}

const spread = (dy: T, x: T, axis: unknown): T => tf.mul(tf.reshape(dy, kept(x, axis)), tf.fill(x.shape, 1))

const extremum =
  (axisName: string): ((dy: T, saved: T[], attrs: Attrs) => Named) =>
  (dy, [x, y], attrs) => ({
    // Spread before it is compared: comparisons that broadcast are slow.
    x: () => tf.mul(spread(dy, x!, attrs[axisName]), mask(tf.equal(x!, spread(y!, x!, attrs[axisName])))),
  })

const pairwise: readonly tf.GradConfig[] = [
  ofPair(
    'Add',
    (dy) => dy,
    (dy) => dy,
  ),
  ofPair(
    'Sub',
    (dy) => dy,
    (dy) => tf.neg(dy),
  ),
  ofPair(
    'Multiply',
    (dy, _, b) => tf.mul(dy, mask(b)),
    (dy, a) => tf.mul(dy, mask(a)),
  ),
  ofPair(
    'RealDiv',
    (dy, _, b) => tf.div(dy, mask(b)),
    (dy, a, b) => tf.neg(tf.div(tf.mul(dy, a), tf.square(b))),
  ),
  ofPair(
    'Maximum',
    (dy, a, b) => tf.mul(dy, mask(tf.greaterEqual(a, b))),
    (dy, a, b) => tf.mul(dy, mask(tf.less(a, b))),
  ),
  ofPair(
    'Minimum',
    (dy, a, b) => tf.mul(dy, mask(tf.lessEqual(a, b))),
    (dy, a, b) => tf.mul(dy, mask(tf.greater(a, b))),
  ),
  ofPair(
    'SquaredDifference',
    (dy, a, b) => tf.mul(dy, tf.mul(tf.sub(a, b), 2)),
    (dy, a, b) => tf.mul(dy, tf.mul(tf.sub(b, a), 2)),
  ),
  ofPair(
    'Pow',
    // a⁰ stays a⁰: its derivative at 0 is 0, not 0·0⁻¹
    (dy, a, b) => tf.mul(dy, tf.mul(b, tf.pow(a, tf.sub(b, mask(tf.notEqual(b, 0)))))),
    // 1 before the logarithm, not 0 after it, whose own gradient would be 0/0
    (dy, a, b) => tf.mul(dy, tf.mul(tf.pow(a, b), tf.log(tf.where(tf.greater(a, 0), a, tf.onesLike(a))))),
  ),
  ...['Greater', 'GreaterEqual', 'Less', 'LessEqual', 'Equal', 'NotEqual', 'LogicalAnd', 'LogicalOr'].map((k) =>
    ofInputs(k, ['a', 'b'], (_, [a, b]) => ({ a: () => tf.fill(a!.shape, 0), b: () => tf.fill(b!.shape, 0) })),
  ),
  ofInputs('Select', ['condition', 't', 'e'], (dy, [condition, t, e]) => ({
    condition: () => tf.fill(condition!.shape, 0),
    t: () => unbroadcast(tf.mul(dy, mask(condition!)), t!.shape),
    e: () => unbroadcast(tf.mul(dy, mask(tf.logicalNot(condition!))), e!.shape),
  })),
]

const pointwise: readonly tf.GradConfig[] = [
  ofY('Exp', (dy, y) => tf.mul(dy, y)),
  ofX('Expm1', (dy, x) => tf.mul(dy, tf.exp(x))),
  ofX('Log', (dy, x) => tf.div(dy, x)),
  ofX('Log1p', (dy, x) => tf.div(dy, tf.add(x, 1))),
  ofY('Tanh', (dy, y) => tf.mul(dy, tf.sub(1, tf.square(y)))),
  ofY('Sigmoid', (dy, y) => tf.mul(dy, tf.mul(y, tf.sub(1, y)))),
  ofX('Softplus', (dy, x) => tf.mul(dy, tf.sigmoid(x))),
  ofY('Relu', (dy, y) => tf.mul(dy, tf.step(y))),
  ofX('Relu6', (dy, x) => tf.mul(dy, tf.mul(tf.step(x), mask(tf.lessEqual(x, 6))))),
  ofX('LeakyRelu', (dy, x, { alpha }) => tf.mul(dy, tf.step(x, alpha as number))),
  ofY('Elu', (dy, y) => tf.mul(dy, tf.sub(1, tf.relu(tf.neg(y))))),
  ofX('Erf', (dy, x) => tf.mul(dy, tf.mul(tf.exp(tf.neg(tf.square(x))), 2 / Math.sqrt(Math.PI)))),
  ofX('Square', (dy, x) => tf.mul(dy, tf.mul(x, 2))),
  ofY('Sqrt', (dy, y) => tf.div(dy, tf.mul(y, 2))),
  ofY('Rsqrt', (dy, y) => tf.mul(dy, tf.mul(tf.mul(tf.square(y), y), -0.5))),
  ofY('Reciprocal', (dy, y) => tf.neg(tf.mul(dy, tf.square(y)))),
  ofX('Abs', (dy, x) => tf.mul(dy, tf.step(x, -1))),
  ofDy('Neg', (dy) => tf.neg(dy)),
  ofX('Sin', (dy, x) => tf.mul(dy, tf.cos(x))),
  ofX('Cos', (dy, x) => tf.neg(tf.mul(dy, tf.sin(x)))),
  ofX('Atan', (dy, x) => tf.div(dy, tf.add(tf.square(x), 1))),
  {
    ...ofInputs('ClipByValue', ['x'], (dy, [x, y]) => ({ x: () => tf.mul(dy, mask(tf.equal(x!, y!))) })),
    outputsToSave: [true],
  },
  ofDy('Identity', (dy) => tf.cast(dy, 'float32')),
  ofDy('Cast', (dy) => tf.clone(dy)),
  ...[
    'Sign',
    'Step',
    'Floor',
    'Ceil',
    'Round',
    'ZerosLike',
    'OnesLike',
    'LogicalNot',
    'IsNan',
    'IsInf',
    'IsFinite',
  ].map((k) => ofDy(k, (dy) => tf.fill(dy.shape, 0))),
]

const reductions: readonly tf.GradConfig[] = [
  ofX('Sum', (dy, x, { axis }) => spread(dy, x, axis)),
  ofX('Mean', (dy, x, { axis }) =>
    spread(tf.mul(dy, tf.util.sizeFromShape(kept(x, axis)) / Math.max(x.size, 1)), x, axis),
  ),
  { ...ofInputs('Max', ['x'], extremum('reductionIndices')), outputsToSave: [true] },
  { ...ofInputs('Min', ['x'], extremum('axis')), outputsToSave: [true] },
  ofY(
    'Softmax',
    (dy, y, { dim }) => {
      const g = tf.mul(dy, y)
      return tf.sub(g, tf.mul(tf.sum(g, dim as number, true), y))
    },
    'logits',
  ),
  ...['All', 'Any'].map((k) => ofX(k, (_, x) => tf.fill(x.shape, 0))),
  ofDy('Cumsum', (dy, { axis, exclusive, reverse }) =>
    tf.cumsum(dy, axis as number, exclusive as boolean, !(reverse as boolean)),
  ),
]

const movements: readonly tf.GradConfig[] = [
  ofX('Reshape', (dy, x) => tf.reshape(dy, x.shape)),
  ofInputs('ExpandDims', ['input'], (dy, [input]) => ({ input: () => tf.reshape(dy, input!.shape) })),
  ofDy('Transpose', (dy, { perm }) => tf.transpose(dy, tf.backend_util.getUndoAxesPermutation(perm as number[]))),
  ofDy('Reverse', (dy, { dims }) => tf.reverse(dy, dims as number[])),
  ofX('Slice', (dy, x, { begin, size }) => {
    const [from, sizes] = tf.slice_util.parseSliceParams(x, begin as number[], size as number[]) as [number[], number[]]
    return tf.pad(
      dy,
      x.shape.map((n, i): [number, number] => [from[i]!, n - from[i]! - sizes[i]!]),
    )
  }),
  ofX('PadV2', (dy, x, { paddings }) =>
    tf.slice(
      dy,
      (paddings as number[][]).map(([before]) => before!),
      x.shape,
    ),
  ),
  ofX('Tile', (dy, x, { reps }) =>
    // An axis that was repeated is split in two, how often and what; the first is summed away.
    (reps as number[]).reduce((g, times, axis) => {
      const [before, after] = [g.shape.slice(0, axis), g.shape.slice(axis + 1)]
      return times === 1 ? g : tf.sum(tf.reshape(g, [...before, times, x.shape[axis]!, ...after]), axis)
    }, dy),
  ),
  ofX('DepthToSpace', (dy, x, { blockSize, dataFormat }) => {
    if (dataFormat !== 'NHWC') throw new Error(`gradient of DepthToSpace: only NHWC is supported, not ${dataFormat}`)
    const [b, h, w, c] = x.shape as [number, number, number, number]
    const k = blockSize as number
    return tf.reshape(tf.transpose(tf.reshape(dy, [b, h, k, w, k, c / (k * k)]), [0, 1, 3, 2, 4, 5]), x.shape)
  }),
  ofInputs('GatherV2', ['x', 'indices'], (dy, [x, indices], { axis, batchDims }) => ({
    x: () => {
      if (batchDims !== 0) throw new Error('gradient of GatherV2: batchDims is not supported')
      const at = axesOf(axis, x!)[0]!
      const [outer, n] = [x!.shape.slice(0, at), x!.shape[at]!]
      const rows = tf.reshape(dy, [tf.util.sizeFromShape(outer), indices!.size, -1])
      const hot = tf.oneHot(tf.reshape(indices!, [-1]) as tf.Tensor1D, n)
      return tf.reshape(tf.matMul(tf.expandDims(tf.transpose(mask(hot)), 0), rows), x!.shape)
    },
    indices: () => tf.fill(indices!.shape, 0),
  })),
  ofInputs('OneHot', ['indices'], (_, [indices]) => ({ indices: () => tf.fill(indices!.shape, 0) })),
  { kernelName: 'Unpack', gradFunc: (dy, _, { axis }) => ({ value: () => tf.stack([dy].flat(), axis as number) }) },
  { kernelName: 'SplitV', gradFunc: (dy, _, { axis }) => ({ x: () => tf.concat([dy].flat(), axis as number) }) },
]

/** The gradient of a kernel that takes a list: one function for each entry, under its number. */
const ofList = (kernelName: string, f: (dy: T, saved: T[], attrs: Attrs) => readonly (() => T)[]): tf.GradConfig => ({
  kernelName,
  saveAllInputs: true,
  gradFunc: (dy, saved, attrs) => Object.fromEntries(f(dyOf(dy), saved, attrs).map((g, i) => [i, g])),
})

const lists: readonly tf.GradConfig[] = [
  ofList('AddN', (dy, saved) => saved.map(() => () => tf.clone(dy))),
  ofList('Concat', (dy, saved, { axis }) => {
    const at = axesOf(axis, saved[0]!)[0]!
    return tf
      .split(
        dy,
        saved.map((t) => t.shape[at]!),
        at,
      )
      .map((g) => () => g)
  }),
  ofList('Pack', (dy, _, { axis }) => tf.unstack(dy, axis as number).map((g) => () => g)),
]

type Inputs = Record<string, T>

/** A convolution or one of its two gradients, of the geometry that another of the three has. */
const convolution = (kernel: string, inputs: Inputs, of: Attrs, shape: Attrs): T => {
  const { strides, pad, dataFormat, dimRoundingMode } = of
  return tf.engine().runKernel(kernel, inputs, { strides, pad, dataFormat, dimRoundingMode, ...shape } as Attrs)
}
const convolved = (x: T, filter: T, of: Attrs): T => convolution('Conv2D', { x, filter }, of, { dilations: 1 })
const inputGradient = (dy: T, filter: T, { shape }: T, of: Attrs): T =>
  convolution('Conv2DBackpropInput', { dy, filter }, of, { inputShape: shape })
const filterGradient = (x: T, dy: T, { shape }: T, of: Attrs): T =>
  convolution('Conv2DBackpropFilter', { x, dy }, of, { filterShape: shape })

// Each of the three is linear in both of its operands, and the other two are its gradients.
const products: readonly tf.GradConfig[] = [
  ofInputs('BatchMatMul', ['a', 'b'], (dy, [a, b], { transposeA, transposeB }) => ({
    a: () =>
      unbroadcast(
        transposeA ? tf.matMul(b!, dy, transposeB as boolean, true) : tf.matMul(dy, b!, false, !transposeB),
        a!.shape,
      ),
    b: () =>
      unbroadcast(
        transposeB ? tf.matMul(dy, a!, true, transposeA as boolean) : tf.matMul(a!, dy, !transposeA, false),
        b!.shape,
      ),
  })),
  ofInputs('Conv2D', ['x', 'filter'], (dy, [x, filter], attrs) => {
    const { dilations } = attrs
    if ([dilations as number | number[]].flat().some((d) => d > 1))
      throw new Error(`gradient of Conv2D: dilations [${dilations}] are not supported`)
    return {
      x: () => inputGradient(dy, filter!, x!, attrs),
      filter: () => filterGradient(x!, dy, filter!, attrs),
    }
  }),
  ofInputs('Conv2DBackpropInput', ['dy', 'filter'], (dx, [dy, filter], attrs) => ({
    dy: () => convolved(dx, filter!, attrs),
    filter: () => filterGradient(dx, dy!, filter!, attrs),
  })),
  ofInputs('Conv2DBackpropFilter', ['x', 'dy'], (df, [x, dy], attrs) => ({
    x: () => inputGradient(dy!, df, x!, attrs),
    dy: () => convolved(x!, df, attrs),
  })),
]

/** Registers the gradients, in place of others that are registered. Calling it again changes nothing. */
export const registerGradients = (): void => {
  orderTape()
  for (const g of [...pairwise, ...pointwise, ...reductions, ...movements, ...lists, ...products])
    tf.registerGradient(g)
}
