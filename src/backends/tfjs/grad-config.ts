/**
 * What the gradient of a kernel is made from, in the form that TensorFlow.js registers.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'

export type T = tf.Tensor
export type Named = Record<string, () => T>
export type Attrs = tf.NamedAttrMap

/** The gradient that arrives at the one output of a kernel. */
export const dyOf = (dy: T | T[]): T => (Array.isArray(dy) ? dy[0]! : dy)

/** A gradient made from the inputs that are named, in that order. */
export const ofInputs = (
  kernelName: string,
  inputsToSave: string[],
  f: (dy: T, saved: T[], attrs: Attrs) => Named,
): tf.GradConfig => ({ kernelName, inputsToSave, gradFunc: (dy, saved, attrs) => f(dyOf(dy), saved, attrs) })

/** From the input x. */
export const ofX = (kernelName: string, f: (dy: T, x: T, attrs: Attrs) => T): tf.GradConfig =>
  ofInputs(kernelName, ['x'], (dy, [x], attrs) => ({ x: () => f(dy, x!, attrs) }))

/** From the output, which costs no second evaluation; `tape.ts` is what makes it differentiable. */
export const ofY = (kernelName: string, f: (dy: T, y: T, attrs: Attrs) => T, input = 'x'): tf.GradConfig => ({
  kernelName,
  outputsToSave: [true],
  gradFunc: (dy, [y], attrs) => ({ [input]: () => f(dyOf(dy), y!, attrs) }),
})

/** From nothing but the gradient that arrives. */
export const ofDy = (kernelName: string, f: (dy: T, attrs: Attrs) => T, input = 'x'): tf.GradConfig => ({
  kernelName,
  gradFunc: (dy, _, attrs) => ({ [input]: () => f(dyOf(dy), attrs) }),
})

/** Sums away what broadcasting repeated. */
export const unbroadcast = (g: T, shape: number[]): T => {
  const axes = tf.broadcast_util.getReductionAxes(shape, g.shape)
  return tf.reshape(axes.length > 0 ? tf.sum(g, axes) : g, shape)
}

/** From two inputs that may be broadcast. */
export const ofPair = (kernelName: string, fa: (dy: T, a: T, b: T) => T, fb: (dy: T, a: T, b: T) => T): tf.GradConfig =>
  ofInputs(kernelName, ['a', 'b'], (dy, [a, b]) => ({
    a: () => unbroadcast(fa(dy, a!, b!), a!.shape),
    b: () => unbroadcast(fb(dy, a!, b!), b!.shape),
  }))

/** A condition as 0 and 1. */
export const mask = (condition: T): T => tf.cast(condition, 'float32')
