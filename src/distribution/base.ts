/**
 * Base distributions: the density of the latents (Eq. 7). A base has parameters if its `spec` is not empty, and it
 * may depend on the context of a conditional flow.
 *
 * Random numbers are inputs of a program, never drawn in it. So a base draws in two parts: `noise` says which numbers to
 * draw, outside a program ({@link drawNoise}); `make` computes latents from them, inside.
 *
 * Laws: exp(logProb) integrates to 1; the draws have this density; a temperature of 1 changes nothing.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import { pipe } from 'fp-ts/lib/function.js'
import type { Latents, Shape } from '../../types/shape.js'
import { clamp, type Interval, logInside } from '../bijector/support.js'
import { DiffeoException } from '../error.js'
import { add, neg, plus, softplus, square, sumEvent, tidy, times } from '../tensor/ops.js'
import { atLeastZero, count, finite, positive, wrongOption } from '../tensor/options.js'
import type { Params, Spec } from '../tensor/params.js'
import { foldIn, type Key, normalArray, uniformArray } from '../tensor/random.js'
import { latentList, product } from '../tensor/shape.js'
import {
  type AnyTensor,
  type BatchOf,
  latentBatch,
  latentTensors,
  type PerExample,
  sizes,
  trust,
  unwrap,
} from '../tensor/tensor.js'
import { drawn } from '../tracing.js'

/** Random numbers of one example: standard normals, or uniforms in [0, 1). */
export interface Noise {
  readonly kind: 'normal' | 'uniform'
  readonly shape: Shape
}

/** What a draw depends on besides its parameters and its noise. */
export interface DrawOptions {
  /** One number for each example; below 1, draws are nearer to the mode. Default: 1 */
  readonly temperature?: PerExample | undefined
  /** The contexts of a conditional flow, one for each example. */
  readonly given?: AnyTensor | undefined
}

/** A density of latents. */
export interface Base {
  readonly name: string
  /**
   * The names, shapes and roles of its parameters, for latents and a context of these shapes.
   *
   * @throws DiffeoException if there is no such base for them
   */
  readonly spec: (latents: Latents, given?: Shape) => Spec
  /** log p(z), in nats, one number per example. */
  readonly logProb: (params: Params, z: AnyTensor | readonly AnyTensor[], given?: AnyTensor) => PerExample
  /** Which random numbers a draw of latents of these shapes takes. */
  readonly noise: (latents: Latents) => readonly Noise[]
  /** The latents that the numbers of {@link drawNoise} determine. */
  readonly make: (
    latents: Latents,
    params: Params,
    noise: readonly AnyTensor[],
    options?: DrawOptions,
  ) => readonly AnyTensor[]
  /** The parameters set from the latents of the first batch; default: as they are. */
  readonly start?: (params: Params, z: readonly AnyTensor[], given?: AnyTensor) => Params
}

/** More elements than a tensor of any engine can hold. */
const MOST_NUMBERS = 2 ** 31

const arrays = { normal: normalArray, uniform: uniformArray }

/**
 * The random numbers of `n` draws from a base. Call it outside `jit`, and pass them in.
 *
 * @throws DiffeoException if `n` is not a whole number from 0
 * @example drawNoise(standardNormal, [2], key(0), 10) // a list of one 10×2 tensor
 */
export const drawNoise = (base: Base, latents: Latents, key: Key, n: number): readonly AnyTensor[] => {
  const noise = base.noise(latents)
  const most = Math.floor(MOST_NUMBERS / Math.max(1, ...noise.map(({ shape }) => product(shape))))
  const wrong = wrongOption('sample', [
    count('draws', n, { least: 0 }),
    [`at most ${most} draws at a time`, n <= most, n],
  ])
  if (wrong !== undefined) throw new DiffeoException(wrong)
  return noise.map(({ kind, shape }, i) =>
    trust(drawn('sample', [n, ...shape], () => arrays[kind](foldIn(key, i), n * product(shape)))),
  )
}

/** A temperature in the form that `make` takes: none for 1. */
export const temperatures = (temperature: number, n: number): PerExample | undefined => {
  const wrong = wrongOption('sample', [atLeastZero('temperature', temperature)])
  if (wrong !== undefined) throw new DiffeoException(wrong)
  return temperature === 1 ? undefined : trust(tf.fill([n], temperature))
}

/**
 * `n` draws from a base; a temperature below 1 draws nearer to the mode.
 *
 * @throws DiffeoException if `n` is not a whole number from 0, or the temperature is negative or not finite
 * @example drawBase(standardNormal, [2], {}, key(0), 10) // Tensor<['N', 2]>
 */
export const drawBase = <L extends Latents>(
  base: Base,
  latents: L,
  params: Params,
  key: Key,
  n: number,
  { temperature = 1, given }: { readonly temperature?: number; readonly given?: AnyTensor | undefined } = {},
): BatchOf<L> =>
  tidy(() => {
    const noise = drawNoise(base, latents, key, n)
    return latentBatch(latents, base.make(latents, params, noise, { temperature: temperatures(temperature, n), given }))
  })

/** Numbers scaled by the temperature of their example. */
export const tempered = (z: AnyTensor, temperature: PerExample | undefined): AnyTensor => {
  if (temperature === undefined) return z
  const [n, ...event] = sizes(z)
  return trust(tf.mul(unwrap(z), tf.reshape(unwrap(temperature), [n!, ...event.map(() => 1)])))
}

/** A base without parameters that is the same density for every element. */
const elementwise = (
  name: string,
  kind: Noise['kind'],
  logDensity: (z: AnyTensor) => AnyTensor,
  quantile: (noise: AnyTensor) => AnyTensor,
): Base => ({
  name,
  spec: () => ({}),
  logProb: (_, z) =>
    tidy(() =>
      latentTensors(z)
        .map((part) => sumEvent(logDensity(part)))
        .reduce((a, b) => add(b)(a)),
    ),
  noise: (latents) => latentList(latents).map((shape) => ({ kind, shape })),
  make: (_, __, noise, { temperature } = {}) => tidy(() => noise.map((part) => tempered(quantile(part), temperature))),
})

/**
 * N(0, 1) for every element: log p(z) = −½z² − ½ log 2π (Eq. 7).
 *
 * @example standardNormal.logProb({}, batch([1], [0, 1])) // [-0.919, -1.419]
 */
export const standardNormal: Base = elementwise(
  'standardNormal',
  'normal',
  (z) => pipe(square(z), times(-0.5), plus(-0.5 * Math.log(2 * Math.PI))),
  (noise) => noise,
)

/**
 * The logistic distribution for every element: log p(z) = −softplus(z) − softplus(−z).
 *
 * @example standardLogistic.logProb({}, batch([1], [0, 1])) // [-1.386, -1.627]
 */
export const standardLogistic: Base = elementwise(
  'standardLogistic',
  'uniform',
  (z) => neg(add(softplus(neg(z)))(softplus(z))),
  (noise) => {
    // uniforms are multiples of 2⁻²⁴ below 1; 0 would become −∞
    const u = tf.maximum(unwrap(noise), 2 ** -25)
    return trust(tf.sub(tf.log(u), tf.log1p(tf.neg(u))))
  },
)

/**
 * Uniform on [low, high] for every element: log p(z) = −log(high − low) inside, −∞ outside. A temperature below 1 draws
 * nearer to the middle; above 1 it changes nothing.
 *
 * @throws DiffeoException if the bounds are not finite, or `low` is not below `high`
 * @example uniformBox(-1, 1).logProb({}, batch([1], [0, 2])) // [-0.693, -Infinity]
 */
export const uniformBox = (low: number, high: number): Base => {
  const wrong = wrongOption('uniformBox', [
    finite('lower bound', low),
    finite('upper bound', high),
    ['an upper bound above the lower', low < high, high],
    positive('width', high - low),
  ])
  if (wrong !== undefined) throw new DiffeoException(wrong)
  const [middle, width] = [(low + high) / 2, high - low]
  const inside: Interval = [low, high]
  return {
    name: 'uniformBox',
    spec: () => ({}),
    logProb: (_, z) =>
      tidy(() =>
        latentTensors(z)
          .map((part) => plus(-Math.log(width) * product(sizes(part).slice(1)))(logInside(inside, part)))
          .reduce((a, b) => add(b)(a)),
      ),
    noise: (latents) => latentList(latents).map((shape) => ({ kind: 'uniform', shape })),
    make: (_, __, noise, { temperature } = {}) =>
      tidy(() => {
        const shrunk = temperature && trust<readonly ['N']>(tf.minimum(unwrap(temperature), 1))
        return noise.map((u) => clamp(inside, plus(middle)(tempered(times(width)(plus(-0.5)(u)), shrunk))))
      }),
  }
}
