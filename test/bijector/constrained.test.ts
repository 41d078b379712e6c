/** Vectors with constraints against formulas in doubles, and what is outside of the constraints. */
import * as tf from '@tensorflow/tfjs-core'
import {
  ascending,
  atShape,
  compose,
  flow,
  input,
  key,
  type Layer,
  leakyRelu,
  reverse,
  type Same,
  sinhArcsinh,
  softmaxCentered,
  stickBreaking,
  uniformBox,
} from 'diffeo'
import { ready, toOnnx } from 'diffeo/engine'
import { trust, uniformArray, unwrap } from 'diffeo/tensor'
import * as E from 'fp-ts/lib/Either.js'
import { beforeAll, describe, expect, it } from 'vitest'
import { runOnnx } from '../../src/backends/onnxruntime/backend.js'
import { values } from '../support.js'

beforeAll(() => ready('cpu'))

const through = (layer: Layer<Same>, rows: readonly (readonly number[])[]) =>
  tf.tidy(() => {
    const f = atShape([rows[0]!.length], layer).bind({})
    const [y, logDet] = f.forward(trust(tf.tensor2d(rows.map((row) => [...row]))))
    const [back, backLogDet] = f.inverse(y)
    return { y: values(y), logDet: values(logDet), back: values(back), backLogDet: values(backLogDet) }
  })
const sum = (xs: readonly number[]): number => xs.reduce((a, b) => a + b, 0)
const apart = (a: readonly number[], b: readonly number[]): number => Math.max(...a.map((v, i) => Math.abs(v - b[i]!)))
const sigma = (x: number): number => 1 / (1 + Math.exp(-x))

/** Values and log-det of one vector. */
type Formula = (x: readonly number[]) => readonly [y: readonly number[], logDet: number]
const onSimplex = (y: readonly number[]): ReturnType<Formula> => [y, sum([...y, 1 - sum(y)].map(Math.log))]
const formulas: Readonly<Record<string, readonly [Layer<Same>, Formula]>> = {
  softmaxCentered: [
    softmaxCentered,
    (x) => {
      const exps = x.map(Math.exp)
      return onSimplex(exps.map((e) => e / (1 + sum(exps))))
    },
  ],
  stickBreaking: [
    stickBreaking,
    (x) =>
      onSimplex(
        x.reduce<readonly number[]>((y, v, i) => y.concat((1 - sum(y)) * sigma(v - Math.log(x.length - i))), []),
      ),
  ],
  ascending: [
    ascending,
    (x) => [
      x.map((_, i) => x[0]! + sum(x.slice(1, i + 1).map((v) => Math.log1p(Math.exp(v))))),
      sum(x.slice(1).map((v) => Math.log(sigma(v)))),
    ],
  ],
}
describe.each(Object.entries(formulas))('%s', (_, [layer, formula]) => {
  it.each([1, 2, 5])('has the values, log-dets and inverse of its formula, for %d elements', (size) => {
    const drawn = [...uniformArray(key(size), 20 * size)].map((u) => Math.fround(6 * u - 3))
    const rows = Array.from({ length: 20 }, (_, i) => drawn.slice(i * size, (i + 1) * size))
    const got = through(layer, rows)
    const wanted = rows.map(formula)
    expect(
      apart(
        got.y,
        wanted.flatMap(([y]) => y),
      ),
    ).toBeLessThan(5e-6)
    wanted.forEach(([, logDet], i) => {
      expect(got.logDet[i]).toBeCloseTo(logDet, 4)
      expect(got.backLogDet[i]).toBeCloseTo(-logDet, 3)
    })
    expect(apart(got.back, rows.flat())).toBeLessThan(5e-4)
  })
})

describe('layers onto the simplex', () => {
  const both = { softmaxCentered, stickBreaking }
  it.each(Object.entries(both))('%s maps 0 to equal probabilities', (_, layer) => {
    for (const p of through(layer, [[0, 0, 0]]).y) expect(p).toBeCloseTo(0.25, 6)
  })
  it.each(Object.entries(both))('%s keeps densities 0 where probabilities would not add up to 1', (_, layer) => {
    tf.tidy(() => {
      const density = flow(atShape([2], reverse(layer)), uniformBox(-4, 4))
      const at = [
        [0.3, 0.3],
        [0.6, 0.6],
        [-0.1, 0.5],
        [0.5, 0.49999],
      ]
      const logProbs = values(density.logProb({})(trust(tf.tensor2d(at))))
      expect(logProbs[0]).toBeCloseTo(-2 * Math.log(8) - Math.log(0.3 * 0.3 * 0.4), 4)
      expect(logProbs.slice(1, 3)).toEqual([-Infinity, -Infinity])
    })
  })
})

it('vectors that descend have no density', () => {
  const { logDet } = through(reverse(ascending), [
    [0, 1, 2],
    [0, 2, 1],
    [3, 3, 4],
  ])
  expect(logDet.map(Number.isFinite)).toEqual([true, false, true])
  expect(logDet[1]).toBe(-Infinity)
})

it.each(Object.entries({ softmaxCentered, stickBreaking, ascending }))('%s refuses scalars', (name, layer) =>
  expect(layer.at([])).toMatchObject(E.left({ op: name, expected: 'at least one dimension', got: 'scalar' })),
)

it('compositions of them are exported with a batch of any size', async () => {
  const b = compose(input([4]), sinhArcsinh(0.2, 1.1), ascending, leakyRelu(0.3), stickBreaking)
  const run = ([x]: readonly tf.Tensor[]) => {
    const [y, logDet] = b.bind({}).forward(trust(x!))
    return [y, logDet, b.bind({}).inverse(y)[0]].map(unwrap)
  }
  const infer = await runOnnx(toOnnx({ inputs: [{ name: 'x', shape: [4] }], outputs: ['y', 'logDet', 'back'], run }))
  const x = uniformArray(key(3), 20).map((u) => 2 * u - 1)
  const got = await infer([{ name: 'x', shape: [5, 4], data: x }])
  const wanted = tf.tidy(() => run([tf.tensor2d(x, [5, 4])]).map((t) => [...t.dataSync()]))
  expect(apart([...got['y']!], wanted[0]!)).toBeLessThan(1e-6)
  expect(apart([...got['logDet']!], wanted[1]!)).toBeLessThan(1e-4)
  expect(apart([...got['back']!], [...x])).toBeLessThan(1e-3)
})
