/**
 * What a session of TensorFlow is asked for, as a `ConfigProto`. Field numbers from config.proto of TensorFlow 2.21.
 *
 * @module
 */

import { encoder, field } from '../native/protobuf.js'
import type { EngineOptions } from '../options.js'

const encodeConfig = encoder({
  ConfigProto: {
    intraOpParallelismThreads: field('int32', 2),
    interOpParallelismThreads: field('int32', 5),
    gpuOptions: field('GPUOptions', 6),
    allowSoftPlacement: field('bool', 7),
    graphOptions: field('GraphOptions', 10),
  },
  GPUOptions: { allowGrowth: field('bool', 4) },
  GraphOptions: { optimizerOptions: field('OptimizerOptions', 3) },
  OptimizerOptions: { globalJitLevel: field('int32', 5), cpuGlobalJit: field('bool', 7) },
})('ConfigProto')

/** `GlobalJitLevel.ON_2` */
const ON_2 = 2

/** The bytes of a `ConfigProto`: operations one after another, each on all threads; memory of a GPU as it is needed. */
export const sessionConfig = ({ xla = false, threads = 0 }: EngineOptions = {}): Uint8Array =>
  encodeConfig({
    intraOpParallelismThreads: threads,
    interOpParallelismThreads: 1,
    allowSoftPlacement: true,
    gpuOptions: { allowGrowth: true },
    // the precision is written into the graph: `translate.ts`
    graphOptions: xla ? { optimizerOptions: { globalJitLevel: ON_2, cpuGlobalJit: true } } : {},
  })
