/**
 * Optimisers as pure pairs `{ init, update }` over a list of tensors: nothing mutable, so a step is a function and a
 * checkpoint is a value.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import { hosted, hostedCopy } from '../host.js'
import { tidy } from '../tensor/ops.js'

/** Moments: one list of tensors each, in the order of the parameters. */
export type Moments = readonly (readonly tf.Tensor[])[]

export interface Optimiser {
  readonly init: (params: readonly tf.Tensor[]) => Moments
  /**
   * The numbers that change from step to step, at step 1, 2, … with the given learning rate. They are computed in
   * double precision and outside of `update`, which is compiled once and takes them as tensors.
   */
  readonly rates: (step: number, learningRate: number) => readonly number[]
  /** The next parameters and moments; `rates` are scalars. */
  readonly update: (
    grads: readonly tf.Tensor[],
    moments: Moments,
    params: readonly tf.Tensor[],
    rates: readonly tf.Tensor[],
  ) => readonly [params: readonly tf.Tensor[], moments: Moments]
}

/** Zeros of the same shape, outside the memory of WebAssembly. */
const zeros = ({ size, shape }: tf.Tensor): tf.Tensor => hosted(new Float32Array(size), shape)

export interface AdamOptions {
  readonly beta1?: number
  readonly beta2?: number
  readonly epsilon?: number
}

/**
 * Adam (Kingma & Ba 2015): m ← β₁m + (1−β₁)g, v ← β₂v + (1−β₂)g²,
 * θ ← θ − η·√(1−β₂ᵗ)/(1−β₁ᵗ)·m/(√v + ε√(1−β₂ᵗ)).
 *
 * @example const optimiser = adam({ beta2: 0.99 })
 */
export const adam = ({ beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8 }: AdamOptions = {}): Optimiser => ({
  init: (params) => [params.map(zeros), params.map(zeros)],
  rates: (step, learningRate) => {
    const root = Math.sqrt(1 - beta2 ** step)
    return [(learningRate * root) / (1 - beta1 ** step), epsilon * root]
  },
  update: (grads, [m = [], v = []], params, [rate, floor]) =>
    tidy(() => {
      const nextM = grads.map((g, i) => tf.add(tf.mul(m[i]!, beta1), tf.mul(g, 1 - beta1)))
      const nextV = grads.map((g, i) => tf.add(tf.mul(v[i]!, beta2), tf.mul(tf.square(g), 1 - beta2)))
      const next = params.map((p, i) => tf.sub(p, tf.div(tf.mul(nextM[i]!, rate!), tf.add(tf.sqrt(nextV[i]!), floor!))))
      return [next, [nextM, nextV]]
    }),
})

/**
 * Gradients scaled down so that their joint norm is at most `max`; also that norm (Pascanu et al. 2013).
 *
 * @example const [[g], norm] = clipByGlobalNorm([tf.tensor1d([3, 4])], 1) // g = [0.6, 0.8], norm = 5
 */
export const clipByGlobalNorm = (
  grads: readonly tf.Tensor[],
  max: number,
): readonly [grads: readonly tf.Tensor[], norm: tf.Scalar] =>
  tidy(() => {
    const norm = tf.sqrt(tf.addN(grads.map((g) => tf.sum(tf.square(g))))) as tf.Scalar
    // in this order an infinite max clips nothing
    const factor = tf.div(1, tf.maximum(tf.div(norm, max), 1))
    return [grads.map((g) => tf.mul(g, factor)), norm]
  })

/** A learning rate for each step, counted from 0. */
export type Schedule = (step: number) => number

/**
 * The same rate throughout.
 *
 * @example constantRate(1e-3)(100) // 0.001
 */
export const constantRate =
  (rate: number): Schedule =>
  () =>
    rate

/**
 * Another schedule, its rate raised linearly over the first `steps` steps.
 *
 * @example warmUp(10, constantRate(1))(4) // 0.5
 */
export const warmUp =
  (steps: number, schedule: Schedule): Schedule =>
  (step) =>
    schedule(step) * Math.min(1, (step + 1) / Math.max(1, steps))

/**
 * Rises linearly over `rise` steps, then falls along a cosine to `last`·rate at `steps` (Loshchilov & Hutter 2017).
 *
 * @example cosineRate(1, 1000)(500) // 0.505
 */
export const cosineRate = (rate: number, steps: number, rise = 0, last = 0.01): Schedule =>
  warmUp(rise, (step) => {
    const done = Math.min(1, Math.max(0, step - rise) / Math.max(1, steps - rise))
    return rate * (last + (1 - last) * 0.5 * (1 + Math.cos(Math.PI * done)))
  })

/** An optimiser whose moments hold an average of the parameters, which `averageParams` asks for. */
export interface Averaged extends Optimiser {
  /** The average among its moments: borrowed. */
  readonly average: (moments: Moments) => readonly tf.Tensor[]
}

/**
 * An optimiser that also keeps an exponential moving average of the parameters (after Polyak & Juditsky 1992), as its
 * last list of moments: a ← d·a + (1−d)·θ with d = min(decay, (1 + t)/(10 + t)), so that a short run is averaged too.
 *
 * @example
 * const optimiser = averaged(adam(), 0.99)
 */
export const averaged = (optimiser: Optimiser, decay = 0.995): Averaged => ({
  init: (params) => [...optimiser.init(params), params.map(hostedCopy)],
  rates: (step, learningRate) => {
    const d = Math.min(decay, (1 + step) / (10 + step))
    return [...optimiser.rates(step, learningRate), d, 1 - d]
  },
  update: (grads, moments, params, rates) =>
    tidy(() => {
      const [next, inner] = optimiser.update(grads, moments.slice(0, -1), params, rates.slice(0, -2))
      const [d, rest] = rates.slice(-2)
      const average = moments.at(-1) ?? []
      return [next, [...inner, next.map((p, i) => tf.add(tf.mul(average[i]!, d!), tf.mul(p, rest!)))]]
    }),
  average: (moments) => moments.at(-1) ?? [],
})
