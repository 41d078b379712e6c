/** Operations element by element near their delicate points, against float64: called at once, and compiled. */
import * as tf from '@tensorflow/tfjs-core'
import { atShape, exponentialCdf, reverse } from 'diffeo'
import { type EngineName, jit, ready } from 'diffeo/engine'
import * as T from 'diffeo/tensor'
import { unwrap } from 'diffeo/tensor'
import { afterAll, describe, expect, it } from 'vitest'
import { trust } from '../../src/tensor/tensor.js'

afterAll(() => ready('cpu'))

/** Σ of its Taylor series, in doubles. */
const erf = (x: number): number => {
  const t = Math.abs(x)
  if (t > 5) return Math.sign(x)
  let [sum, term] = [0, t]
  for (let n = 0; n < 200; n++) {
    sum += term / (2 * n + 1)
    term *= (-t * t) / (n + 1)
  }
  return ((Math.sign(x) * 2) / Math.sqrt(Math.PI)) * sum
}
const softplus = (x: number): number => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)))

interface Case {
  readonly f: (x: tf.Tensor) => tf.Tensor
  readonly exact: (x: number) => number
  /** The relative error allowed; default 1e-6 */
  readonly relative?: number
  /** An absolute error allowed besides, of what has zeros that float32 cannot reach. */
  readonly absolute?: number
  /** The largest argument. */
  readonly most?: number
}
const cases: Readonly<Record<string, Case>> = {
  log1p: { f: tf.log1p, exact: Math.log1p },
  expm1: { f: tf.expm1, exact: Math.expm1 },
  exp: { f: tf.exp, exact: Math.exp, relative: 2e-6 },
  log: { f: tf.log, exact: Math.log },
  tanh: { f: tf.tanh, exact: Math.tanh },
  sigmoid: { f: tf.sigmoid, exact: (x) => 1 / (1 + Math.exp(-x)), relative: 2e-6 },
  softplus: { f: (x) => unwrap(T.softplus(trust(x))), exact: softplus, relative: 2e-6 },
  elu: { f: tf.elu, exact: (x) => (x > 0 ? x : Math.expm1(x)), absolute: 1e-16 },
  tfSoftplus: { f: tf.softplus, exact: softplus, absolute: 1e-7 },
  sqrt: { f: tf.sqrt, exact: Math.sqrt },
  rsqrt: { f: tf.rsqrt, exact: (x) => 1 / Math.sqrt(x) },
  reciprocal: { f: tf.reciprocal, exact: (x) => 1 / x },
  square: { f: tf.square, exact: (x) => x * x },
  sin: { f: tf.sin, exact: Math.sin, absolute: 3e-7, most: 100 },
  cos: { f: tf.cos, exact: Math.cos, absolute: 3e-7, most: 100 },
  atan: { f: tf.atan, exact: Math.atan },
  erf: { f: tf.erf, exact: erf, absolute: 2e-7 },
  sign: { f: tf.sign, exact: Math.sign },
  step: { f: tf.step, exact: (x) => (x > 0 ? 1 : 0) },
  relu: { f: tf.relu, exact: (x) => Math.max(0, x) },
  abs: { f: tf.abs, exact: Math.abs },
}
const sizes = [
  0,
  1e-30,
  1e-20,
  1e-10,
  1e-8,
  6e-8,
  1e-7,
  1e-6,
  1e-5,
  1e-4,
  1e-3,
  0.01,
  0.1,
  0.25,
  0.499,
  0.5,
  0.501,
  0.9,
  0.999999,
  1,
  1.5,
  2,
  5,
  10,
  20,
  50,
  80,
  87,
  88,
  100,
  1e3,
  1e10,
  1e30,
  Number.POSITIVE_INFINITY,
]
const points = [...sizes, ...sizes.map((x) => -x)].map(Math.fround)

/** What differs from float64 by more than it may. A result that float32 has no digits for may be 0. */
const wrong = ({ exact, relative = 1e-6, absolute = 0, most = Infinity }: Case, got: ArrayLike<number>) =>
  points.flatMap((x, i) => {
    const [wanted, value] = [Math.fround(exact(x)), got[i]!]
    if (Math.abs(x) > most || wanted === value || (Number.isNaN(wanted) && Number.isNaN(value))) return []
    const error = Math.abs(value - wanted)
    return error <= absolute + relative * Math.abs(wanted) + 2 ** -126 ? [] : [`${x}: ${value}, not ${wanted}`]
  })

describe.each(['cpu', 'wasm', 'onnxruntime'] as const satisfies readonly EngineName[])('on %s', (engine) => {
  it.each(Object.entries(cases))('%s', async (_, operation) => {
    await ready(engine)
    const x = tf.tensor1d(points)
    const compiled = jit((v: tf.Tensor) => operation.f(v))
    const [atOnce, made] = [operation.f(x), await compiled(x)]
    expect({ atOnce: wrong(operation, await atOnce.data()), compiled: wrong(operation, await made.data()) }).toEqual({
      atOnce: [],
      compiled: [],
    })
    tf.dispose([x, atOnce, made])
    await compiled.dispose()
  })
  it('the inverse of exponentialCdf near 0', async () => {
    await ready(engine)
    const f = atShape([1], reverse(exponentialCdf(1))).bind({})
    const us = [1e-8, 1e-6, 1e-4, 0.3].map(Math.fround)
    const x = [...(await unwrap(f.forward(tf.tensor2d(us, [4, 1]) as never)[0]).data())]
    us.forEach((u, i) => {
      expect(Math.abs(x[i]! / -Math.log1p(-u) - 1)).toBeLessThan(1e-6)
    })
  })
})
