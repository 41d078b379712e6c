/**
 * What every backend provides: a compiler, which turns a program into something that runs. `jit` uses the current one.
 *
 * @module
 */
import { type Runner, runEagerly } from '../compiler/evaluate.js'
import type { Program } from '../compiler/program.js'
import type { Share } from '../compiler/shard/partition.js'

/** A program to compile, and how its inputs and outputs group into vectors that cross into a runtime as one. */
export interface CompilerInput {
  readonly program: Program
  /** The number of consecutive inputs in each group. */
  readonly inputGroups: readonly number[]
  /** The number of consecutive outputs in each group. Default: one group */
  readonly outputGroups?: readonly number[]
  /**
   * How many of the first input groups hold the same tensors in many calls. What depends on them alone need not be
   * recomputed. Default 0
   */
  readonly steadyGroups?: number
}

export interface Compiled {
  readonly run: Runner
  readonly dispose: () => Promise<void>
}

export type Compiler = (input: CompilerInput) => Promise<Compiled>

/** The compiler of backends that run a program call by call. */
export const eagerCompiler: Compiler = async ({ program }) => ({ run: runEagerly(program), dispose: async () => {} })

const ALONE: Share = { index: 0, count: 1 }

let current: { readonly compiler: Compiler; readonly share: Share } = { compiler: eagerCompiler, share: ALONE }

/** The compiler in use, and the share of a batch that this process computes. */
export const currentCompiler = () => current

/** Sets the compiler for all later calls of `jit` functions, and this worker's share of each batch. */
export const setCompiler = (compiler: Compiler, share: Share = ALONE): void => {
  current = { compiler, share }
}
