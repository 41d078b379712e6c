/**
 * The flow of a configuration: a premade one by its name and sizes, or the user's own from a file. The file exports a
 * bijector, or a layer, which gets the shape of the data, as `default` or `model`.
 *
 * A checkpoint never chooses code to run: the file of a model is imported only where the command line names it.
 *
 * @module
 */
import type { Latents, Shape, ShapeFn } from '../../../types/shape.js'
import { compose } from '../../bijector/compose.js'
import type { AnyBijector, AnyConditional, Bijector, Layer } from '../../bijector/layer.js'
import * as Transformers from '../../bijector/transformers/index.js'
import { standardNormal } from '../../distribution/base.js'
import { flow } from '../../distribution/flow.js'
import { DiffeoException, orThrow, usageError } from '../../error.js'
import { maf, nsf } from '../../models/autoregressive.js'
import { realNvp, realNvpVector } from '../../models/realNvp.js'
import { preprocess } from '../../table/preprocess.js'
import { shapesOf, viewOf } from '../../table/view.js'
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

/** What decides a flow. */
type FlowConfig = Pick<RunConfig, 'model' | 'shape' | 'given' | 'table'> & {
  readonly data?: Pick<RunConfig['data'], 'given'>
}

/** The premade layers of a configuration; none, if its model is a file. */
const layersOf = ({ model, shape }: Pick<FlowConfig, 'model' | 'shape'>): Layer<ShapeFn> | undefined => {
  if (model.name === 'realnvp') return realNvp<number>(model) as Layer<ShapeFn>
  if (model.name === 'realnvp-vector') return realNvpVector(model) as Layer<ShapeFn>
  if (model.name === 'nsf')
    return nsf({
      ...model,
      transformer: Transformers.spline({ bins: model.bins }),
      // a single variable has no halves
      autoregressive: shape[0] === 1,
    }) as Layer<ShapeFn>
  if (model.name === 'maf') return maf(model) as Layer<ShapeFn>
  if (model.name === 'mixture')
    return maf({ ...model, transformer: Transformers.mixture({ components: model.components }) }) as Layer<ShapeFn>
  return undefined
}

const bijectorOf = async (
  { model, shape, given, table, data }: FlowConfig,
  file: string | undefined,
): Promise<AnyBijector | AnyConditional> => {
  const view = table && viewOf('--given', table.columns, data?.given)
  const context = view ? shapesOf(view).context : given && [given.labels]
  if (model.name !== 'file' && file !== undefined && file !== model.name)
    throw new DiffeoException(usageError('--model', `nothing, for a run of ${model.name}`, `'${file}'`, 'leave it out'))
  const layers =
    layersOf({ model, shape }) ??
    (file === undefined ? undefined : ((await importModel(file, shape, context)) as Layer<ShapeFn>))
  if (layers !== undefined) {
    const all = view === undefined ? layers : compose(preprocess(view.modelled), layers)
    return orThrow((all as Layer<ShapeFn>).at(shape, context))
  }
  if (model.name !== 'file') throw new Error(`no layers of ${model.name}`)
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
  config: FlowConfig & { readonly recipe: Pick<RunConfig['recipe'], 'averageDecay'> },
  file?: string,
): Promise<Model> => ({
  flow: flow((await bijectorOf(config, file)) as Bijector<Shape, Latents>, standardNormal) as RunFlow,
  optimiser: averaged(adam(), config.recipe.averageDecay),
})
