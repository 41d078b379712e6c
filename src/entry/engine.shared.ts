/**
 * The part of `diffeo/engine` that Node and browsers share: compiled functions, their programs, and ONNX files.
 *
 * @module
 */
export { type OnnxFunctions, onnxFunctions } from '../api/onnx.js'
export {
  type OnnxFunction,
  type OnnxInput,
  type OnnxSampler,
  toOnnx,
  toOnnxSampler,
} from '../backends/onnxruntime/export.js'
export { type EngineOptions, Precision } from '../backends/options.js'
export type { Loaded } from '../backends/tfjs/backend.js'
export {
  bytes,
  type Call,
  describeProgram,
  type Elements,
  flops,
  type Program,
  type ProgramType,
  type ValueInfo,
} from '../compiler/program.js'
export { NotInstalled } from '../error.js'
export { type JitOptions, type Jitted, jit } from '../jit.js'
