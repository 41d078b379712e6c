/**
 * Continuous normalising flows (Chen et al. 2018): points follow a velocity from latents at time 0 to data at time 1.
 *
 *     dx/dt = u(x, t),   d log p(x)/dt = −tr ∂u/∂x                                          (their Eqs. 2, 8)
 *
 * The velocity is a net of one or two hidden layers, u = a(a(x·W₁ + …)·W₂ + b₂)·W₃ + b₃ with a = tanh, because its trace then
 * has a closed form that costs as little as the velocity itself, for any number of variables:
 *
 *     tr ∂u/∂x = a′(h₁)·(W₂ ∘ (W₃·W₁)ᵀ)·a′(h₂)ᵀ,   of one hidden layer a′(h₁)·diag(W₂·W₁)
 *
 * So it is exact, and needs neither Hutchinson's estimate nor derivatives of the net.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import * as E from 'fp-ts/lib/Either.js'
import { pipe } from 'fp-ts/lib/function.js'
import type { SameVector } from '../../types/shape.js'
import { heStart } from '../nn/start.js'
import { count, counts } from '../tensor/options.js'
import { constant, type Params, type Spec } from '../tensor/params.js'
import { product, sameVector } from '../tensor/shape.js'
import { type AnyTensor, sizes, trust, unwrap } from '../tensor/tensor.js'
import { forEach } from './context.js'
import { fromRunsGiven } from './from-runs.js'
import { type Layer, layer } from './layer.js'
import { withOptions } from './options.js'
import type { Run, RunInput } from './runs.js'

export interface ContinuousOptions {
  /** Widths of the one or two hidden layers of the velocity. Default: [64, 64] */
  readonly hidden?: readonly number[]
  /** Steps of the Runge–Kutta method of order 4 between the two times. Default: 8 */
  readonly steps?: number
}

/** A time for all examples, or one for each, [N, 1]. */
type Time = number | tf.Tensor

/** A velocity at its parameters and contexts. */
export interface Velocity {
  /** u(x, t) and tr ∂u/∂x, [N, 1]. */
  readonly at: (x: tf.Tensor, time: Time) => readonly [velocity: tf.Tensor, trace: tf.Tensor]
}
type VelocityOf = (params: Params, given: AnyTensor | undefined) => Velocity

const velocities = new WeakMap<object, VelocityOf>()

/**
 * The velocity of a continuous layer, `undefined` for other bijectors.
 *
 * @internal
 */
export const velocityOf = (bijector: object): VelocityOf | undefined => velocities.get(bijector)

const matMul = (a: tf.Tensor, b: tf.Tensor): tf.Tensor2D => tf.matMul(a as tf.Tensor2D, b as tf.Tensor2D)

const netOf = (
  d: number,
  context: number,
  hidden: readonly number[],
): { readonly spec: Spec; readonly at: VelocityOf } => {
  const widths = [d + 1 + context, ...hidden, d]
  const last = hidden.length
  const spec = Object.fromEntries(
    widths.slice(1).flatMap((to, l) => {
      const from = widths[l]!
      const kernel = l === last ? constant([from, to], 0) : heStart([from, to], l === 0 ? context : 0)
      return [
        [`kernel${l}`, kernel],
        [`bias${l}`, constant([to], 0)],
      ]
    }),
  )
  const at: VelocityOf = (params, given) => {
    const get = (name: string): tf.Tensor => unwrap(params[name] as AnyTensor)
    const first = get('kernel0')
    const rows = (from: number, size: number): tf.Tensor => tf.slice(first, [from, 0], [size, hidden[0]!])
    const [ofX, ofTime] = [rows(0, d), rows(d, 1)]
    const fixed =
      given === undefined
        ? get('bias0')
        : tf.add(get('bias0'), matMul(tf.reshape(unwrap(given), [-1, context]), rows(d + 1, context)))
    const back = matMul(get(`kernel${last}`), ofX)
    // [H₁, H₂], or [H₁, 1] of one hidden layer
    const weights =
      last === 1
        ? tf.sum(tf.mul(tf.transpose(ofX), get('kernel1')), 1, true)
        : tf.mul(get('kernel1'), tf.transpose(back))
    const slope = (activated: tf.Tensor): tf.Tensor => tf.sub(1, tf.square(activated))
    return {
      at: (x, time) => {
        const centred = typeof time === 'number' ? 2 * time - 1 : tf.sub(tf.mul(time, 2), 1)
        const h = tf.tanh(tf.add(matMul(x, ofX), tf.add(tf.mul(ofTime, centred), fixed)))
        const part = matMul(slope(h), weights)
        if (last === 1) return [tf.add(matMul(h, get('kernel1')), get('bias1')), part]
        const g = tf.tanh(tf.add(matMul(h, get('kernel1')), get('bias1')))
        const trace = tf.sum(tf.mul(part, slope(g)), 1, true)
        return [tf.add(matMul(g, get('kernel2')), get('bias2')), trace]
      },
    }
  }
  return { spec, at }
}

/** A point, and the integral of the trace on its way. */
type State = readonly [x: tf.Tensor, logDet: tf.Tensor]

/** The classical Runge–Kutta method of order 4. */
const integrated = ({ at }: Velocity, from: number, to: number, steps: number, start: tf.Tensor): State => {
  const h = (to - from) / steps
  const moved = (state: State, by: State, factor: number): State => [
    tf.add(state[0], tf.mul(by[0], factor)),
    tf.add(state[1], tf.mul(by[1], factor)),
  ]
  return Array.from({ length: steps }).reduce<State>(
    (state, _, i) => {
      const t = from + i * h
      const k1 = at(state[0], t)
      const k2 = at(moved(state, k1, h / 2)[0], t + h / 2)
      const k3 = at(moved(state, k2, h / 2)[0], t + h / 2)
      const k4 = at(moved(state, k3, h)[0], t + h)
      return moved(moved(moved(moved(state, k1, h / 6), k2, h / 3), k3, h / 3), k4, h / 6)
    },
    [start, tf.zeros([start.shape[0]!, 1])],
  )
}

/**
 * A continuous normalising flow (Chen et al. 2018, Grathwohl et al. 2019), with an exact trace. Starts as the identity. In a
 * conditional flow, the velocity sees the context. Train it by likelihood, or, at a fraction of the cost of a step and
 * without a solver, by `flowMatching`.
 *
 * Both directions evaluate the velocity 4·steps times. Each is a separate Runge–Kutta integration, so they are inverse up
 * to its error, of order steps⁻⁴: with 8 steps to about 10⁻⁵ for velocities that bend little. Memory: with gradients,
 * 4·steps evaluations of the net.
 *
 * - Forward: z = x(0), dx/dt = u(x, t), x(1) = x
 * - Forward log-det: −∫₀¹ tr ∂u/∂x dt
 * - Inverse: x = x(1), dx/dt = u(x, t), x(0) = z
 * - Inverse log-det: ∫₀¹ tr ∂u/∂x dt
 *
 * @example
 * const moons = density([2], continuous({ hidden: [64, 64] }))
 * const model = await train(moons, twoMoons(), { key: key(0), objective: flowMatching })
 */
export const continuous = ({ hidden = [64, 64], steps = 8 }: ContinuousOptions = {}): Layer<SameVector> => {
  const isOneOrTwo = !Array.isArray(hidden) || hidden.length === 1 || hidden.length === 2
  return withOptions(
    'continuous',
    [counts('hidden widths', hidden), ['one or two hidden widths', isOneOrTwo, hidden.length], count('steps', steps)],
    () =>
      layer<SameVector>('continuous', (shape, given) =>
        pipe(
          sameVector(shape),
          E.map(([d]) => {
            const { spec, at } = netOf(d!, given === undefined ? 0 : product(given), hidden)
            const between =
              (from: number, to: number): Run =>
              ({ params, values: [value], given: contexts }: RunInput) => {
                const own = contexts && forEach(sizes(value!)[0]!, contexts)
                const [x, logDet] = integrated(at(params, own), from, to, steps, unwrap(value!))
                return { values: [trust(x)], logDet: trust(tf.reshape(logDet, [-1])), params }
              }
            const made = fromRunsGiven(given, {
              name: 'continuous',
              domain: shape,
              codomain: shape,
              spec,
              forward: between(1, 0),
              inverse: between(0, 1),
            })
            velocities.set(made, at)
            return made
          }),
        ),
      ),
  )
}
