/** Every differentiable operation that the library uses, on shapes that bring out broadcasting and odd sizes. */
import * as tf from '@tensorflow/tfjs-core'

/** A function of tensors, and the shapes of its arguments. */
export interface Operation {
  readonly f: (...xs: tf.Tensor[]) => tf.Tensor
  readonly shapes: readonly (readonly number[])[]
}
const of = (f: Operation['f'], ...shapes: readonly (readonly number[])[]): Operation => ({ f, shapes })

const lots = [5, 12, 11, 6]

/** Operations with a gradient, and shapes to try them on. */
export const functions: Readonly<Record<string, Operation>> = {
  add: of(tf.add, lots, [6]),
  'add, operands exchanged': of(tf.add, [1, 1, 1, 6], lots),
  sub: of(tf.sub, [6], lots),
  mul: of(tf.mul, lots, [1, 6]),
  'mul by an event': of(tf.mul, lots, [12, 11, 6]),
  'mul by a batch': of(tf.mul, lots, [5, 1, 1, 1]),
  div: of((a, b) => tf.div(a, tf.add(tf.abs(b), 1)), lots, [6]),
  'div, operands exchanged': of((a, b) => tf.div(b, tf.add(tf.abs(a), 1)), lots, [6]),
  'sum over all': of((x) => tf.sum(x), lots),
  'sum over the batch': of((x) => tf.sum(x, 0), lots),
  'sum over leading axes': of((x) => tf.sum(x, [0, 1, 2], true), lots),
  'sum over the event': of((x) => tf.sum(x, [1, 2, 3]), lots),
  'mean over leading axes': of((x) => tf.mean(x, [0, 1, 2]), lots),
  'mean over all': of((x) => tf.mean(x), lots),
  moments: of((x) => {
    const { mean, variance } = tf.moments(x, [0, 1, 2])
    return tf.div(tf.sub(x, mean), tf.sqrt(tf.add(variance, 1e-3)))
  }, lots),
  max: of((x) => tf.max(x, 1), lots),
  min: of((x) => tf.min(x), lots),
  logSumExp: of((x) => tf.logSumExp(x, 1), [4, 7]),
  softmax: of((x) => tf.softmax(x), [4, 7]),
  logSoftmax: of((x) => tf.logSoftmax(x), [4, 7]),
  cumsum: of((x) => tf.cumsum(x, 1, true), [4, 7]),
  tile: of((x) => tf.tile(x, [2, 1, 3]), [2, 3, 4]),
  broadcastTo: of((x) => tf.broadcastTo(x, [5, 3, 4]), [1, 3, 1]),
  depthToSpace: of((x) => tf.depthToSpace(x as tf.Tensor4D, 2), [2, 3, 4, 8]),
  transpose: of((x) => tf.transpose(x, [1, 3, 0, 2]), lots),
  'tile the batch': of((x) => tf.tile(x, [3, 1, 1, 1]), lots),
  reverse: of((x) => tf.reverse(x, [1, 3]), lots),
  concat: of((a, b) => tf.concat([a, b, a], 3), [2, 3, 3, 2], [2, 3, 3, 5]),
  split: of((x) => tf.split(x, [1, 2, 3], 3)[1]!, lots),
  stack: of((a, b) => tf.stack([a, b], 1), [2, 3], [2, 3]),
  unstack: of((x) => tf.mul(tf.unstack(x, 1)[0]!, tf.unstack(x, 1)[2]!), [2, 3]),
  slice: of((x) => tf.slice(x, [0, 1, 2, 0], [5, -1, 3, 6]), lots),
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
  gather: of((x) => tf.gather(x, tf.tensor1d([2, 0, 0], 'int32'), 1), [2, 3, 4]),
  expandDims: of((x) => tf.squeeze(tf.expandDims(x, 1)), [2, 3]),
  matMul: of((a, b) => tf.matMul(a as tf.Tensor2D, b as tf.Tensor2D), [5, 4], [4, 3]),
  'matMul, first transposed': of((a, b) => tf.matMul(a, b, true), [4, 5], [4, 3]),
  'matMul, second transposed': of((a, b) => tf.matMul(a, b, false, true), [5, 4], [3, 4]),
  'matMul, both transposed': of((a, b) => tf.matMul(a, b, true, true), [4, 5], [3, 4]),
  'matMul in batches': of((a, b) => tf.matMul(a, b, false, true), [3, 5, 4], [3, 2, 4]),
  'matMul of one batch': of((a, b) => tf.matMul(a, b, false, true), [1, 5, 4], [1, 2, 4]),
  maximum: of(tf.maximum, lots, [6]),
  minimum: of(tf.minimum, lots, lots),
  where: of((a, b) => tf.where(tf.greater(a, 0), a, tf.mul(b, 2)), lots, lots),
  clip: of((x) => tf.clipByValue(x, -0.5, 1), lots),
  squaredDifference: of(tf.squaredDifference, lots, [6]),
  pow: of((a, b) => tf.pow(tf.add(tf.abs(a), 0.5), b), [3, 4], [4]),
  addN: of((a, b) => tf.addN([a, b, a]), [3, 4], [3, 4]),
  log: of((x) => tf.log(tf.abs(x)), [3, 4]),
  log1p: of((x) => tf.log1p(tf.abs(x)), [3, 4]),
  sqrt: of((x) => tf.sqrt(tf.abs(x)), [3, 4]),
  rsqrt: of((x) => tf.rsqrt(tf.abs(x)), [3, 4]),
  reciprocal: of((x) => tf.reciprocal(x), [3, 4]),
  ...Object.fromEntries(
    [tf.exp, tf.expm1, tf.tanh, tf.sigmoid, tf.softplus, tf.relu, tf.relu6, tf.leakyRelu, tf.elu, tf.erf, tf.square]
      .concat([tf.neg, tf.sin, tf.cos, tf.atan, tf.sign, tf.round])
      .map((f, i) => [`${f.name.replace(/_*op$/, '')} (${i})`, of((x) => f(x), lots)]),
  ),
}
