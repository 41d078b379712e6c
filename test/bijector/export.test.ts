/** Linear, residual and continuous layers, and premade flows, as ONNX files for any number of examples. */
import * as tf from '@tensorflow/tfjs-core'
import {
  type AnyBijector,
  atShape,
  continuous,
  dct,
  exponentialLinear,
  glow,
  haar,
  householder,
  iaf,
  key,
  lowRankLinear,
  luLinear,
  maf,
  nsf,
  planar,
  radial,
  residual,
  rotation,
  shuffle,
  sylvester,
} from 'diffeo'
import { toOnnx } from 'diffeo/engine'
import { randomBatch } from 'diffeo/laws'
import { unwrap } from 'diffeo/tensor'
import { expect, it } from 'vitest'
import { runOnnx } from '../../src/backends/onnxruntime/backend.js'
import { latentTensors, trust } from '../../src/tensor/tensor.js'
import { randomParams } from '../support.js'

const apart = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Array.from(a).reduce((most, v, i) => Math.max(most, Math.abs(v - b[i]!) / Math.max(1, Math.abs(b[i]!))), 0)

it.each<[string, AnyBijector]>([
  ['luLinear', atShape([2, 2, 5], luLinear())],
  ['exponentialLinear', atShape([3], exponentialLinear())],
  ['rotation', atShape([3], rotation())],
  ['householder', atShape([3], householder())],
  ['lowRankLinear', atShape([5], lowRankLinear({ rank: 2 }))],
  ['planar', atShape([3], planar)],
  ['radial', atShape([3], radial)],
  ['sylvester', atShape([3], sylvester({ rank: 2 }))],
  ['residual', atShape([3], residual({ hidden: [5], coefficient: 0.5 }))],
  ['continuous', atShape([3], continuous({ hidden: [5, 4], steps: 2 }))],
  ['haar', atShape([4, 2, 2], haar)],
  ['dct', atShape([4, 3, 2], dct)],
  ['shuffle', atShape([5], shuffle(1))],
  ['maf', atShape([3], maf({ layers: 2, hidden: [6] }))],
  ['iaf', atShape([3], iaf({ layers: 2, hidden: [6] }))],
  ['nsf', atShape([3], nsf({ layers: 2, hidden: [6] }))],
  ['glow', atShape([4, 4, 1], glow({ steps: 1, width: 2 }))],
])('%s', async (_, b) => {
  const params = randomParams(b, key(1))
  const domain = b.domain as readonly number[]
  /** Forward, back again, and both log-dets. */
  const run = ([x]: tf.Tensor[]): tf.Tensor[] => {
    const f = b.bind(params)
    const [z, logDet] = f.forward(trust(x!) as never)
    const [back, opposite] = f.inverse(z)
    return [...latentTensors(z), logDet, back, opposite].map((t) => unwrap(t as never))
  }
  const inputs = [{ name: 'x', shape: domain }]
  const x = tf.tidy(() => unwrap(randomBatch(domain, [0.1, 2], 3, key(7))))
  const wanted = tf.tidy(() => run([x]).map((t) => t.dataSync<'float32'>().slice()))
  const outputs = wanted.map((_, i) => `y${i}`)
  const infer = await runOnnx(toOnnx({ inputs, outputs, run }))
  const got = await infer([{ name: 'x', shape: [3, ...domain], data: x.dataSync<'float32'>() as Float32Array }])
  for (const [i, name] of outputs.entries()) expect(apart(got[name]!, wanted[i]!)).toBeLessThan(2e-4)
})
