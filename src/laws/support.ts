/**
 * Laws outside a bijector's support, at infinities and for NaN.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import type { AnyBijector } from '../bijector/layer.js'
import { type Interval, isBounded } from '../bijector/support.js'
import { standardNormal } from '../distribution/base.js'
import { flow } from '../distribution/flow.js'
import { leaves, mapLeaves, type Param, type Params } from '../tensor/params.js'
import { type AnyTensor, trust, unwrap } from '../tensor/tensor.js'
import { fromRows, rows } from './jacobian.js'
import type { Draw, Law } from './law.js'
import { agree, every, finite, lawful, read, type Verdict, violates } from './verdict.js'

/** Values outside of an interval: a hair, and far. */
const outside = ([low, high]: Interval): readonly number[] => {
  const hair = (bound: number): number => Math.max(Math.abs(bound) * 2 ** -21, 2 ** -100)
  return [
    ...(Number.isFinite(low) ? [low - hair(low), -1e30] : []),
    ...(Number.isFinite(high) ? [high + hair(high), 1e30] : []),
  ]
}
const INFINITIES = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]

/** A function of parameters and rows that returns one number for each. */
type PerRow = (params: Params, x: AnyTensor) => AnyTensor

/** A batch whose middle example has `value` in place of one of its numbers. */
const spoilt = (batch: tf.Tensor2D, value: number, place: number): AnyTensor => {
  const data = batch.dataSync<'float32'>().slice()
  data[batch.shape[1] + (place % batch.shape[1])] = value
  return trust(tf.tensor2d(data, batch.shape))
}

/** The gradients of the sum of a function's numbers, by its input and by what is trained. */
const slopes = (f: PerRow, { spec }: AnyBijector, params: Params, x: AnyTensor): readonly number[] => {
  const all = new Map(leaves<AnyTensor>(params))
  const paths = leaves<Param>(spec).flatMap(([path, { role }]) => (role === 'statistic' ? [] : [path]))
  const total = (...given: readonly tf.Tensor[]): tf.Tensor => {
    const now = new Map(paths.map((path, i) => [path, given[i + 1]!]))
    const own = mapLeaves<Param, AnyTensor>(spec, (_, path) => trust(now.get(path) ?? unwrap(all.get(path)!)))
    // what does not depend on an argument has no gradient by it, not 0
    const none = given.map((t) => tf.sum(tf.mul(t, 0)))
    return tf.addN([tf.sum(unwrap(f(own, trust(given[0]!)))), ...none])
  }
  const at = [unwrap(x), ...paths.map((path) => unwrap(all.get(path)!))]
  return tf
    .grads(total)(at)
    .flatMap((slope) => [...slope.dataSync()])
}

const holds = (b: AnyBijector, { params, x, key }: Draw): Verdict => {
  const forward: PerRow = (p, v) => b.bind(p).forward(fromRows(b.domain)(v))[1]
  const inverse: PerRow = (p, v) => b.bind(p).inverse(fromRows(b.codomain)(v))[1]
  const density: PerRow = (p, v) => flow(b, standardNormal).logProb(p)(fromRows(b.domain)(v))
  /** The middle example has the number expected, the others theirs. */
  const check = (what: string, f: PerRow, clean: tf.Tensor2D, values: readonly number[], expected: number) => {
    if (values.length === 0) return []
    const usual = read(f(params, trust(clean)))
    return values.map((value) => () => {
      const at = spoilt(clean, value, key[1])
      const got = read(f(params, at))
      const where = `${what} with a value of ${value}`
      return every(
        () => (Object.is(got[1], expected) ? lawful : violates(where, expected, got[1]!)),
        () => agree(`${where} in another example`, [got[0]!, got[2]!], [usual[0]!, usual[2]!], 1e-5),
        () => (f === density && value < 0 ? finite(`the gradient of ${where}`, slopes(f, b, params, at)) : lawful),
      )
    })
  }
  const [inputs, latents] = [rows(x), rows(b.bind(params).forward(x)[0])]
  const [below, above] = [Number.NEGATIVE_INFINITY, isBounded(b.range) ? INFINITIES : []]
  return every(
    ...check('log-det', forward, inputs, outside(b.support), below),
    ...check('inverse log-det', inverse, latents, [...outside(b.range), ...above], below),
    ...check('log p', density, inputs, [...outside(b.support), ...INFINITIES], below),
    ...check('log p', density, inputs, [Number.NaN], Number.NaN),
  )
}

export const support = {
  support: { rank: 'mandatory', heavy: true, holds },
} satisfies Readonly<Record<string, Law>>
