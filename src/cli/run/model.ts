/**
 * The flow of a configuration: a premade one by its name and sizes, or the user's own from a file. The file exports a
 * bijector, or a layer, which gets the shape of the data, as `default` or `model`.
 *
 * A checkpoint never chooses code to run: the file of a model is imported only where the command line names it.
 *
 * @module
 */
import type { Latents, Shape } from '../../../types/shape.js'
import type { AnyBijector, AnyConditional, Bijector } from '../../bijector/layer.js'
import { standardNormal } from '../../distribution/base.js'
import { flow } from '../../distribution/flow.js'
import { DiffeoException, orThrow, usageError } from '../../error.js'
import { realNvp, realNvpVector } from '../../models/realNvp.js'
import { type Averaged, adam, averaged } from '../../train/optimiser.js'
import { quoted } from '../flags.js'
import type { RunConfig } from './config.js'
import type { RunFlow } from './given.js'
import { importModel } from './model-file.js'

/** A flow and its optimiser: the tensors of a checkpoint belong to both. */
export interface Model {
  readonly flow: RunFlow
  readonly optimiser: Averaged
}

const bijectorOf = async (
  { model, shape, given }: Pick<RunConfig, 'model' | 'shape' | 'given'>,
  file: string | undefined,
): Promise<AnyBijector | AnyConditional> => {
  const context = given && [given.labels]
  if (model.name !== 'file' && file !== undefined && file !== model.name)
    throw new DiffeoException(usageError('--model', `nothing, for a run of ${model.name}`, `'${file}'`, 'leave it out'))
  if (model.name === 'realnvp') return orThrow(realNvp<number>(model).at(shape, context))
  if (model.name === 'realnvp-vector') return orThrow(realNvpVector(model).at(shape, context))
  if (file !== undefined) return importModel(file, shape, context)
  throw new DiffeoException(
    usageError(
      '--model',
      "the file of this run's model, because no checkpoint may choose what code runs",
      'none',
      `add --model ${quoted(model.path)} if you trust that file`,
    ),
  )
}

/**
 * The flow of a configuration and its optimiser.
 *
 * @param file the file of the model, if the command line names it
 * @throws DiffeoException if the model does not fit the shape, or its file cannot be used
 */
export const modelOf = async (
  config: Pick<RunConfig, 'model' | 'shape' | 'given'> & { readonly recipe: Pick<RunConfig['recipe'], 'averageDecay'> },
  file?: string,
): Promise<Model> => ({
  flow: flow((await bijectorOf(config, file)) as Bijector<Shape, Latents>, standardNormal) as RunFlow,
  optimiser: averaged(adam(), config.recipe.averageDecay),
})
