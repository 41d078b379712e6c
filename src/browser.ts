/**
 * Normalizing flows whose tensor shapes the compiler checks, in browsers: without files, and with the engines that
 * browsers have.
 *
 * @module
 */
export * from './backends/browser.js'
export * from './portable.js'
