/**
 * Layers of one function of one variable, and helpers for the limits of float32.
 *
 * @module
 */

import * as tf from '@tensorflow/tfjs-core'
import * as E from 'fp-ts/lib/Either.js'
import { pipe } from 'fp-ts/lib/function.js'
import type { Same } from '../../types/shape.js'
import { log, neg, plus, sub, sumEvent } from '../tensor/ops.js'
import { type AnyTensor, trust, unwrap } from '../tensor/tensor.js'
import { bijector } from './bijector.js'
import { type Layer, layer } from './layer.js'
import { clamp, type Interval, SMALLEST } from './support.js'

export const UNIT: Interval = [0, 1]
export const POSITIVE: Interval = [0, Number.POSITIVE_INFINITY]

/** A layer from one function each way and log |dy/dx| as a function of x. */
export const pointwise = (
  name: string,
  [support, range]: readonly [Interval, Interval],
  forward: (x: AnyTensor) => AnyTensor,
  inverse: (y: AnyTensor) => AnyTensor,
  logDerivative: (x: AnyTensor) => AnyTensor,
): Layer<Same> =>
  layer<Same>(name, (shape) =>
    E.right(
      bijector({
        name,
        domain: shape,
        codomain: shape,
        support,
        range,
        spec: {},
        forward: (_, x) => [forward(x), sumEvent(logDerivative(x))],
        inverse: (_, y) => {
          const x = inverse(y)
          return [x, neg(sumEvent(logDerivative(x)))]
        },
      }),
    ),
  )

/** log(p) − log(1 − p) */
export const logitOf = (p: AnyTensor): AnyTensor => sub(log(pipe(p, neg, plus(1))))(log(p))

/** Probabilities clamped to [least, 1 − margin]; by default as near to 0 and 1 as float32 resolves. */
export const inside = (p: AnyTensor, least = SMALLEST, margin = 2 ** -24): AnyTensor => clamp([least, 1 - margin], p)

/** A function of tensors of TensorFlow.js as one of typed tensors. */
export const each =
  (f: (x: tf.Tensor) => tf.Tensor) =>
  (x: AnyTensor): AnyTensor =>
    trust(f(unwrap(x)))

/** The greatest number whose power p and whose reciprocal's power p are normal numbers of float32. */
const greatest = (p: number): number => 2 ** (126 / Math.max(1, Math.abs(p)))
const within = (p: number, x: AnyTensor): AnyTensor => clamp([1 / greatest(p), greatest(p)], x)

/** xᵖ of numbers above 0, kept where x and xᵖ are normal numbers of float32. */
export const positivePower =
  (p: number) =>
  (x: AnyTensor): AnyTensor =>
    each((t) => tf.pow(t, p))(within(p, x))

/** The logarithm of a number, clamped as in {@link positivePower}. */
export const positiveLog =
  (p: number) =>
  (x: AnyTensor): AnyTensor =>
    each(tf.log)(within(p, x))

/** y + log(1 − e⁻ʸ), for y of at least 2⁻¹²⁶. */
export const softplusInverse = (y: AnyTensor): AnyTensor =>
  each((t) => tf.add(t, tf.log(tf.neg(tf.expm1(tf.neg(t))))))(clamp([SMALLEST, Number.POSITIVE_INFINITY], y))
