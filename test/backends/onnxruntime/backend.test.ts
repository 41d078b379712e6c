/** What ONNX Runtime says is a sentence of its engine, and what was opened before is closed. */
import * as tf from '@tensorflow/tfjs-core'
import { jit, ready } from 'diffeo/engine'
import { InferenceSession } from 'onnxruntime-node'
import { afterEach, beforeAll, expect, it, vi } from 'vitest'

beforeAll(async () => {
  await ready('onnxruntime')
})
afterEach(() => vi.restoreAllMocks())

it('a program that fails while it runs is an error of the engine, and the next call is as if there had been none', async () => {
  const pick = jit((x: tf.Tensor, i: tf.Tensor) => tf.gather(x, i as tf.Tensor1D))
  const x = tf.tensor1d([1, 2, 3])
  const beyond = tf.tensor1d([7], 'int32')
  await expect(pick(x, beyond)).rejects.toMatchObject({
    error: { _tag: 'EngineError', op: 'engine onnxruntime', expected: 'a program that runs' },
  })
  const second = tf.tensor1d([1], 'int32')
  const got = await pick(x, second)
  expect([...(await got.data())]).toEqual([2])
  tf.dispose([x, beyond, second, got])
})

it('computes results that depend on the steady arguments alone, whatever stands between', async () => {
  await ready('onnxruntime')
  const f = jit((w: tf.Tensor, x: tf.Tensor) => [[tf.mul(tf.exp(w), x), x], tf.exp(w), tf.exp(tf.exp(w)), w], {
    steady: 1,
  })
  for (const value of [0, 1]) {
    const results = (await f(tf.tensor1d([value]), tf.tensor1d([3]))).flat()
    const numbers = await Promise.all(results.map(async (t) => (await t.data())[0]!))
    const e = Math.exp(value)
    expect(numbers.map((v) => v.toFixed(4))).toEqual([3 * e, 3, e, Math.exp(e), value].map((v) => v.toFixed(4)))
  }
  await f.dispose()
})

it('a program that cannot be compiled is an error of the engine, and leaves no session behind', async () => {
  const create = InferenceSession.create.bind(InferenceSession)
  const opened: { released: number }[] = []
  vi.spyOn(InferenceSession, 'create').mockImplementation(async (...args: unknown[]) => {
    if (opened.length === 1) throw new Error('no more memory')
    const session = await (create as (...given: unknown[]) => Promise<InferenceSession>)(...args)
    const own = { released: 0 }
    opened.push(own)
    const release = session.release.bind(session)
    session.release = () => {
      own.released += 1
      return release()
    }
    return session
  })
  // what depends on the first argument alone is a session of its own
  const f = jit((w: tf.Tensor, x: tf.Tensor) => tf.mul(tf.exp(tf.exp(w)), x), { steady: 1 })
  const [w, x] = [tf.tensor1d([1, 2]), tf.tensor1d([3, 4])]
  await expect(f(w, x)).rejects.toMatchObject({ error: { op: 'engine onnxruntime', got: 'no more memory' } })
  expect(opened).toEqual([{ released: 1 }])
  tf.dispose([w, x])
})
