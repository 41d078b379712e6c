/**
 * What a session of TensorFlow is asked for, as a `ConfigProto`. Field numbers from config.proto and
 * rewriter_config.proto of TensorFlow 2.21.
 *
 * @module
 */
import { encoder, field, mapping } from '../protobuf.js'

const encodeConfig = encoder({
  ConfigProto: {
    deviceCount: mapping('string', 'int32', 1),
    intraOpParallelismThreads: field('int32', 2),
    interOpParallelismThreads: field('int32', 5),
    gpuOptions: field('GPUOptions', 6),
    allowSoftPlacement: field('bool', 7),
    graphOptions: field('GraphOptions', 10),
  },
  GPUOptions: { allowGrowth: field('bool', 4) },
  GraphOptions: { optimizerOptions: field('OptimizerOptions', 3), rewriteOptions: field('RewriterConfig', 10) },
  OptimizerOptions: { globalJitLevel: field('int32', 5), cpuGlobalJit: field('bool', 7) },
  RewriterConfig: {
    minGraphNodes: field('int32', 17),
    autoMixedPrecision: field('int32', 23),
    autoMixedPrecisionOnednnBfloat16: field('int32', 31),
  },
})('ConfigProto')

/** The numbers that products and convolutions are computed in; everything else, sums above all, stays float32. */
export type Precision = 'float32' | 'bf16' | 'fp16'

export interface TensorFlowOptions {
  /** Threads of an operation; default all processors. */
  readonly threads?: number
  readonly precision?: Precision
  /** Whether XLA compiles what it can. */
  readonly xla?: boolean
  /** Where programs run: `cpu`, `gpu`, or one of several GPUs as `gpu:1`; default the first GPU if there is one. */
  readonly device?: string
}

/** `RewriterConfig.Toggle` */
const ON = 1

/** The bytes of a `ConfigProto`. */
export const sessionConfig = ({
  threads = 0,
  precision = 'float32',
  xla = false,
  device,
}: TensorFlowOptions): Uint8Array =>
  encodeConfig({
    // a device count of zero hides them all
    ...(device === 'cpu' ? { deviceCount: { GPU: 0 } } : {}),
    intraOpParallelismThreads: threads,
    interOpParallelismThreads: 1,
    allowSoftPlacement: true,
    gpuOptions: { allowGrowth: true },
    graphOptions: {
      optimizerOptions: xla ? { globalJitLevel: 1, cpuGlobalJit: true } : {},
      rewriteOptions: {
        ...(precision === 'fp16' ? { autoMixedPrecision: ON } : {}),
        ...(precision === 'bf16' ? { autoMixedPrecisionOnednnBfloat16: ON } : {}),
      },
    },
  })
