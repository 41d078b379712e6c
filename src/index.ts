/**
 * Normalizing flows whose tensor shapes the compiler checks.
 *
 * @module
 */

export { load, train } from './api/node.js'
export { type LoadRunOptions, loadRun } from './cli/run/load-run.js'
export * from './portable.js'
