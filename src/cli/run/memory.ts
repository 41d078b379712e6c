/**
 * Whether a model fits into the memory of this machine. A step holds two states, the one before and the one after, each of
 * the parameters and the optimiser's lists of moments, and the gradients, in float32. Activations come on top.
 *
 * @module
 */
import { totalmem } from 'node:os'
import { DiffeoException, usageError } from '../../error.js'
import { countParams, type Spec } from '../../tensor/params.js'
import type { Optimiser } from '../../train/optimiser.js'

/** The memory that this process may use, in bytes: that of the machine, or of its container. */
const available = (): number => {
  const limit = process.constrainedMemory()
  return limit !== undefined && limit > 0 ? Math.min(limit, totalmem()) : totalmem()
}

const gigabytes = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(1)} GB`

/** The bytes that training a model takes at least. */
export const trainingBytes = (spec: Spec, optimiser: Optimiser): number =>
  4 * countParams(spec) * (2 * (1 + optimiser.init([]).length) + 1)

/**
 * Refuses a model that takes more memory than there is, before any of it is allocated.
 *
 * @throws DiffeoException that says how much it needs and how much there is
 */
export const requireMemory = (op: string, spec: Spec, needed: number, memory = available()): void => {
  if (needed <= memory) return
  const got = `one of ${countParams(spec).toLocaleString('en')} parameters, which needs ${gigabytes(needed)}`
  const fix = 'make it smaller: --width, --blocks, --hidden, --couplings'
  throw new DiffeoException(usageError(op, `a model that fits into ${gigabytes(memory)} of memory`, got, fix))
}
