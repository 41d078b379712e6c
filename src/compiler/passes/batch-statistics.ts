/**
 * Mean and variance of a batch, as patterns:
 *
 *     centred = x − mean x,  variance = mean (x − mean x)²
 *
 * @module
 */
import { any, as, op, type Pattern } from '../rewrite.js'

const mean = as('mean', op('Mean', any('x')))

/** x − mean x. */
export const centred: Pattern<'x' | 'mean' | 'centred'> = as('centred', op('Sub', any('x'), mean))

/** The mean of squares of {@link centred}. The axes are those of the call. */
export const variance: Pattern<'x' | 'mean' | 'centred' | 'variance'> = as(
  'variance',
  op('Mean', op('Square', centred)),
)
