/**
 * Residual flows (Behrmann et al. 2019, Chen et al. 2019): y = x + g(x) with a net g whose Lipschitz constant is below 1.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import * as E from 'fp-ts/lib/Either.js'
import { pipe } from 'fp-ts/lib/function.js'
import type { SameVector } from '../../types/shape.js'
import { shapeError } from '../error.js'
import { heStart } from '../nn/start.js'
import { count, counts } from '../tensor/options.js'
import { constant, type Params, type Spec } from '../tensor/params.js'
import { withoutGradient } from '../tensor/root.js'
import { product, sameVector, show } from '../tensor/shape.js'
import { logDetByElimination, neumannInverse, spectralBound } from '../tensor/spectral.js'
import { type AnyTensor, sizes, trust, unwrap } from '../tensor/tensor.js'
import { forEach } from './context.js'
import { fromRunsGiven } from './from-runs.js'
import { type Layer, layer } from './layer.js'
import { withOptions } from './options.js'
import type { Run, RunInput } from './runs.js'

export interface ResidualOptions {
  /** Widths of the hidden layers of g. Default: [32, 32] */
  readonly hidden?: readonly number[]
  /** The largest Lipschitz constant of g, above 0 and below 1. Near 1, layers bend more and the inverse is slower. Default: 0.9 */
  readonly coefficient?: number
}

/** The largest size of an event, for the log-det of a whole Jacobian. */
const MOST = 64

/** The largest slope of Swish, rounded up. */
const STEEPEST = 1.1

/** Swish, x·σ(x), and its slope. Divided by `STEEPEST` it is LipSwish (Chen et al. 2019, §3.2). */
const swish = (x: tf.Tensor) => {
  const s = tf.sigmoid(x)
  const value = tf.mul(x, s)
  return { value, slope: () => tf.add(s, tf.mul(value, tf.sub(1, s))) }
}

/** g at its parameters and contexts. */
interface Contraction {
  readonly at: (x: tf.Tensor) => tf.Tensor
  /** ∂gⱼ/∂xᵢ as [N, i, j]. */
  readonly jacobian: (x: tf.Tensor) => tf.Tensor3D
}

const matMul = (a: tf.Tensor, b: tf.Tensor): tf.Tensor2D => tf.matMul(a as tf.Tensor2D, b as tf.Tensor2D)

const contractionOf = (
  d: number,
  context: number,
  hidden: readonly number[],
  coefficient: number,
): { readonly spec: Spec; readonly at: (params: Params, given: AnyTensor | undefined) => Contraction } => {
  const widths = [d, ...hidden, d]
  const last = hidden.length
  const spec = {
    ...Object.fromEntries(
      widths.slice(1).flatMap((to, l) => [
        [`kernel${l}`, l === last ? constant([widths[l]!, to], 0) : heStart([widths[l]!, to])],
        [`bias${l}`, constant([to], 0)],
      ]),
    ),
    ...(context > 0 && { context: constant([context, hidden[0] ?? d], 0) }),
  }
  // each of the layers has its share, so that their product is the coefficient
  const most = coefficient ** (1 / (last + 1))
  const at = (params: Params, given: AnyTensor | undefined): Contraction => {
    const get = (name: string): tf.Tensor => unwrap(params[name] as AnyTensor)
    const kernels = widths.slice(1).map((_, l) => {
      const w = get(`kernel${l}`) as tf.Tensor2D
      const share = l === 0 ? most : most / STEEPEST
      return tf.mul(w, tf.div(share, tf.maximum(spectralBound(w), most))) as tf.Tensor2D
    })
    const offsets = widths.slice(1).map((_, l) => get(`bias${l}`))
    if (given !== undefined)
      offsets[0] = tf.add(offsets[0]!, matMul(tf.reshape(unwrap(given), [-1, context]), get('context')))
    const through = (x: tf.Tensor, each?: (slope: () => tf.Tensor, l: number) => void): tf.Tensor =>
      kernels.reduce<tf.Tensor>((h, kernel, l) => {
        const next = tf.add(matMul(h, kernel), offsets[l]!)
        if (l === last) return next
        const { value, slope } = swish(next)
        each?.(slope, l)
        return value
      }, x)
    return {
      at: through,
      jacobian: (x) => {
        const n = x.shape[0]!
        let tangent: tf.Tensor = tf.tile(tf.expandDims(kernels[0]!, 0), [n, 1, 1])
        through(x, (slope, l) => {
          const bent = tf.reshape(tf.mul(tangent, tf.expandDims(slope(), 1)), [n * d, widths[l + 1]!])
          tangent = tf.reshape(matMul(bent, kernels[l + 1]!), [n, d, widths[l + 2]!])
        })
        return tangent as tf.Tensor3D
      },
    }
  }
  return { spec, at }
}

/** How many powers of c fall below a tolerance. */
const powersBelow = (tolerance: number, c: number): number => Math.ceil(Math.log(tolerance) / Math.log(c))

/**
 * A residual flow (Behrmann et al. 2019, Eq. 1; Chen et al. 2019), for up to 64 variables, with an exact log-det. Every weight
 * of g is divided by a bound of its largest singular value where that exceeds its share, so the map is invertible at any
 * parameters. Starts as the identity. In a conditional flow, g sees the context.
 *
 * Forward takes the net, its Jacobian (D passes of the net at once) and an elimination of D steps. The inverse is Banach's
 * iteration without gradient, 66 evaluations of g for a coefficient of 0.9, and two steps of Newton's method, each of which
 * squares the error. The last has the derivatives of the implicit function theorem (first ones; second ones are not those of
 * the inverse). Memory: D + 2 results of the net, and D³/3 numbers for each example with gradients.
 *
 * - Forward: y = x + g(x)
 * - Forward log-det: log det(I + ∂g/∂x)
 * - Inverse: x = y − g(x)
 * - Inverse log-det: −log det(I + ∂g/∂x)
 *
 * @example compose(input([2]), repeat(8, residual()), actNorm)
 */
export const residual = ({ hidden = [32, 32], coefficient = 0.9 }: ResidualOptions = {}): Layer<SameVector> =>
  withOptions(
    'residual',
    [
      counts('hidden widths', hidden),
      ['a coefficient above 0 and below 1', coefficient > 0 && coefficient < 1, coefficient],
      count('hidden layers', hidden.length),
    ],
    () =>
      layer<SameVector>('residual', (shape, given) =>
        pipe(
          sameVector(shape),
          E.filterOrElse(
            ([d]) => d! <= MOST,
            () => shapeError('residual', `a vector of at most ${MOST}`, show(shape)),
          ),
          E.map(([d]) => {
            const { spec, at } = contractionOf(d!, given === undefined ? 0 : product(given), hidden, coefficient)
            const of = ({ params, values: [value], given: contexts }: RunInput): readonly [Contraction, tf.Tensor] => [
              at(params, contexts && forEach(sizes(value!)[0]!, contexts)),
              unwrap(value!),
            ]
            const logDetOf = (jacobian: tf.Tensor3D): tf.Tensor => logDetByElimination(tf.add(jacobian, tf.eye(d!)))
            const forward: Run = (input) => {
              const [g, x] = of(input)
              const values = [trust(tf.add(x, g.at(x)))] as readonly AnyTensor[]
              return { values, logDet: trust(logDetOf(g.jacobian(x))), params: input.params }
            }
            const inverse: Run = (input) => {
              const [g, y] = of(input)
              const iterated = withoutGradient(() =>
                Array.from({ length: powersBelow(1e-3, coefficient) }).reduce<tf.Tensor>(
                  (x) => tf.tidy(() => tf.sub(y, g.at(x))),
                  tf.clone(y),
                ),
              )
              const newton = (x: tf.Tensor): tf.Tensor => {
                const solver = withoutGradient(() => neumannInverse(g.jacobian(x), powersBelow(1e-6, coefficient)))
                const residue = tf.sub(y, tf.add(x, g.at(x)))
                const step = tf.matMul(tf.expandDims(residue, 1) as tf.Tensor3D, solver as tf.Tensor3D)
                return tf.add(x, tf.reshape(step, x.shape))
              }
              const x = newton(withoutGradient(() => newton(iterated)))
              const values = [trust(x)] as readonly AnyTensor[]
              return { values, logDet: trust(tf.neg(logDetOf(g.jacobian(x)))), params: input.params }
            }
            return fromRunsGiven(given, { name: 'residual', domain: shape, codomain: shape, spec, forward, inverse })
          }),
        ),
      ),
  )
