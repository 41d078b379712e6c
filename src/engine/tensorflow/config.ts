/**
 * What a session of TensorFlow is asked for, as a `ConfigProto`. Field numbers from config.proto of TensorFlow 2.21.
 *
 * @module
 */

import { encoder, field } from '../native/protobuf.js'
import type { EngineOptions, Precision } from '../options.js'

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

/** What the kernel calls the instructions of processors that compute in it. Others convert each number, there and back. */
const instructions: Readonly<Record<Precision, readonly string[]>> = {
  float32: [],
  bf16: ['avx512_bf16', 'amx_bf16'],
  fp16: ['avx512_fp16', 'amx_fp16'],
}

/**
 * Why a precision will not pay on the processor that Linux describes so; nothing where that is not known.
 *
 * @param cpuinfo the text of `/proc/cpuinfo`
 */
export const slowness = (precision: Precision, cpuinfo: string): string | undefined => {
  const [wanted, flags] = [instructions[precision], /^flags\s*:(.*)$/m.exec(cpuinfo)?.[1]?.split(' ')]
  return wanted.length === 0 || flags === undefined || wanted.some((name) => flags.includes(name))
    ? undefined
    : `${precision} is likely slower than float32 here: the processor has neither ${wanted.join(' nor ')}`
}
