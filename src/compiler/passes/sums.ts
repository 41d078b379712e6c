/**
 * Gathers sums as one call, where nothing else reads the sums between:
 *
 *     a + b + c + …  =  Σ (a, b, c, …)
 *
 * The log-dets of a flow are such a sum.
 *
 * @module
 */
import type { Call, Program } from '../program.js'
import type { Build } from '../rebuild.js'
import { type Rule, rewrite, rule } from '../rewrite.js'

/** A rule that makes `AddN` of a sum of at least so many terms; `fits` says which sums a backend has one operation for. */
export const sumRule = (fewest: number, fits: (build: Build, sum: Call) => boolean): Rule =>
  rule(['Add', 'AddN'], [], (_, build, sum) => {
    if (!fits(build, sum)) return undefined
    const inputs = sum.inputs.flatMap((v) => {
      const inner = build.isReadOnce(v) ? build.maker(v) : undefined
      const isSum = inner?.kernel === 'Add' || inner?.kernel === 'AddN'
      return isSum && fits(build, inner) ? inner.inputs : [v]
    })
    const isNew = inputs.length > sum.inputs.length || sum.kernel === 'Add'
    return isNew && inputs.length >= fewest ? { kernel: 'AddN', inputs } : undefined
  })

/** Sums of vectors and matrices, whose terms may repeat along axes of size 1. Images have `image-sums.ts`. */
const small = sumRule(3, ({ info }, { outputs }) => {
  const { shape, dtype } = info(outputs[0]!)
  return shape.length < 4 && dtype === 'float32'
})

/** The program with sums of vectors and matrices gathered as calls of `AddN`. */
export const gatherSums = (program: Program): Program => rewrite(program, [small])
