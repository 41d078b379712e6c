/**
 * The configuration that flags ask for: of a new run, or of one that goes on, whose numbers are settled.
 *
 * @module
 */
import * as E from 'fp-ts/lib/Either.js'
import { pipe } from 'fp-ts/lib/function.js'
import { type DiffeoError, usageError } from '../../error.js'
import { sameShape, show } from '../../tensor/shape.js'
import { decodeWith } from '../../train/safetensors.js'
import {
  type Contents,
  type DataConfig,
  defaultRecipe,
  type ModelOptions,
  modelConfig,
  modelMark,
  type Recipe,
  RunConfig,
} from './config.js'
import type { DataSet, Sharing } from './examples.js'

/** The flags of `train` that say what a run is; what is left out is as in `--config`, the run, or by default. */
export interface ConfigFlags extends ModelOptions {
  readonly data?: string
  readonly size?: number
  readonly model?: string
  readonly seed?: number
  readonly batch?: number
  readonly validation?: number
  readonly validateEvery?: number
  readonly learningRate?: number
  readonly schedule?: Recipe['schedule']
  readonly averageDecay?: number
  readonly clip?: number
  readonly l2?: number
  readonly limit?: number
  readonly steps?: number
}

/** The flags that were given. */
const given = <K extends keyof ConfigFlags>(flags: ConfigFlags, ...keys: readonly K[]): Pick<ConfigFlags, K> =>
  Object.fromEntries(keys.flatMap((key) => (flags[key] === undefined ? [] : [[key, flags[key]]]))) as Pick<
    ConfigFlags,
    K
  >

/** The data that are asked for. */
export const dataConfig = (name: string, { data, size }: ConfigFlags, base?: DataConfig): DataConfig => ({
  ...(base?.name === name ? base : {}),
  name,
  ...(data === undefined ? {} : { folder: data }),
  ...(size === undefined ? {} : { size }),
})

/** What decides how the data are split, which has to be known before they are read; a default size depends on them. */
export const sharingOf = (flags: ConfigFlags, base?: RunConfig): Sharing => {
  const validation = flags.validation ?? base?.recipe.validation
  const seed = flags.seed ?? base?.recipe.seed ?? defaultRecipe([1, 1, 1]).seed
  return { seed, ...(validation === undefined ? {} : { validation }) }
}

/** How many images there are to train on, of which `--limit` takes fewer. */
const countsOf = (contents: Contents | undefined, { limit }: ConfigFlags) =>
  contents === undefined ? undefined : { ...contents, train: Math.min(contents.train, limit ?? contents.train) }

/** The configuration of a new run on data. */
export const configure = (
  data: DataConfig,
  { shape, contents }: Pick<DataSet, 'shape' | 'contents'>,
  flags: ConfigFlags,
  base?: RunConfig,
): E.Either<DiffeoError, RunConfig> =>
  pipe(
    flags.model === undefined && base !== undefined && !sameShape(base.shape, shape)
      ? E.left(usageError('train', `data of ${show(base.shape)}, as the configuration has`, show(shape), 'add --model'))
      : modelConfig(flags.model, shape, flags, base?.model),
    E.map((model) => ({
      data,
      ...(contents === undefined ? {} : { contents }),
      shape,
      model,
      recipe: {
        ...(base?.recipe ?? defaultRecipe(shape, model, countsOf(contents, flags))),
        ...(given(
          flags,
          'seed',
          'batch',
          'validation',
          'validateEvery',
          'learningRate',
          'schedule',
          'averageDecay',
          'clip',
          'l2',
          'limit',
          'steps',
        ) as Partial<Recipe>),
      },
    })),
    // nothing is trained whose checkpoint could not be read
    E.flatMap(decodeWith('train', 'config', RunConfig, 'change the flag of that name')),
  )

/** What may not change when a run goes on, with the flag that would change it. */
const settled: readonly (readonly [flag: string, of: (config: RunConfig) => unknown])[] = [
  ['data', ({ data }) => data.name],
  ['--size', ({ data }) => data.size],
  ['the shape of the data', ({ shape }) => show(shape)],
  ['--model', ({ model }) => modelMark(model)],
  ['--seed', ({ recipe }) => recipe.seed],
  ['--batch', ({ recipe }) => recipe.batch],
  ['--validation', ({ recipe }) => recipe.validation],
  ['--validate-every', ({ recipe }) => recipe.validateEvery],
  ['--schedule', ({ recipe }) => recipe.schedule],
  ['--average-decay', ({ recipe }) => recipe.averageDecay],
  ['--clip', ({ recipe }) => recipe.clip],
  ['--l2', ({ recipe }) => recipe.l2],
  ['--limit', ({ recipe }) => recipe.limit],
]

const text = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value ?? 'none'))

const counts = ({ train, validation, test }: Contents): string =>
  `${train} examples to train, ${validation} to validate and ${test} to test`

/**
 * Refuses data of which other parts would be made than the run has: what it was trained on would be among what it is
 * tested on. What an older version did not keep is believed.
 */
export const sameContents = (was: Contents | undefined, is: Contents | undefined): E.Either<DiffeoError, void> =>
  was === undefined || text(was) === text(is)
    ? E.right(undefined)
    : E.left(
        usageError(
          'data',
          `those that the run began with, ${counts(was)}`,
          is === undefined ? 'none' : counts(is) === counts(was) ? 'as many of other files' : counts(is),
          'put the files back as they were, or start a new run: parts made of others would test it on what it learned',
        ),
      )

/** The configuration of a run that goes on: its own, but for a learning rate that is told and a schedule without end. */
export const goOn = (saved: RunConfig, asked: RunConfig): E.Either<DiffeoError, RunConfig> => {
  const changed = settled.find(([, of]) => text(of(saved)) !== text(of(asked)))
  if (changed !== undefined) {
    const [flag, of] = changed
    const [own, other] = [text(of(saved)), text(of(asked))]
    return E.left(usageError(flag, `${own}, as the run that goes on has it`, other, 'keep to that, or start a new run'))
  }
  const { contents, data, model } = asked
  const { learningRate, steps } = asked.recipe
  const end = saved.recipe.steps ?? steps
  return pipe(
    sameContents(saved.contents, contents),
    E.map(() => ({
      ...saved,
      data,
      ...(model.name === 'file' ? { model } : {}),
      ...(contents === undefined ? {} : { contents }),
      recipe: { ...saved.recipe, learningRate, ...(end === undefined ? {} : { steps: end }) },
    })),
  )
}
