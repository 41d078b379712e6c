/**
 * Normalizing flows whose tensor shapes the compiler checks, in browsers: without files, and with the engines that
 * browsers have.
 *
 * @module
 */

import { trainIn } from './api/train.js'
import { ready } from './backends/browser.js'

export * from './portable.js'

/**
 * Trains a flow on data, and returns the model with the best validated parameters. The engine is the best one available,
 * unless `ready` chose one before.
 *
 * @throws DiffeoException (as a rejection) if an option or the data do not fit, or if training fails
 * @example const model = await train(density([2], realNvpVector()), points, { key: key(0), steps: 200 })
 */
export const train = trainIn({ ready: () => ready() })
