/**
 * `diffeo/fp` in browsers.
 *
 * @module
 */
export { useEngine } from '../backends/browser.js'
export * from './fp.shared.js'
