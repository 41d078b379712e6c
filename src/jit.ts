/**
 * `jit(f)`: a pure function of tensors as one program. The first call with a signature (the shapes and types of the
 * tensors, and all other arguments) traces `f`, and the engine compiles it. Later calls run the compiled program, as long
 * as it is among the most recently used programs of `f`.
 *
 * Laws. `await jit(f)(…args)` is `f(…args)`, but for rounding. `f` must compute only with tensors: a value that is
 * read, a random draw or a clock would become a constant of the program, so the first two are errors. Tensors
 * that `f` finds outside its arguments become constants.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import { type Compiled, currentCompiler } from './backends/compiler.js'
import { programs } from './backends/programs.js'
import type { Runner } from './compiler/evaluate.js'
import { simplify } from './compiler/passes/simplify.js'
import { runPasses } from './compiler/pipeline.js'
import type { Program, ProgramType, ValueInfo } from './compiler/program.js'
import { partition, type Share } from './compiler/shard/partition.js'
import { trace } from './compiler/trace.js'
import { DiffeoException, engineError, usageError } from './error.js'
import { FREED } from './freed.js'
import { isPlainObject } from './thrown.js'
import { mapTree, tensorsIn } from './tree.js'

// -------------------------------------------------------------------------------------
// trees
// -------------------------------------------------------------------------------------

const infoOf = ({ shape, dtype }: tf.Tensor): ValueInfo => ({ shape, dtype: dtype as ProgramType })

/** The tensors of a tree, in order, and a text that trees with the same traces share. */
const flatten = (tree: unknown): { readonly tensors: readonly tf.Tensor[]; readonly signature: string } => {
  const tensors: tf.Tensor[] = []
  const parts: string[] = []
  const walk = (sub: unknown): void => {
    if (sub instanceof tf.Tensor) {
      tensors.push(sub)
      parts.push(sub.dtype, sub.shape.join())
    } else if (Array.isArray(sub)) {
      parts.push('[')
      sub.forEach(walk)
      parts.push(']')
    } else if (isPlainObject(sub)) {
      parts.push('{')
      for (const name of Object.keys(sub)) {
        parts.push(JSON.stringify(name))
        walk(sub[name])
      }
      parts.push('}')
    } else if (sub === undefined || sub === null || ['number', 'string', 'boolean'].includes(typeof sub))
      // a text in quotes is no number, and String(-0) is '0'
      parts.push(typeof sub === 'string' ? JSON.stringify(sub) : Object.is(sub, -0) ? '-0' : String(sub))
    else {
      const got = typeof sub === 'object' ? (sub.constructor?.name ?? 'an object') : `a ${typeof sub}`
      throw new DiffeoException(
        usageError('jit', 'arguments made of tensors, numbers, texts, lists and plain objects', got, 'close over it'),
      )
    }
  }
  walk(tree)
  return { tensors, signature: parts.join(' ') }
}

/** How many tensors each part of a tree has that has any: a list of tensors is a part, and so is a tree without lists. */
const groupSizes = (tree: unknown): readonly number[] => {
  const isList = Array.isArray(tree)
  const subs: readonly unknown[] = isList ? tree : isPlainObject(tree) ? Object.values(tree) : []
  const whole =
    tree instanceof tf.Tensor || (isList ? subs.every((sub) => sub instanceof tf.Tensor) : !subs.some(hasList))
  return whole ? [tensorsIn(tree).length].filter((n) => n > 0) : subs.flatMap(groupSizes)
}
const hasList = (tree: unknown): boolean =>
  Array.isArray(tree) || (isPlainObject(tree) && Object.values(tree).some(hasList))

// -------------------------------------------------------------------------------------
// jit
// -------------------------------------------------------------------------------------

/** A function that runs as one program. */
export interface Jitted<Args extends readonly unknown[], R> {
  (...args: Args): Promise<R>
  /** Traces and compiles for arguments like these, and runs nothing. */
  readonly prepare: (...args: Args) => Promise<void>
  /** The program that arguments like these run, as `describeProgram` prints it. */
  readonly program: (...args: Args) => Program
  /** Frees the compiled programs, once running calls have ended; the next call compiles again. */
  readonly dispose: () => Promise<void>
}

export interface JitOptions {
  /**
   * How many of the arguments, the first ones, are the same tensors in many calls, as parameters are while a flow is
   * evaluated: values that depend only on them are computed once. Default: 0
   */
  readonly steady?: number
  /**
   * The index of the argument that is a batch. If several workers compute together, each gets the whole batch, computes
   * with its share, and returns the result of the whole. Without it each worker computes independently.
   */
  readonly batch?: number
}

interface Entry {
  readonly compiled: Promise<Compiled>
  /** The result's tree around tensors, which are given in order. */
  readonly rebuild: (tensors: readonly tf.Tensor[]) => unknown
}

/** What `f` does with arguments like these. */
const traceTree = <Args extends readonly unknown[]>(f: (...args: Args) => unknown, args: Args) => {
  let shape: unknown
  let outputGroups: readonly number[] = []
  const { tensors } = flatten(args)
  const program = trace((given) => {
    let next = 0
    const result = f(...(mapTree(args, tf.Tensor, () => given[next++]) as Args))
    const outputs: tf.Tensor[] = []
    outputGroups = groupSizes(result)
    // a place for each tensor: they themselves end with the trace
    shape = mapTree(result, tf.Tensor, (tensor) => new Place(outputs.push(tensor) - 1))
    return outputs
  }, tensors.map(infoOf))
  return {
    program: runPasses('jit', [['simplify', simplify]], program),
    inputGroups: args.flatMap(groupSizes),
    outputGroups,
    rebuild: (results: readonly tf.Tensor[]) => mapTree(shape, Place, ({ index }) => results[index]),
  }
}

/** A worker's share of a batch. */
const shareOf = (t: tf.Tensor, { index, count }: Share): tf.Tensor => {
  const size = t.shape[0]! / count
  return tf.slice(t, [index * size], [size])
}

/** Where a tensor stands among the results. */
class Place {
  constructor(readonly index: number) {}
}

/**
 * A pure function of tensors, compiled. Arguments and result are trees: lists and plain objects of tensors; numbers,
 * texts and booleans among the arguments are part of the signature, so each new value means a new program. The 16
 * most recently used programs are kept; others are compiled again when needed. The caller frees the tensors of the result
 * and still owns the arguments.
 *
 * @example
 * const logProb = jit((params: Params, x: BatchOf<[2]>) => moons.logProb(params)(x))
 * const nats = await logProb(params, x) // the first call compiles
 * @throws DiffeoException (as a rejection) if `f` cannot be traced: it reads a value, or calls an unknown operation
 */
export const jit = <Args extends readonly unknown[], R>(
  f: (...args: Args) => R,
  { steady = 0, batch }: JitOptions = {},
): Jitted<Args, R> => {
  if (typeof f !== 'function') throw new DiffeoException(usageError('jit', 'a function', typeof f))
  const cache = programs<Entry>()
  const compile = (args: Args): Entry => {
    const { compiler, share } = currentCompiler()
    const { program, rebuild, ...groups } = traceTree(f, args)
    const compiled = compiler({
      program: isShared() ? partition(program, batched(args), share) : program,
      ...groups,
      steadyGroups: args.slice(0, steady).flatMap(groupSizes).length,
    })
    return { compiled, rebuild }
  }
  const use = <A>(args: Args, signature: string, run: (compiled: Compiled, entry: Entry) => Promise<A>): Promise<A> =>
    cache.use(currentCompiler().compiler, signature, () => compile(args), run)
  const isShared = (): boolean => batch !== undefined && currentCompiler().share.count > 1
  /** The places of the batch's tensors among those of all arguments. */
  const batched = (args: Args): ReadonlySet<number> => {
    const first = tensorsIn(args.slice(0, batch)).length
    return new Set(tensorsIn(args[batch!]).map((_, i) => first + i))
  }
  /** The tensors with those of the batch cut to this worker's share, for as long as `run` needs them. */
  const shared = async (args: Args, run: Runner): Promise<readonly tf.Tensor[]> => {
    const tensors = tensorsIn(args)
    const places = batched(args)
    const { share } = currentCompiler()
    const shares = tensors.map((t, i) => (places.has(i) ? shareOf(t, share) : t))
    return run(shares).finally(() => tf.dispose(shares.filter((_, i) => places.has(i))))
  }
  const call = async (...args: Args): Promise<R> => {
    const { tensors, signature } = flatten(args)
    const refuseFreed = (): void => {
      if (tensors.some((t) => t.isDisposed))
        throw new DiffeoException(engineError('jit', 'tensors', 'one that was freed', FREED))
    }
    refuseFreed()
    return use(args, signature, async ({ run }, { rebuild }) => {
      // compiling takes time, in which an argument can be freed
      refuseFreed()
      return rebuild(await (isShared() ? shared(args, run) : run(tensors))) as R
    })
  }
  return Object.assign(call, {
    prepare: (...args: Args) => use(args, flatten(args).signature, async () => undefined),
    program: (...args: Args) => traceTree(f, args).program,
    dispose: cache.dispose,
  })
}
