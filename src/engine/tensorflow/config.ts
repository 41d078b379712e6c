/**
 * What a session of TensorFlow is asked for, as a `ConfigProto`. Field numbers from config.proto of TensorFlow 2.21.
 *
 * @module
 */
import { encoder, field } from '../protobuf.js'

const encodeConfig = encoder({
  ConfigProto: {
    interOpParallelismThreads: field('int32', 5),
    gpuOptions: field('GPUOptions', 6),
    allowSoftPlacement: field('bool', 7),
  },
  GPUOptions: { allowGrowth: field('bool', 4) },
})('ConfigProto')

/** The bytes of a `ConfigProto`: operations one after another, each on all processors; memory of a GPU as it is needed. */
export const sessionConfig: Uint8Array = encodeConfig({
  interOpParallelismThreads: 1,
  allowSoftPlacement: true,
  gpuOptions: { allowGrowth: true },
})
