/**
 * `diffeo/engine`: engines, compiled functions, and ONNX files.
 *
 * @module
 */
export { describeEngine, type Engine, EngineName, ready } from '../backends/engine.js'
export * from './engine.shared.js'
