/**
 * The flow of a configuration: a premade one by its name and sizes, or the user's own from a file that exports a
 * bijector (as `default` or `model`), or a layer, which is put at the shape of the data.
 *
 * A checkpoint never chooses code to run: the file of a model is imported only where the command line names it.
 *
 * @module
 */
import { pipe } from 'fp-ts/lib/function.js'
import * as TE from 'fp-ts/lib/TaskEither.js'
import type { Latents, Shape } from '../../../types/shape.js'
import type { AnyBijector, Bijector } from '../../bijector/layer.js'
import { standardNormal } from '../../distribution/base.js'
import { type Flow, flow } from '../../distribution/flow.js'
import { type DiffeoError, usageError } from '../../error.js'
import { realNvp, realNvpVector } from '../../models/realNvp.js'
import { type Averaged, adam, averaged } from '../../train/optimiser.js'
import { quoted } from '../flags.js'
import type { RunConfig } from './config.js'
import { importModel } from './model-file.js'

/** What a checkpoint's tensors fit. */
export interface Model {
  readonly flow: Flow<Shape, Latents>
  readonly optimiser: Averaged
}

const bijectorOf = (
  { model, shape }: Pick<RunConfig, 'model' | 'shape'>,
  named: string | undefined,
): TE.TaskEither<DiffeoError, AnyBijector> => {
  if (model.name !== 'file' && named !== undefined && named !== model.name)
    return TE.left(usageError('--model', `nothing, for a run of ${model.name}`, `'${named}'`, 'leave it out'))
  switch (model.name) {
    case 'realnvp':
      return TE.fromEither(realNvp<number>(model).at(shape))
    case 'realnvp-vector':
      return TE.fromEither(realNvpVector(model).at(shape))
    case 'file':
      return named === undefined
        ? TE.left(
            usageError(
              '--model',
              "the file of this run's model, because no checkpoint may choose what code runs",
              'none',
              `add --model ${quoted(model.path)} if you trust that file`,
            ),
          )
        : importModel(named, shape)
  }
}

/**
 * The flow of a configuration and its optimiser.
 *
 * @param named the file of the model as the command line has it, if it has.
 */
export const modelOf = (
  config: Pick<RunConfig, 'model' | 'shape'> & { readonly recipe: Pick<RunConfig['recipe'], 'averageDecay'> },
  named?: string,
): TE.TaskEither<DiffeoError, Model> =>
  pipe(
    bijectorOf(config, named),
    TE.map((bijector) => ({
      flow: flow(bijector as Bijector<Shape, Latents>, standardNormal),
      optimiser: averaged(adam(), config.recipe.averageDecay),
    })),
  )
