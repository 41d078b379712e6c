/**
 * Mixtures of k normals with learned weights π, means μ and deviations σ, over all elements of the latents as one vector:
 *
 *     log p(z) = log Σᵢ πᵢ N(z; μᵢ, σᵢ²)
 *
 * With classes, there is one mixture for each class, and a one-hot context chooses one. The choice is a product with the
 * context, so soft labels mix the parameters. A temperature scales the spread within each component.
 *
 * The first batch sets the initial parameters: without classes by k-means; with classes by the mean of each class, shrunk
 * towards the mean of all, because a batch may have few examples of a class. All elements of a component start with one
 * deviation.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import type { Shape } from '../../types/shape.js'
import { DiffeoException, shapeError } from '../error.js'
import { tidy } from '../tensor/ops.js'
import { count, wrongOption } from '../tensor/options.js'
import { constant, gaussian, type Params } from '../tensor/params.js'
import { sameShape, show } from '../tensor/shape.js'
import { type AnyTensor, trust, unwrap } from '../tensor/tensor.js'
import { type Base, tempered } from './base.js'
import { boundedSquare, elements, flattened, ofFinite, unflattened } from './flat.js'

/** Steps of k-means on the first batch. */
const LLOYD_STEPS = 5

interface Mixture {
  readonly k: number
  readonly d: number
  readonly classes: number
}

/** The parameters for each example: logits n×k, means and log-deviations n×k×d; one row for all without classes. */
const rowsOf = (params: Params, { k, d, classes }: Mixture, given: AnyTensor | undefined) => {
  const pick = (name: string, size: number): tf.Tensor => {
    const table = tf.reshape(unwrap(params[name] as AnyTensor), [classes, size])
    return given === undefined ? table : tf.matMul(unwrap(given) as tf.Tensor2D, table as tf.Tensor2D)
  }
  return {
    logits: pick('logits', k),
    means: tf.reshape(pick('means', k * d), [-1, k, d]),
    logScales: tf.reshape(pick('logScales', k * d), [-1, k, d]),
  }
}

const logDensity = (params: Params, of: Mixture, given: AnyTensor | undefined) => (flat: tf.Tensor2D) => {
  const { logits, means, logScales } = rowsOf(params, of, given)
  const u = tf.mul(tf.sub(tf.expandDims(flat, 1), means), tf.exp(tf.neg(logScales)))
  const each = tf.sum(tf.sub(tf.mul(boundedSquare(u), -0.5), tf.add(logScales, 0.5 * Math.log(2 * Math.PI))), 2)
  const logWeights = tf.sub(logits, tf.logSumExp(logits, 1, true))
  return tf.logSumExp(tf.add(each, logWeights), 1)
}

/** One-hot rows of the component whose part of [0, 1) a uniform is in. */
const chosen = (logits: tf.Tensor, uniform: tf.Tensor): tf.Tensor => {
  const weights = tf.softmax(logits)
  const starts = tf.sub(tf.cumsum(weights, 1), weights)
  const reached = tf.cast(tf.greaterEqual(tf.tile(uniform, [1, starts.shape[1]!]), starts), 'float32')
  const [n, k] = reached.shape as [number, number]
  if (k === 1) return tf.onesLike(reached)
  // every uniform has reached the first; the last has no end
  const next = tf.concat([tf.slice(reached, [0, 1], [n, k - 1]), tf.zeros([n, 1])], 1)
  return tf.sub(reached, next)
}

/** One-hot rows of the nearest centre; ties are shared. */
const nearest = (z: tf.Tensor2D, centres: tf.Tensor2D): tf.Tensor2D => {
  const distances = tf.sum(tf.square(tf.sub(tf.expandDims(z, 1), tf.expandDims(centres, 0))), 2)
  const hits = tf.cast(tf.lessEqual(distances, tf.min(distances, 1, true)), 'float32')
  return tf.div(hits, tf.sum(hits, 1, true)) as tf.Tensor2D
}

/** The mean of the examples of each group and of `more` examples at the old mean. */
const meansOf = (z: tf.Tensor2D, groups: tf.Tensor2D, old: tf.Tensor2D, more = 1e-6): tf.Tensor2D => {
  const counts = tf.expandDims(tf.sum(groups, 0), 1)
  const sums = tf.add(tf.matMul(groups, z, true), tf.mul(old, more))
  return tf.div(sums, tf.add(counts, more)) as tf.Tensor2D
}

/** The first centre is the example nearest to the mean; each next one is the example farthest from those before. */
const farthestFirst = (z: tf.Tensor2D, k: number): tf.Tensor2D => {
  const squares = (c: tf.Tensor): tf.Tensor => tf.sum(tf.square(tf.sub(z, c)), 1)
  const pick = (score: tf.Tensor): tf.Tensor2D => {
    const hits = tf.cast(tf.greaterEqual(score, tf.max(score)), 'float32')
    return tf.reshape(tf.div(tf.sum(tf.mul(z, tf.expandDims(hits, 1)), 0), tf.sum(hits)), [1, -1])
  }
  const centres = [pick(tf.neg(squares(tf.mean(z, 0, true))))]
  let distance = squares(centres[0]!)
  while (centres.length < k) {
    const next = pick(distance)
    centres.push(next)
    distance = tf.minimum(distance, squares(next))
  }
  return tf.concat(centres, 0)
}

/** How many examples of pooled statistics each group gets in addition: groups of the first batch may be small. */
const POOLED = 5

/** Sizes, means and log-deviations of groups of examples. */
const fromGroups = (z: tf.Tensor2D, groups: tf.Tensor2D, means: tf.Tensor2D) => {
  const squares = tf.square(tf.sub(tf.expandDims(z, 1), tf.expandDims(means, 0)))
  const weights = tf.expandDims(groups, 2)
  const counts = tf.expandDims(tf.sum(groups, 0), 1)
  const within = tf.sum(tf.mul(squares, weights), 0)
  const pooled = tf.div(tf.sum(within, 0, true), z.shape[0])
  const each = tf.div(tf.add(within, tf.mul(pooled, POOLED)), tf.add(counts, POOLED))
  // one for all elements: few examples cannot estimate each one, and training hardly leaves a deviation near 0
  const variances = tf.tile(tf.mean(each, 1, true), [1, z.shape[1]])
  return {
    counts: tf.sum(groups, 0),
    logScales: tf.mul(tf.log(tf.add(variances, 1e-4)), 0.5),
  }
}

/** The start of k components by k-means. */
const byKMeans = (z: tf.Tensor2D, { k, d }: Mixture): Params => {
  let centres = farthestFirst(z, k)
  for (let i = 0; i < LLOYD_STEPS; i++) centres = meansOf(z, nearest(z, centres), centres)
  const { counts, logScales } = fromGroups(z, nearest(z, centres), centres)
  return {
    logits: trust<Shape>(tf.reshape(tf.log(tf.add(counts, 1)), [1, k])),
    means: trust<Shape>(tf.reshape(centres, [1, k, d])),
    logScales: trust<Shape>(tf.reshape(logScales, [1, k, d])),
  }
}

/** The start of each class from its own examples: moves and scales the drawn means. */
const byClass = (params: Params, z: tf.Tensor2D, labels: tf.Tensor2D, { k, d, classes }: Mixture): Params => {
  const all = tf.tile(tf.mean(z, 0, true), [classes, 1]) as tf.Tensor2D
  const means = meansOf(z, labels, all, POOLED)
  const { logScales } = fromGroups(z, labels, means)
  const spread = (t: tf.Tensor): tf.Tensor => tf.tile(tf.reshape(t, [classes, 1, d]), [1, k, 1])
  const drawn = k === 1 ? 0 : tf.mul(unwrap(params['means'] as AnyTensor), tf.exp(spread(logScales)))
  return {
    ...params,
    means: trust<Shape>(tf.add(spread(means), drawn)),
    logScales: trust<Shape>(spread(logScales)),
  }
}

const mixture = (name: string, k: number, classes: number, isConditional: boolean): Base => {
  const wrong = wrongOption(name, [count('components', k), count('classes', classes)])
  if (wrong !== undefined) throw new DiffeoException(wrong)
  const contextOf = (given: AnyTensor | undefined): AnyTensor | undefined => (isConditional ? given : undefined)
  return {
    name,
    spec: (latents, given) => {
      if (isConditional && !(given !== undefined && sameShape(given, [classes])))
        throw new DiffeoException(
          shapeError(
            name,
            `a context of ${classes}, one number for each class`,
            given === undefined ? 'none' : show(given),
            `start the flow with input(shape, { given: [${classes}] })`,
          ),
        )
      const d = elements(latents)
      return {
        logits: constant([classes, k], 0),
        means: gaussian([classes, k, d], k === 1 ? 0.01 : 1),
        logScales: constant([classes, k, d], 0),
      }
    },
    logProb: (params, z, given) =>
      ofFinite((flat) => logDensity(params, { k, d: flat.shape[1], classes }, contextOf(given))(flat))(z),
    noise: (latents) => [
      { kind: 'normal', shape: [elements(latents)] },
      { kind: 'uniform', shape: [1] },
    ],
    make: (latents, params, [normal, uniform], { temperature, given } = {}) =>
      tidy(() => {
        const of = { k, d: elements(latents), classes }
        const { logits, means, logScales } = rowsOf(params, of, contextOf(given))
        const which = tf.expandDims(chosen(logits, unwrap(uniform!)), 2)
        const at = (t: tf.Tensor): tf.Tensor => tf.sum(tf.mul(t, which), 1)
        const e = unwrap(tempered(normal!, temperature))
        return unflattened(latents, tf.add(at(means), tf.mul(at(tf.exp(logScales)), e)))
      }),
    start: (params, z, given) =>
      tidy(() => {
        const flat = flattened(z)
        const of = { k, d: flat.shape[1], classes }
        const labels = contextOf(given)
        return labels === undefined ? byKMeans(flat, of) : byClass(params, flat, unwrap(labels) as tf.Tensor2D, of)
      }),
  }
}

/**
 * A mixture of `k` normals with learned weights, means and deviations.
 *
 * @throws DiffeoException if `k` is not a whole number of at least 1
 * @example const model = flow(atShape([2], realNvpVector()), gaussianMixture(5))
 */
export const gaussianMixture = (k: number): Base => mixture('gaussianMixture', k, 1, false)

/**
 * A mixture of `k` normals for each class, chosen by a one-hot context (FlowGMM, Izmailov et al. 2020, for k = 1): the flow is
 * shared, and the base tells the classes apart.
 *
 * @throws DiffeoException if a number is not whole and at least 1; from `flow`, if the context is not one number for each class
 * @example const model = flow(atShape([2], realNvpVector(), { given: [10] }), classMixture(10))
 */
export const classMixture = (classes: number, k = 1): Base => mixture('classMixture', k, classes, true)
