/**
 * The configuration that flags ask for: of a new run, or of one that resumes, whose numbers are settled.
 *
 * @module
 */
import { DiffeoException, orThrow, usageError } from '../../error.js'
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

/** The flags of `train` that define a run. Missing flags take the value of `--config`, of the run, or a default. */
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
  /** `labels` of images, or columns of a table. */
  readonly given?: readonly string[]
  /** The kinds of a table's columns. */
  readonly columns?: Readonly<Record<string, string>>
  readonly missing?: NonNullable<DataConfig['missing']>
  readonly steps?: number
}

/** The flags that are set. */
const given = <K extends keyof ConfigFlags>(flags: ConfigFlags, ...keys: readonly K[]): Pick<ConfigFlags, K> =>
  Object.fromEntries(keys.flatMap((key) => (flags[key] === undefined ? [] : [[key, flags[key]]]))) as Pick<
    ConfigFlags,
    K
  >

/** The data set that the flags ask for. */
export const dataConfig = (
  name: string,
  { data, size, columns, missing, given: context }: ConfigFlags,
  base?: DataConfig,
): DataConfig => ({
  ...(base?.name === name ? base : {}),
  name,
  ...(data === undefined ? {} : { folder: data }),
  ...(size === undefined ? {} : { size }),
  ...(columns === undefined ? {} : { columns }),
  ...(missing === undefined ? {} : { missing }),
  ...(name === 'table' && context !== undefined ? { given: context } : {}),
})

/** What decides the split of the data, and must be known before they are read. A default size depends on the data. */
export const sharingOf = (flags: ConfigFlags, base?: RunConfig): Sharing => {
  const validation = flags.validation ?? base?.recipe.validation
  const seed = flags.seed ?? base?.recipe.seed ?? defaultRecipe([1, 1, 1]).seed
  return { seed, ...(validation === undefined ? {} : { validation }) }
}

/** The sizes of the parts, with the training images that `--limit` leaves. */
const countsOf = (contents: Contents | undefined, { limit }: ConfigFlags) =>
  contents === undefined ? undefined : { ...contents, train: Math.min(contents.train, limit ?? contents.train) }

/** The number of classes that `--given labels` asks for. */
const labelsOf = (
  name: string,
  classes: number | undefined,
  { given: asked, columns, missing }: ConfigFlags,
  base: RunConfig | undefined,
): number | undefined => {
  const needless = columns !== undefined ? '--columns' : missing !== undefined ? '--missing' : undefined
  if (needless !== undefined) throw new DiffeoException(usageError(needless, 'a table', name, 'leave it out'))
  if (asked === undefined) return base?.given?.labels
  if (asked.join() !== 'labels')
    throw new DiffeoException(usageError('--given', "'labels', for images", `'${asked.join()}'`, 'use --given labels'))
  return requireClasses(name, classes)
}

/** The number of classes of a data set. */
const requireClasses = (name: string, classes: number | undefined): number => {
  if (classes !== undefined) return classes
  throw new DiffeoException(
    usageError('--given labels', 'data with labels: mnist, fashion-mnist or cifar10', name, 'leave it out'),
  )
}

/**
 * The configuration of a new run on data.
 *
 * @throws DiffeoException with a usage or format error, if the flags do not fit the data
 */
export const configure = (
  data: DataConfig,
  { shape, contents, classes, table }: Pick<DataSet, 'shape' | 'contents' | 'classes' | 'table'>,
  flags: ConfigFlags,
  base?: RunConfig,
): RunConfig => {
  if (flags.model === undefined && base !== undefined && !sameShape(base.shape, shape))
    throw new DiffeoException(
      usageError('train', `data of ${show(base.shape)}, as the configuration has`, show(shape), 'add --model'),
    )
  const model = modelConfig(flags.model, shape, flags, base?.model, table !== undefined)
  const recipe = {
    ...(base?.recipe ?? defaultRecipe(shape, model, countsOf(contents, flags))),
    ...given(
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
    ),
  }
  const labels = table !== undefined ? undefined : labelsOf(data.name, classes, flags, base)
  const config = {
    data,
    ...(contents === undefined ? {} : { contents }),
    shape,
    ...(labels !== undefined && { given: { labels } }),
    ...(table !== undefined && { table }),
    model,
    recipe,
  }
  // nothing is trained whose checkpoint could not be read
  return orThrow(decodeWith('train', 'config', RunConfig, 'change the flag of that name')(config))
}

/** What may not change when a run resumes, with the flag that would change it. */
const settled: readonly (readonly [flag: string, of: (config: RunConfig) => unknown])[] = [
  ['data', ({ data }) => data.name],
  ['--size', ({ data }) => data.size],
  ['the shape of the data', ({ shape }) => show(shape)],
  ['--given', ({ given, data }) => data.given?.join(',') ?? (given === undefined ? 'nothing' : 'labels')],
  ['--columns', ({ data }) => data.columns],
  ['--missing', ({ data }) => data.missing],
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

/** Whether data are split into the same parts; undefined: nothing is known of the first. */
export const hasSameContents = (was: Contents | undefined, is: Contents | undefined): boolean =>
  was === undefined || text(was) === text(is)

const counts = ({ train, validation, test }: Contents): string =>
  `${train} examples to train, ${validation} to validate and ${test} to test`

/**
 * Refuses data that are split into other parts than the run's: the run would be tested on what it was trained on. Runs
 * of older versions that stored no contents are accepted.
 *
 * @throws DiffeoException with a usage error
 */
export const requireSameContents = (was: Contents | undefined, is: Contents | undefined): void => {
  if (!hasSameContents(was, is))
    throw new DiffeoException(
      usageError(
        'data',
        `the data that the run began with, ${counts(was!)}`,
        is === undefined ? 'none' : counts(is) === counts(was!) ? 'as many of other files' : counts(is),
        'restore the files, or start a new run: with another split the run would be tested on its training data',
      ),
    )
}

/**
 * The configuration of a run that resumes: its own, except for a new learning rate, and for the end of a schedule that
 * had none.
 *
 * @throws DiffeoException with a usage error, if the flags would change something else
 */
export const resumeConfig = (saved: RunConfig, asked: RunConfig): RunConfig => {
  const changed = settled.find(([, of]) => text(of(saved)) !== text(of(asked)))
  if (changed !== undefined) {
    const [flag, of] = changed
    const expected = `${text(of(saved))}, as in the resumed run`
    throw new DiffeoException(usageError(flag, expected, text(of(asked)), 'keep it, or start a new run'))
  }
  const { contents, data, model } = asked
  const { learningRate, steps } = asked.recipe
  const end = saved.recipe.steps ?? steps
  requireSameContents(saved.contents, contents)
  return {
    ...saved,
    data,
    ...(model.name === 'file' ? { model } : {}),
    ...(contents === undefined ? {} : { contents }),
    recipe: { ...saved.recipe, learningRate, ...(end === undefined ? {} : { steps: end }) },
  }
}
