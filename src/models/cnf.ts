/**
 * Continuous normalising flows, made only of public parts.
 *
 * @module
 */
import type { SameVector } from '../../types/shape.js'
import { type ContinuousOptions, continuous } from '../bijector/continuous.js'
import type { Layer } from '../bijector/layer.js'
import { actNorm } from '../bijector/norm.js'
import { stack } from './stack.js'

/**
 * A continuous normalising flow (Chen et al. 2018; Lipman et al. 2023): ActNorm, which puts the data where the velocity
 * starts, and a continuous layer. Train it by `flowMatching`, which needs no solver. In a conditional flow, the velocity sees
 * the context.
 *
 * @example
 * const moons = density([2], cnf({ hidden: [128, 128] }))
 * const model = await train(moons, twoMoons(), { key: key(0), objective: flowMatching })
 */
export const cnf = (options: ContinuousOptions = {}): Layer<SameVector> =>
  stack<SameVector>([actNorm, continuous(options)])
