/** What it means that engines agree: values and gradients of a compiled function are those of the cpu backend. */
import * as tf from '@tensorflow/tfjs-core'
import { key } from 'diffeo'
import { type EngineName, ready } from 'diffeo/engine'
import { normalArray } from 'diffeo/tensor'
import { expect } from 'vitest'
import { simplify } from '../../src/compiler/passes/simplify.js'
import type { Program } from '../../src/compiler/program.js'
import { trace } from '../../src/compiler/trace.js'
import { jit } from '../../src/jit.js'
import { gradientsOf } from '../gradients.js'
import type { Operation } from './functions.js'

/** The default engine, or the one that DIFFEO_TEST_ENGINE names. */
export const fast = (process.env['DIFFEO_TEST_ENGINE'] ?? 'onnxruntime') as EngineName

const size = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1)
const noise = (shape: readonly number[], seed: number): tf.Tensor =>
  tf.tensor(normalArray(key(seed), size(shape)), [...shape])

/** Largest difference over largest magnitude. */
export const distance = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Array.from(a).reduce((worst, v, i) => Math.max(worst, Object.is(v, b[i]) ? 0 : Math.abs(v - b[i]!)), 0) /
  Array.from(b).reduce((top, v) => Math.max(top, Math.abs(v)), 1e-3)

/** The first number of each. */
export const firsts = (tensors: readonly tf.Tensor[]): Promise<number[]> =>
  Promise.all(tensors.map(async (t) => (await t.data())[0]!))

/** What an operation becomes before an engine has it. */
export const programOf = ({ f, shapes }: Operation): Program =>
  simplify(
    trace(
      (xs) => [f(...xs)],
      shapes.map((shape) => ({ shape, dtype: 'float32' })),
    ),
  )
export const kernelsOf = ({ calls }: Program): readonly string[] => calls.map(({ kernel }) => kernel)

/** The function, and its gradients for an arbitrary gradient of its value. */
export const withGradients =
  ({ f, constant }: Operation) =>
  (xs: tf.Tensor[], dy: tf.Tensor): tf.Tensor[] => [f(...xs), ...(constant ? [] : gradientsOf(f)(xs, dy))]

/** The function and its gradients, compiled by each of the engines, against themselves on the cpu backend. */
export const agrees = async (
  operation: Operation,
  engines: readonly EngineName[],
  tolerance: (engine: EngineName) => number = () => 1e-4,
): Promise<void> => {
  await ready('cpu')
  const both = withGradients(operation)
  const shape = tf.tidy(() => operation.f(...operation.shapes.map((s, i) => noise(s, i + 1))).shape)
  const draw = (): [tf.Tensor[], tf.Tensor] => [operation.shapes.map((s, i) => noise(s, i + 1)), noise(shape, 99)]
  const wanted = tf.tidy(
    () => both(...draw()).map((t) => ({ shape: t.shape, dtype: t.dtype, data: t.dataSync() })) as never,
  ) as {
    readonly shape: readonly number[]
    readonly dtype: tf.DataType
    readonly data: Float32Array
  }[]
  const run = jit(both)
  for (const engine of engines) {
    await ready(engine)
    const given = draw()
    const got = await run(...given)
    expect(got.map((t) => [t.dtype, ...t.shape])).toEqual(wanted.map((t) => [t.dtype, ...t.shape]))
    for (const [i, t] of got.entries())
      expect(distance(await t.data(), wanted[i]!.data), `${engine}, result ${i}`).toBeLessThan(tolerance(engine))
    tf.dispose([...given, got])
  }
  await run.dispose()
}
