/**
 * Warnings before a training begins, about batches from which nothing can be learned.
 *
 * @module
 */
import { product } from '../../tensor/shape.js'
import type { RunConfig } from '../run/config.js'
import { type Examples, firstBatch } from '../run/examples.js'
import type { Io } from '../terminal/console.js'

/** Whether the images of a batch are equal, apart from noise below one gray level. */
const areEqual = (batch: Float32Array, size: number): boolean =>
  batch.every((value, i) => Math.floor(value) === Math.floor(batch[i % size]!))

/** Whether every pixel of a batch has the gray level of the first. */
const isConstant = (batch: Float32Array): boolean => areEqual(batch, 1)

/** Warnings about a batch of one, and about a first batch of constant or equal images. */
const warningsOf = async (
  { shape, recipe: { batch: size } }: Pick<RunConfig, 'shape' | 'recipe'>,
  examples: Pick<Examples, 'batch'>,
): Promise<readonly string[]> => {
  const single = size === 1 ? ['--batch 1: one example has no deviation to normalise by; use 2 or more'] : []
  if (shape.length !== 3) return single
  const batch = await firstBatch(examples)
  if (isConstant(batch))
    return [...single, `data: every pixel of the first batch is ${Math.floor(batch[0]!)}; its density has no bound`]
  if (size > 1 && areEqual(batch, product(shape)))
    return [...single, `data: the ${size} images of the first batch are equal; their density has no bound`]
  return single
}

/**
 * Warns before a new run trains on what cannot be learned.
 *
 * @throws DiffeoException with a file or format error, if the first batch cannot be read
 */
export const warnOf = async (
  config: Pick<RunConfig, 'shape' | 'recipe'>,
  examples: Pick<Examples, 'batch'>,
  { warn }: Pick<Io, 'warn'>,
): Promise<void> => {
  for (const line of await warningsOf(config, examples)) warn(line)
}
