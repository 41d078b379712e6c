/**
 * Class-conditional runs, `diffeo train mnist --given labels`: each example comes with its class as a one-hot context.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import type { Latents, Shape } from '../../../types/shape.js'
import { oneHot } from '../../data/batches.js'
import type { ConditionalFlow, Flow, WithGiven } from '../../distribution/flow.js'
import { DiffeoException, usageError } from '../../error.js'
import { type BatchOf, trust } from '../../tensor/tensor.js'
import type { Trainable } from '../../train/objective.js'
import { tensorsIn } from '../../tree.js'

/** The flow of a run: conditional, if the run was trained with `--given`. */
export type RunFlow = Flow<Shape, Latents> | ConditionalFlow<Shape, Shape, Latents>

/** A batch of a run: with the context of each example, if the run is conditional. */
export type RunBatch = BatchOf<Shape> | WithGiven<Shape, Shape>

/** The flow as what `fit` trains on the run's batches: a conditional flow gets batches with contexts, others without. */
export const trainableOf = (flow: RunFlow): Trainable<RunBatch, 'likelihood'> =>
  flow as Trainable<never> as Trainable<RunBatch, 'likelihood'>

const hasContexts = (batch: RunBatch): batch is WithGiven<Shape, Shape> => 'given' in batch && 'x' in batch

/** The examples of a batch, without their contexts. */
export const examplesIn = (batch: RunBatch): BatchOf<Shape> => (hasContexts(batch) ? batch.x : batch)

/** The flow at the contexts of a batch; the flow itself, if it is not conditional. */
export const flowFor = (flow: RunFlow, batch: RunBatch): Flow<Shape, Latents> =>
  'given' in flow ? flow.given((batch as WithGiven<Shape, Shape>).given) : flow

export const freeBatch = (batch: RunBatch): void => tf.dispose([...tensorsIn(batch)])

/** The number of classes of a conditional run. */
export const classesOf = (flow: RunFlow): number | undefined =>
  'given' in flow ? (flow.bijector.context[0] as number) : undefined

/** Runs `use` on the flow at one class for all examples. */
export const atClass = async <A>(
  flow: ConditionalFlow<Shape, Shape, Latents>,
  label: number,
  use: (flow: Flow<Shape, Latents>) => Promise<A>,
): Promise<A> => {
  const classes = flow.bijector.context[0]!
  const context = tf.tensor(oneHot([label], classes), [1, classes])
  return use(flow.given(trust(context))).finally(() => context.dispose())
}

/**
 * The classes that `--given` names: all of them, if it is left out; none for a run that is not conditional.
 *
 * @throws DiffeoException with a usage error, if the run has no such class, or no classes
 */
export const chosenClasses = (flow: RunFlow, asked: readonly number[] | undefined): readonly number[] | undefined => {
  const classes = classesOf(flow)
  if (classes === undefined) {
    if (asked === undefined) return undefined
    throw new DiffeoException(
      usageError('--given', 'a run that was trained with --given labels', 'one that was not', 'leave it out'),
    )
  }
  const wrong = asked?.find((label) => label >= classes)
  if (wrong !== undefined)
    throw new DiffeoException(usageError('--given', `classes from 0 to ${classes - 1}`, `${wrong}`))
  return asked ?? Array.from({ length: classes }, (_, label) => label)
}
