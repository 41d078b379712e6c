/**
 * How an engine computes, beyond which one it is, and which engines can be asked.
 *
 * @module
 */
import * as t from 'io-ts'
import { type DiffeoError, usageError } from '../error.js'
import type { WasmFiles } from './tfjs/wasm-files.js'

/**
 * The codec of {@link Precision}.
 *
 * @example Precision.is('bf16') // true
 */
export const Precision = t.keyof({ float32: null, bf16: null, fp16: null }, 'Precision')

/**
 * What convolutions and products of matrices are computed in. Log-determinants, sums, losses and optimisers are float32
 * in each.
 */
export type Precision = t.TypeOf<typeof Precision>

/** What an engine may be asked for. */
export interface EngineOptions {
  /** Default `'float32'` */
  readonly precision?: Precision
  /** Compile with XLA. Default false */
  readonly xla?: boolean
  /** Default: as many as there are processors. */
  readonly threads?: number
  /** As `/cpu:0` or `/gpu:1`. Default: the first GPU, else the processor. */
  readonly device?: string
  /**
   * Where a browser finds the binaries of the wasm backend: the URL of the folder that holds them, of one of them, or of
   * each by its file name. Engines that do not need them ignore it. Default: beside the script, where bundlers put none
   */
  readonly wasm?: WasmFiles
  /** How a bundled page loads the WebGPU backend: `() => import('@tensorflow/tfjs-backend-webgpu')`. */
  readonly webgpu?: () => Promise<unknown>
}

/** Options that some engines refuse. `wasm` and `webgpu` say where files are, and matter to no other engine. */
const able: Readonly<Record<Exclude<keyof EngineOptions, 'wasm' | 'webgpu'>, readonly string[]>> = {
  precision: ['tensorflow'],
  xla: ['tensorflow'],
  device: ['tensorflow'],
  threads: ['onnxruntime', 'tensorflow'],
}

/** What every engine does unasked. */
const isDefault = (value: unknown): boolean => value === undefined || value === false || value === 'float32'

/** Why this engine cannot be asked for that. */
export const refusal = (name: string, options: EngineOptions): DiffeoError | undefined => {
  const option = (Object.keys(able) as (keyof typeof able)[]).find(
    (known) => !isDefault(options[known]) && !able[known].includes(name),
  )
  return option === undefined
    ? undefined
    : usageError(
        `${option} ${options[option]}`,
        'an engine that has it',
        name,
        `use ${able[option].map((other) => `--engine ${other}`).join(' or ')}`,
      )
}
