/**
 * Student's t distribution for every element: heavier tails than the normal's, for data with outliers.
 *
 *     log p(z) = log Γ((ν+1)/2) − log Γ(ν/2) − ½ log νπ − ½(ν+1) log(1 + z²/ν)
 *
 * Draws are exact for any ν > 0 (Bailey 1994): with u uniform and a direction (cos θ, sin θ) of two normals,
 * z = √(ν(u^(−2/ν) − 1)) cos θ.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import { DiffeoException } from '../error.js'
import { sumEvent, tidy } from '../tensor/ops.js'
import { positive, wrongOption } from '../tensor/options.js'
import { latentList } from '../tensor/shape.js'
import { type AnyTensor, latentTensors, trust, unwrap } from '../tensor/tensor.js'
import { type Base, tempered } from './base.js'

/** log Γ(x) for x > 0, by Stirling's series above 8 (error below 1e-10). */
const logGamma = (x: number): number => {
  if (x < 8) return logGamma(x + 1) - Math.log(x)
  const series = 1 / (12 * x) - 1 / (360 * x ** 3) + 1 / (1260 * x ** 5)
  return (x - 0.5) * Math.log(x) - x + 0.5 * Math.log(2 * Math.PI) + series
}

/** From here on 1 + a² is a² in float32, and a² may overflow. */
const FAR = 1e9

/** log(1 + a²) */
const logOnePlusSquare = (a: tf.Tensor): tf.Tensor => {
  const far = tf.mul(tf.sub(tf.log(tf.maximum(a, FAR)), Math.log(FAR)), 2)
  return tf.add(tf.log1p(tf.square(tf.minimum(a, FAR))), far)
}

/**
 * Student's t with ν degrees of freedom for every element.
 *
 * @throws DiffeoException if ν is not a number above 0
 * @example studentT(3).logProb({}, batch([1], [0, 1])) // [-1.001, -1.576]
 */
export const studentT = (degrees: number): Base => {
  const wrong = wrongOption('studentT', [positive('number of degrees of freedom', degrees)])
  if (wrong !== undefined) throw new DiffeoException(wrong)
  const constant = logGamma((degrees + 1) / 2) - logGamma(degrees / 2) - 0.5 * Math.log(degrees * Math.PI)
  const logDensity = (z: AnyTensor): AnyTensor =>
    trust(
      tf.sub(constant, tf.mul(logOnePlusSquare(tf.abs(tf.mul(unwrap(z), 1 / Math.sqrt(degrees)))), (degrees + 1) / 2)),
    )
  const draw = ([a, b, uniform]: readonly AnyTensor[]): AnyTensor => {
    const [x, y] = [unwrap(a!), unwrap(b!)]
    // multiples of 2⁻²⁴; 0 would be infinitely far
    const u = tf.maximum(unwrap(uniform!), 2 ** -25)
    const radius = tf.sqrt(tf.mul(tf.sub(tf.exp(tf.mul(tf.log(u), -2 / degrees)), 1), degrees))
    return trust(tf.mul(radius, tf.div(x, tf.sqrt(tf.add(tf.add(tf.square(x), tf.square(y)), 1e-30)))))
  }
  return {
    name: 'studentT',
    spec: () => ({}),
    logProb: (_, z) =>
      tidy(() =>
        trust(
          latentTensors(z)
            .map((part) => unwrap(sumEvent(logDensity(part))))
            .reduce((sum, part) => tf.add(sum, part)),
        ),
      ),
    noise: (latents) =>
      latentList(latents).flatMap((shape) => [
        { kind: 'normal', shape },
        { kind: 'normal', shape },
        { kind: 'uniform', shape },
      ]),
    make: (latents, _, noise, { temperature } = {}) =>
      tidy(() => latentList(latents).map((_, i) => tempered(draw(noise.slice(3 * i, 3 * i + 3)), temperature))),
  }
}
