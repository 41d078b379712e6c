/**
 * What a session of TensorFlow is asked for, as a `ConfigProto`. Field numbers from config.proto of TensorFlow 2.21.
 *
 * @module
 */

import type { EngineOptions, Precision } from '../options.js'
import { encoder, field } from '../shared/protobuf.js'
import { VERSION } from './install/wheels.js'

const encodeConfig = encoder({
  ConfigProto: {
    intraOpParallelismThreads: field('int32', 2),
    interOpParallelismThreads: field('int32', 5),
    gpuOptions: field('GPUOptions', 6),
    allowSoftPlacement: field('bool', 7),
    graphOptions: field('GraphOptions', 10),
    experimental: field('Experimental', 16),
  },
  GPUOptions: { allowGrowth: field('bool', 4) },
  GraphOptions: { optimizerOptions: field('OptimizerOptions', 3), rewriteOptions: field('RewriterConfig', 10) },
  RewriterConfig: { memoryOptimization: field('int32', 4) },
  Experimental: { executorType: field('string', 3) },
  OptimizerOptions: { globalJitLevel: field('int32', 5), cpuGlobalJit: field('bool', 7) },
})('ConfigProto')

/** `GlobalJitLevel.ON_2` */
const ON_2 = 2

/** `MemOptType.NO_MEM_OPT` */
const NO_MEM_OPT = 1

/**
 * What a graph that is whole on one processor is asked for beside that. The executor for such graphs starts an operation
 * sooner than the one for branches and several devices: the step of a flow of points takes 0.92 of its time, of images
 * 0.98. It takes no references to variables, with which the memory optimiser would write sums of many tensors.
 */
const onOneProcessor = {
  experimental: { executorType: 'SINGLE_THREADED_EXECUTOR' },
  graphOptions: { rewriteOptions: { memoryOptimization: NO_MEM_OPT } },
}

/**
 * The bytes of a `ConfigProto`: operations one after another, each on all threads; memory of a GPU as it is needed.
 *
 * @param whole whether the graph is whole on one processor: on no GPU, and not one of several workers'
 */
export const sessionConfig = ({ xla = false, threads = 0 }: EngineOptions = {}, whole = false): Uint8Array =>
  encodeConfig({
    intraOpParallelismThreads: threads,
    interOpParallelismThreads: 1,
    allowSoftPlacement: true,
    gpuOptions: { allowGrowth: true },
    // the precision is written into the graph: `lower/program.ts`
    ...(xla
      ? { graphOptions: { optimizerOptions: { globalJitLevel: ON_2, cpuGlobalJit: true } } }
      : whole
        ? onOneProcessor
        : {}),
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

/**
 * Whether a library would end the process at a convolution in bf16, where the processor has no instructions for it:
 * 2.13 does, {@link VERSION} does not, and none between was tried.
 */
export const breaksAt = (precision: Precision, version: string): boolean => {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  const [tried = 0, from = 0] = VERSION.split('.').map(Number)
  return precision === 'bf16' && (major < tried || (major === tried && minor < from))
}
