/** Every operation that can be traced, on shapes of any size that bring out broadcasting. */
import * as tf from '@tensorflow/tfjs-core'

/** A function of tensors, and the shapes of its arguments. */
export interface Operation {
  readonly f: (...xs: tf.Tensor[]) => tf.Tensor
  readonly shapes: readonly (readonly number[])[]
  /** Whether there is no gradient, as of comparisons. */
  readonly constant?: boolean
}
const of = (f: Operation['f'], ...shapes: readonly (readonly number[])[]): Operation => ({ f, shapes })
const constant = (f: Operation['f'], ...shapes: readonly (readonly number[])[]): Operation => ({
  f: (...xs) => tf.cast(f(...xs), 'float32'),
  shapes,
  constant: true,
})
const byName = (fs: readonly ((...xs: tf.Tensor[]) => tf.Tensor)[], make: (f: Operation['f']) => Operation) =>
  Object.fromEntries(fs.map((f) => [f.name.replace(/_*op$/, ''), make(f)]))

const pair = (x: tf.Tensor): tf.Tensor => tf.mul(tf.unstack(x, 1)[0]!, tf.unstack(x, 1)[2]!)

/** The sizes that shapes are made of. */
export type Sizes = readonly [n: number, h: number, w: number, c: number]

/** The operations by name, on shapes of these sizes. */
export const functionsOf = ([n, h, w, c]: Sizes): Readonly<Record<string, Operation>> => {
  const lots = [n, h, w, c]
  const rows = [n, c + 1]
  return {
    add: of(tf.add, lots, [c]),
    'add, operands exchanged': of(tf.add, [1, 1, 1, c], lots),
    sub: of(tf.sub, [c], lots),
    mul: of(tf.mul, lots, [1, c]),
    'mul by an event': of(tf.mul, lots, [h, w, c]),
    'mul by a batch': of(tf.mul, lots, [n, 1, 1, 1]),
    div: of((a, b) => tf.div(a, tf.add(tf.abs(b), 1)), lots, [c]),
    'div, operands exchanged': of((a, b) => tf.div(b, tf.add(tf.abs(a), 1)), lots, [c]),
    // of squares: one number of mixed signs may be nothing but what cancels
    'sum over all': of((x) => tf.sum(tf.square(x)), lots),
    'sum over the batch': of((x) => tf.sum(x, 0), lots),
    'sum over leading axes': of((x) => tf.sum(x, [0, 1, 2], true), lots),
    'sum over the event': of((x) => tf.sum(x, [1, 2, 3]), lots),
    'mean over leading axes': of((x) => tf.mean(x, [0, 1, 2]), lots),
    'mean over all': of((x) => tf.mean(tf.square(x)), lots),
    // at least four values each: of one or two, the gradient is nothing but what cancels
    moments: of(
      (x) => {
        const { mean, variance } = tf.moments(x, [0, 1, 2])
        return tf.div(tf.sub(x, mean), tf.sqrt(tf.add(variance, 1e-3)))
      },
      [n + 3, h, w, c],
    ),
    max: of((x) => tf.max(x, 1), lots),
    min: of((x) => tf.min(x), lots),
    logSumExp: of((x) => tf.logSumExp(x, 1), rows),
    softmax: of((x) => tf.softmax(x), rows),
    logSoftmax: of((x) => tf.logSoftmax(x), rows),
    cumsum: of((x) => tf.cumsum(x, 1, true), rows),
    tile: of((x) => tf.tile(x, [2, 1, 3]), [n, h, c]),
    broadcastTo: of((x) => tf.broadcastTo(x, [n, h, c]), [1, h, 1]),
    depthToSpace: of((x) => tf.depthToSpace(x as tf.Tensor4D, 2), [n, h, w, 4 * c]),
    transpose: of((x) => tf.transpose(x, [1, 3, 0, 2]), lots),
    'tile the batch': of((x) => tf.tile(x, [3, 1, 1, 1]), lots),
    reverse: of((x) => tf.reverse(x, [1, 3]), lots),
    concat: of((a, b) => tf.concat([a, b, a], 3), lots, [n, h, w, c + 3]),
    split: of((x) => tf.split(x, [1, 2, c], 3)[1]!, [n, h, w, c + 3]),
    stack: of((a, b) => tf.stack([a, b], 1), rows, rows),
    unstack: of(pair, [n, 3]),
    'concat along the last': of((a, b) => tf.concat([a, b], -1), lots, [n, h, w, 2]),
    'split along the last': of((x) => tf.split(x, [1, c], -1)[1]!, [n, h, w, c + 1]),
    'stack along the last': of((a, b) => tf.stack([a, b], -1), rows, rows),
    'stack before the last': of((a, b) => tf.stack([a, b], -2), rows, rows),
    'unstack along the last': of((x) => tf.mul(tf.unstack(x, -1)[0]!, tf.unstack(x, -1)[2]!), [n, h, 3]),
    'gather along the last': of((x) => tf.gather(x, tf.tensor1d([2, 0, 0], 'int32'), -1), [n, h, c + 2]),
    'reductions along the last': of((x) => tf.add(tf.sum(x, -1), tf.mul(tf.max(x, -1), tf.min(x, [-1]))), lots),
    'mean along the last': of((x) => tf.mean(x, -1, true), lots),
    'reverse the last': of((x) => tf.reverse(x, -1), lots),
    slice: of((x) => tf.slice(x, [0, 1, 2, 0], [n, -1, w, c]), [n, h + 1, w + 3, c]),
    pad: of(
      (x) =>
        tf.pad(x, [
          [0, 0],
          [1, 2],
          [0, 1],
          [0, 0],
        ]),
      lots,
    ),
    gather: of((x) => tf.gather(x, tf.tensor1d([2, 0, 0], 'int32'), 1), [n, h + 2, c]),
    expandDims: of((x) => tf.squeeze(tf.expandDims(tf.expandDims(x, 1), -1), [1, 3]), rows),
    matMul: of((a, b) => tf.matMul(a as tf.Tensor2D, b as tf.Tensor2D), [n, h], [h, c]),
    'matMul, first transposed': of((a, b) => tf.matMul(a, b, true), [h, n], [h, c]),
    'matMul, second transposed': of((a, b) => tf.matMul(a, b, false, true), [n, h], [c, h]),
    'matMul, both transposed': of((a, b) => tf.matMul(a, b, true, true), [h, n], [c, h]),
    'matMul in batches': of((a, b) => tf.matMul(a, b, false, true), [w, n, h], [w, c, h]),
    'matMul of one batch': of((a, b) => tf.matMul(a, b, false, true), [1, n, h], [1, c, h]),
    conv2d: of((x, k) => tf.conv2d(x as tf.Tensor4D, k as tf.Tensor4D, 1, 'same'), lots, [3, 3, c, n]),
    'conv2d, filter of one': of((x, k) => tf.conv2d(x as tf.Tensor4D, k as tf.Tensor4D, 1, 'valid'), lots, [
      1,
      1,
      c,
      n,
    ]),
    maximum: of(tf.maximum, lots, [c]),
    minimum: of(tf.minimum, lots, lots),
    where: of((a, b) => tf.where(tf.greater(a, 0), a, tf.mul(b, 2)), lots, lots),
    clip: of((x) => tf.clipByValue(x, -0.5, 1), lots),
    squaredDifference: of(tf.squaredDifference, lots, [c]),
    pow: of((a, b) => tf.pow(tf.add(tf.abs(a), 0.5), b), rows, [c + 1]),
    addN: of((a, b) => tf.addN([a, b, a]), rows, rows),
    clone: of((x) => tf.clone(x), rows),
    zerosLike: of((x) => tf.add(x, tf.zerosLike(x)), rows),
    onesLike: of((x) => tf.mul(x, tf.onesLike(x)), rows),
    log: of((x) => tf.log(tf.abs(x)), rows),
    log1p: of((x) => tf.log1p(tf.abs(x)), rows),
    sqrt: of((x) => tf.sqrt(tf.abs(x)), rows),
    rsqrt: of((x) => tf.rsqrt(tf.abs(x)), rows),
    reciprocal: of((x) => tf.reciprocal(x), rows),
    ...byName([tf.exp, tf.expm1, tf.tanh, tf.sigmoid, tf.softplus, tf.relu, tf.relu6, tf.elu, tf.erf, tf.square], (f) =>
      of((x) => f(x), lots),
    ),
    ...byName([tf.neg, tf.sin, tf.cos, tf.atan, tf.sign, tf.round, tf.floor, tf.ceil], (f) => of((x) => f(x), lots)),
    leakyRelu: of((x) => tf.leakyRelu(x), lots),
    step: of((x) => tf.step(x), lots),
    // rounded, so that some are equal
    ...byName([tf.greater, tf.greaterEqual, tf.less, tf.lessEqual, tf.equal, tf.notEqual], (f) =>
      constant((a, b) => f(tf.round(a), tf.round(b)), lots, [c]),
    ),
    ...byName([tf.logicalAnd, tf.logicalOr], (f) =>
      constant((a, b) => f(tf.greater(a, 0), tf.greater(b, 0)), lots, [c]),
    ),
    logicalNot: constant((x) => tf.logicalNot(tf.greater(x, 0)), lots),
    // square roots of what is negative, and divisions by 0: of its logarithm WGSL leaves open what it is
    ...byName([tf.isNaN, tf.isInf, tf.isFinite], (f) =>
      constant((x) => f(tf.add(tf.sqrt(x), tf.div(1, tf.abs(tf.round(x))))), lots),
    ),
    'mean of integers': constant((x) => tf.mean(tf.cast(tf.round(tf.mul(x, 3)), 'int32'), 1), rows),
    'all along the last': constant((x) => tf.all(tf.greater(x, -1), -1), rows),
    all: constant((x) => tf.all(tf.greater(x, -1), 1), rows),
    any: constant((x) => tf.any(tf.greater(x, 1), [0, 1], true), lots),
  }
}

/** On sizes that are not small. */
export const functions = functionsOf([5, 12, 11, 6])
