/**
 * `diffeo/engine` in browsers.
 *
 * @module
 */
export { describeEngine, type Engine, EngineName, ready } from '../backends/browser.js'
export * from './engine.shared.js'
