/**
 * Compiled functions of examples that accept any number of batch sizes. A compiled program has one batch size, and compiling
 * takes longer than most calls. So the first eight sizes have their own programs, and a batch of any other size is padded to
 * the next power of two:
 *
 *     f(x) = the first n results of f(x ∥ copies of the last example), n = the size of x
 *
 * `f` must compute the result of an example from that example alone, as densities do in evaluation mode. Copies of an
 * example are inside the support if it is; zeros might not be.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import type { Jitted } from '../jit.js'
import type { Params } from '../tensor/params.js'
import type { AnyTensor } from '../tensor/tensor.js'
import { mapTensors, tensorsIn } from '../tree.js'

/** How many sizes have their own programs: half the number that `jit` keeps. */
const EXACT_SIZES = 8

/** The common first size of the tensors of a tree; `undefined` if their sizes differ or are 0. */
const batchSize = (tree: unknown): number | undefined => {
  const sizes = new Set(tensorsIn(tree).map(({ shape }) => shape[0]))
  const [size] = sizes
  return sizes.size === 1 && size !== 0 ? size : undefined
}

const nextPowerOfTwo = (n: number): number => 2 ** Math.ceil(Math.log2(n))

/** The same tree with each tensor replaced. Intermediate tensors of `f` are freed. */
const replaced = <T>(tree: T, f: (t: tf.Tensor) => tf.Tensor): T =>
  // a tree of tensors is a `TensorContainer`, which its type does not say
  tf.tidy(() => mapTensors(tree, f) as tf.TensorContainer) as T

/** A batch of `from` examples with copies of its last: `size` in all. A context for all of them stays as it is. */
const withCopies = <X>(x: X, from: number, size: number): X =>
  replaced(x, (t) =>
    t.shape[0] === from
      ? tf.gather(t, tf.tensor1d(Int32Array.from({ length: size }, (_, i) => Math.min(i, from - 1))))
      : tf.clone(t),
  )

/** Examples, and the contexts of a conditional flow: one for all examples, or one for each. */
export interface Examples<X> {
  readonly x: X
  readonly given?: AnyTensor | undefined
}

/** A compiled function of examples. */
export interface PerExampleFn<X, R> {
  (params: Params, examples: Examples<X>): Promise<R>
  /** Frees the compiled programs. */
  readonly dispose: () => Promise<void>
}

/** A compiled function that pads batches of any size after the first `exactSizes`. */
export const padded = <X, R>(
  run: Jitted<[params: Params, examples: Examples<X>], R>,
  exactSizes = EXACT_SIZES,
): PerExampleFn<X, R> => {
  const exact = new Set<number>()
  const programSize = (size: number): number => {
    if (exact.size < exactSizes) exact.add(size)
    return exact.has(size) ? size : nextPowerOfTwo(size)
  }
  const call = async (params: Params, examples: Examples<X>): Promise<R> => {
    const size = batchSize(examples.x)
    const whole = size && programSize(size)
    if (size === undefined || whole === undefined || whole === size) return run(params, examples)
    const longer = withCopies(examples, size, whole)
    const results = await run(params, longer).finally(() => tf.dispose(longer as object as tf.TensorContainer))
    try {
      return replaced(results, (t) => tf.slice(t, [0], [size]))
    } finally {
      tf.dispose(results as tf.TensorContainer)
    }
  }
  return Object.assign(call, {
    dispose: async () => {
      exact.clear()
      await run.dispose()
    },
  })
}
