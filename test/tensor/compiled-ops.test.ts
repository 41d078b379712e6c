/** Operations of several kernels as programs of ONNX Runtime, with their gradients. */
import * as tf from '@tensorflow/tfjs-core'
import { jit, ready } from 'diffeo/engine'
import * as T from 'diffeo/tensor'
import { type AnyTensor, unwrap } from 'diffeo/tensor'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { trust } from '../../src/tensor/tensor.js'
import { draw } from './reference.js'

beforeAll(() => ready('onnxruntime'))
afterAll(() => ready('cpu'))

const operations: Readonly<Record<string, (x: AnyTensor) => AnyTensor>> = {
  where: (x) => T.where(T.greater(0)(x))(T.square(x))(T.sin(x)),
  'where, a number': (x) => T.where(T.less(0.2)(x))(0)(T.exp(x)),
  equal: (x) => T.where(T.equal(x)(T.relu(x)))(T.cos(x))(x),
  broadcastMul: (x) => T.broadcastMul(T.slice(0, 1)(x) as AnyTensor)(x) as AnyTensor,
  logSumExp: (x) => T.logSumExp(1)(x),
  softmax: (x) => T.softmax(1)(x),
  logSoftmax: (x) => T.logSoftmax(2)(x),
  cumsum: (x) => T.square(T.cumsum(1)(x)),
  gather: (x) => T.square(T.gather([2, 0, 2], 1)(x) as AnyTensor),
  clip: (x) => T.clip(-0.4, 0.6)(x),
  minimum: (x) => T.minimum(T.expm1(x))(T.log1p(T.abs(x))),
}
it.each(Object.entries(operations))('%s', async (_, op) => {
  const slopes = (x: AnyTensor): AnyTensor => {
    const ones: AnyTensor = trust(tf.fill(unwrap(op(x)).shape, 1))
    return T.vjp((at: AnyTensor) => op(at))(ones)(x)
  }
  for (const f of [op, slopes]) {
    const x = draw([2, 3, 4], 3)
    const program = jit((at: AnyTensor) => f(at))
    const [got, expected] = [unwrap(await program(x)), tf.tidy(() => unwrap(f(x)))]
    expect(got.shape).toEqual(expected.shape)
    const [a, b] = [await got.data(), await expected.data()]
    for (const [i, value] of a.entries()) expect(value).toBeCloseTo(b[i]!, 4)
    await program.dispose()
    tf.dispose([unwrap(x), got, expected])
  }
})
