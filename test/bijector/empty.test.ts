/** Batches of no example: empty results of the right shapes, for everything and on every engine. */
import { type AnyBijector, compiled, dequantise, flow, key, standardLogistic, standardNormal } from 'diffeo'
import { type EngineName, ready } from 'diffeo/engine'
import { randomParams } from 'diffeo/laws'
import * as T from 'diffeo/tensor'
import { type AnyTensor, batch, tensor, unwrap } from 'diffeo/tensor'
import { afterAll, describe, expect, it } from 'vitest'
import { latentTensors } from '../../src/tensor/tensor.js'
import { registry } from './registry.js'

afterAll(() => ready('cpu'))
const engines: readonly EngineName[] = ['cpu', 'wasm', 'onnxruntime']
const none = (shape: readonly number[]): never => batch(shape, []) as never
/** Shapes, read to the end. */
const shapesOf = async (of: unknown): Promise<number[][]> =>
  Promise.all(
    latentTensors(of).map(async (t) => {
      expect((await unwrap(t).data()).length).toBe(0)
      return unwrap(t).shape
    }),
  )
const shapes = (b: AnyBijector): number[][] =>
  (Array.isArray(b.codomain[0]) ? b.codomain : [b.codomain]).map((shape: readonly number[]) => [0, ...shape])

const x = (shape: readonly number[]): AnyTensor => none(shape) as AnyTensor
const { neg, exp, expm1, log, log1p, sin, cos, tanh, sigmoid, softplus, relu, square, sqrt, abs } = T
const operations: Readonly<Record<string, readonly [f: () => AnyTensor, shape: readonly number[]]>> = {
  add: [() => T.add(x([2]))(x([2]) as never), [0, 2]],
  sub: [() => T.sub(x([2]))(x([2]) as never), [0, 2]],
  mul: [() => T.mul(x([2]))(x([2]) as never), [0, 2]],
  div: [() => T.div(x([2]))(x([2]) as never), [0, 2]],
  maximum: [() => T.maximum(x([2]))(x([2]) as never), [0, 2]],
  minimum: [() => T.minimum(x([2]))(x([2]) as never), [0, 2]],
  broadcastAdd: [() => T.broadcastAdd(x([1]) as never)(x([2]) as never), [0, 2]],
  broadcastSub: [() => T.broadcastSub(tensor([3, 1, 1], [1, 2, 3]))(x([2]) as never), [3, 0, 2]],
  broadcastMul: [() => T.broadcastMul(tensor([2], [1, 2]))(x([2]) as never), [0, 2]],
  broadcastDiv: [() => T.broadcastDiv(tensor([1, 2], [1, 2]))(x([2]) as never), [0, 2]],
  greater: [() => T.greater(0)(x([2])), [0, 2]],
  less: [() => T.less(x([2]))(x([2]) as never), [0, 2]],
  equal: [() => T.equal(0)(x([2])), [0, 2]],
  where: [() => T.where(T.greater(0)(x([2])))(x([2]) as never)(x([2]) as never), [0, 2]],
  clip: [() => T.clip(0, 1)(x([2])), [0, 2]],
  plus: [() => T.plus(1)(x([2])), [0, 2]],
  times: [() => T.times(2)(x([2])), [0, 2]],
  bias: [() => T.bias(tensor([2], [1, 2]))(x([2])), [0, 2]],
  scale: [() => T.scale(tensor([2], [1, 2]))(x([2])), [0, 2]],
  addEvent: [() => T.addEvent(tensor([2], [1, 2]))(x([2]) as never), [0, 2]],
  mulEvent: [() => T.mulEvent(tensor([2], [1, 2]))(x([2]) as never), [0, 2]],
  ...Object.fromEntries(
    Object.entries({ neg, exp, expm1, log, log1p, sin, cos, tanh, sigmoid, softplus, relu, square, sqrt, abs }).map(
      ([name, f]) => [name, [() => f(x([2, 3])), [0, 2, 3]] as const],
    ),
  ),
  matmul: [() => T.matmul(tensor([2, 3], [1, 2, 3, 4, 5, 6]))(x([2])), [0, 3]],
  conv2d: [() => T.conv2d(tensor([1, 1, 2, 3], [1, 2, 3, 4, 5, 6]))(x([4, 4, 2]) as never), [0, 4, 4, 3]],
  reshape: [() => T.reshape([4])(x([2, 2]) as never), [0, 4]],
  transpose: [() => T.transpose([1, 0])(x([2]) as never), [2, 0]],
  concat: [() => T.concat(x([2]) as never)(x([3]) as never), [0, 5]],
  slice: [() => T.slice(1, 2)(x([4]) as never), [0, 2]],
  split: [() => T.split([1, 3])(x([4]) as never)[1] as AnyTensor, [0, 3]],
  gather: [() => T.gather([1, 1, 0], 1)(x([2]) as never), [0, 3]],
  spaceToDepth: [() => T.spaceToDepth(x([4, 2, 3]) as never), [0, 2, 1, 12]],
  depthToSpace: [() => T.depthToSpace(x([2, 1, 8]) as never), [0, 4, 2, 2]],
  sumEvent: [() => T.sumEvent(x([2, 3])), [0]],
  'sumEvent of long vectors': [() => T.sumEvent(x([2003])), [0]],
  sumAxis: [() => T.sumAxis(1)(x([2, 3]) as never), [0, 3]],
  meanAxis: [() => T.meanAxis(1)(x([2, 3]) as never), [0, 3]],
  maxAxis: [() => T.maxAxis(1)(x([2, 3]) as never), [0, 3]],
  logSumExp: [() => T.logSumExp(1)(x([2, 3]) as never), [0, 3]],
  softmax: [() => T.softmax(2)(x([2, 3]) as never), [0, 2, 3]],
  logSoftmax: [() => T.logSoftmax(1)(x([2, 3]) as never), [0, 2, 3]],
  cumsum: [() => T.cumsum(1)(x([2, 3]) as never), [0, 2, 3]],
  zeroPerExample: [() => T.zeroPerExample(x([2, 3])), [0]],
}

describe.each(engines)('on %s', (engine) => {
  it.each(Object.entries(operations))('%s', async (_, [f, shape]) => {
    await ready(engine)
    expect(await shapesOf(f())).toEqual([shape])
  })
  it('sums of nothing are 0', async () => {
    await ready(engine)
    expect([...(await unwrap(T.sum(x([2]))).data())]).toEqual([0])
    expect([...(await unwrap(T.sumAxis(0)(x([2]) as never)).data())]).toEqual([0, 0])
  })
  it.each(Object.entries(registry))('%s', async (_, { make }) => {
    const b = make()
    const params = randomParams(b.spec, key(1))
    await ready(engine)
    const f = flow(b, standardNormal)
    const empty = none(b.domain as readonly number[])
    const [z, logDet] = b.bind(params).forward(empty)
    expect(await shapesOf(z)).toEqual(shapes(b))
    expect(await shapesOf(logDet)).toEqual([[0]])
    const [back, inverse] = b.bind(params).inverse(z)
    expect(await shapesOf(back)).toEqual([[0, ...(b.domain as number[])]])
    expect(await shapesOf(inverse)).toEqual([[0]])
    for (const prior of [standardNormal, standardLogistic])
      expect(await shapesOf(flow(b, prior).logProb(params)(empty))).toEqual([[0]])
    expect(await shapesOf(f.bitsPerDim(params)(empty))).toEqual([[0]])
    expect(await shapesOf(f.sample(params)(key(0), 0))).toEqual([[0, ...(b.domain as number[])]])
    expect(await shapesOf(f.train(params)(empty)[0])).toEqual([[0]])
    if (engine !== 'onnxruntime') return
    // the others run programs call by call
    expect(await shapesOf(await compiled(f).logProb(params)(empty))).toEqual([[0]])
    await compiled(f).dispose()
  })
  it('dequantise', async () => {
    await ready(engine)
    expect(await shapesOf(dequantise<readonly [2]>(key(0)).forward(none([2]))[0])).toEqual([[0, 2]])
    expect(await shapesOf(dequantise<readonly [2]>(key(0)).inverse(none([2]))[0])).toEqual([[0, 2]])
  })
})
