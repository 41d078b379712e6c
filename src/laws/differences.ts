/**
 * Gradients against differences.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import { lawful, type Verdict, violates } from './verdict.js'

const steps = [1e-2, 3e-3, 1e-3, 3e-4]

/**
 * Compares a slope of `f` along a direction, as its gradient gives it, with differences. A kink within a step spoils the
 * difference on that side, rounding spoils short steps; so some step must agree, from the middle or from one side.
 *
 * @param allowed the error allowed
 */
export const agreesWithDifferences = (
  what: string,
  f: (...xs: readonly tf.Tensor[]) => tf.Tensor,
  xs: readonly tf.Tensor[],
  direction: readonly tf.Tensor[],
  slope: number,
  allowed: number,
): Verdict => {
  const at = (step: number): number =>
    tf.tidy(() => f(...xs.map((x, i) => tf.add(x, tf.mul(direction[i]!, step)))).dataSync()[0]!)
  const middle = at(0)
  const tried: number[] = []
  let sides: readonly [left: number, right: number] = [0, 0]
  const agrees = steps.some((step) => {
    const [right, left] = [(at(step) - middle) / step, (middle - at(-step)) / step]
    const slopes = [(left + right) / 2, left, right]
    tried.push(...slopes)
    sides = [left, right]
    return slopes.some((difference) => Math.abs(slope - difference) <= allowed)
  })
  if (agrees) return lawful
  const isKink = Math.abs(sides[1] - sides[0]) > allowed
  const hint = isKink ? ' (left and right of it they differ: if the bijector has kinks, say where, as kinks: [0])' : ''
  return violates(what, `one of the differences ${tried.map((v) => v.toPrecision(4)).join(', ')}${hint}`, slope)
}
