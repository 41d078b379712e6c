/**
 * The law "gradient of a gradient": the gradients of every operation are an operation themselves, of the gradient that
 * arrives and of the operands, and its own gradients are right. Against differences on the cpu, and compiled by every
 * engine against the cpu.
 */
import * as tf from '@tensorflow/tfjs-core'
import { key } from 'diffeo'
import { type EngineName, ready } from 'diffeo/engine'
import { normalArray } from 'diffeo/tensor'
import { describe, expect, it } from 'vitest'
import { registerGradients } from '../../src/backends/tfjs/gradients.js'
import { type Traced, operations as traced } from '../../src/compiler/operations.js'
import { trace } from '../../src/compiler/trace.js'
import { agreesWithDifferences, gradientsOf } from '../gradients.js'
import { agrees, fast } from './agree.js'
import { functionsOf, type Operation } from './functions.js'

const noise = (shape: readonly number[], seed: number): tf.Tensor =>
  tf.tensor(
    normalArray(
      key(seed),
      shape.reduce((a, b) => a * b, 1),
    ),
    [...shape],
  )

/** The gradients of an operation as one operation. */
const gradientOf = ({ f, shapes }: Operation): Operation => ({
  f: (dy, ...xs) => tf.concat(gradientsOf(f)(xs, dy).map((g) => tf.reshape(g, [-1]))),
  shapes: [tf.tidy(() => f(...shapes.map((s) => tf.ones([...s]))).shape), ...shapes],
})

const conv =
  (strides: number, pad: unknown): Operation['f'] =>
  (x, k) =>
    tf.conv2d(x as tf.Tensor4D, k as tf.Tensor4D, strides, pad as 'same')
const image = [2, 5, 4, 2]
/** What the registry of operations has no need of, because their first gradients do not differ. */
const more: Readonly<Record<string, Operation>> = {
  'conv2d of stride 2': { f: conv(2, 'same'), shapes: [image, [3, 3, 2, 3]] },
  'conv2d of stride 2, valid': { f: conv(2, 'valid'), shapes: [image, [2, 3, 2, 3]] },
  'conv2d, explicit padding': {
    f: conv(1, [
      [0, 0],
      [2, 0],
      [1, 1],
      [0, 0],
    ]),
    shapes: [image, [3, 3, 2, 3]],
  },
  'matMul of one batch with several': {
    f: (a, b) => tf.matMul(a, b),
    shapes: [
      [1, 2, 3],
      [4, 3, 2],
    ],
  },
  'matMul of one batch with several, transposed': {
    f: (a, b) => tf.matMul(a, b, true, true),
    shapes: [
      [4, 3, 2],
      [1, 2, 3],
    ],
  },
  'softmax after exp': { f: (x) => tf.softmax(tf.exp(x)), shapes: [[2, 3]] },
}

/** Operations whose arguments in the registry have no derivative: √x below 0, 1/0. */
const undifferentiable = ['isNaN', 'isInf', 'isFinite']

const operations = Object.fromEntries(
  Object.entries({ ...functionsOf([2, 3, 2, 3]), ...more }).filter(([name]) => !undifferentiable.includes(name)),
)
const engines = [...new Set<EngineName>([fast, 'wasm'])]

describe('a gradient of a gradient', () => {
  it.each(Object.keys(operations))('%s', async (name) => {
    await ready('cpu')
    const gradient = gradientOf(operations[name]!)
    const at = gradient.shapes.map((shape, i) => noise(shape, i + 1))
    agreesWithDifferences(gradient.f, at, { most: 6 })
    tf.dispose(at)
    // TensorFlow.js on wasm alone has no gradient of a filter at stride 2
    const able = name.includes('stride 2') ? engines.filter((engine) => engine !== 'wasm') : engines
    await agrees(gradient, able, () => 1e-3)
  })

  it('is right of every kernel that a program may call', async () => {
    await ready('cpu')
    const seen = Object.values(operations).flatMap(({ f, shapes }) => {
      const infos = shapes.map((shape) => ({ shape, dtype: 'float32' as const }))
      const gradient = gradientOf({ f, shapes })
      const inputs = gradient.shapes.map((shape) => ({ shape, dtype: 'float32' as const }))
      return [trace((xs) => [f(...xs)], infos), trace((xs) => [gradient.f(...xs)], inputs)].flatMap(({ calls }) =>
        calls.map(({ kernel }) => kernel),
      )
    })
    const kernels = Object.keys(traced) as Traced[]
    expect(kernels.filter((kernel) => !seen.includes(kernel))).toEqual(['IsNan', 'IsInf', 'IsFinite'])
    // a fill has no inputs
    expect(kernels.filter((kernel) => tf.getGradient(kernel) === undefined)).toEqual(['Fill'])
  })

  it('leaves no tensors behind', async () => {
    await ready('cpu')
    const f = (x: tf.Tensor): tf.Tensor => tf.sum(tf.softmax(tf.exp(tf.tanh(x))))
    const x = noise([2, 3], 1)
    const before = tf.memory().numTensors
    tf.grad((v) => tf.sum(tf.square(tf.grad(f)(v))))(x).dispose()
    expect(tf.memory().numTensors).toBe(before)
    x.dispose()
  })

  it('is right of any order, and however often gradients are registered', async () => {
    await ready('cpu')
    registerGradients()
    registerGradients()
    const derivative = (f: (x: tf.Tensor) => tf.Tensor): ((x: tf.Tensor) => tf.Tensor) =>
      tf.grad((x) => f(x as tf.Tensor))
    const x = tf.scalar(0.3)
    const fourth = derivative(derivative(derivative(derivative((v) => tf.sigmoid(tf.exp(v))))))
    const wanted = -0.65297
    expect(fourth(x).dataSync()[0]).toBeCloseTo(wanted, 3)
  })

  it('is finite where powers are', async () => {
    await ready('cpu')
    const second = (f: (x: tf.Tensor) => tf.Tensor, x: tf.Tensor): number[] => [
      ...tf
        .grad((v) => tf.sum(tf.grad((u) => tf.sum(f(u as tf.Tensor)))(v)))(x)
        .dataSync(),
    ]
    const at = tf.tensor1d([-2, 0, 3])
    for (const [power, wanted] of [
      [0, [0, 0, 0]],
      [1, [0, 0, 0]],
      [2, [2, 2, 2]],
      [3, [-12, 0, 18]],
    ] as const)
      expect(second((x) => tf.pow(x, power), at)).toEqual(wanted)
    const mixed = (x: tf.Tensor): tf.Tensor => tf.grad((b) => tf.sum(tf.pow(x, b as tf.Tensor)))(tf.scalar(2))
    expect(
      tf
        .grad((x) => mixed(x as tf.Tensor))(at)
        .dataSync()[1],
    ).toBe(0)
  })
})
