/**
 * The configuration of a run: everything that decides its numbers, except the engine. Every checkpoint and the file
 * `config.json` hold it, and one codec reads both: `diffeo train mnist --config config.json` repeats the run.
 *
 * With the schedule `cosine` the learning rate rises over `warmUp` steps and falls along a cosine until `steps`. While
 * `steps` is unknown (a time budget during its warm-up), the rate does not depend on it. So the rate is a function of
 * the step, and a run that stops and resumes is exact.
 *
 * @module
 */
import { basename } from 'node:path'
import * as E from 'fp-ts/lib/Either.js'
import { pipe } from 'fp-ts/lib/function.js'
import * as t from 'io-ts'
import { finite, guarded, integer, natural } from '../../codec.js'
import { DiffeoException, usageError } from '../../error.js'
import { type Column, ColumnC } from '../../table/column.js'
import { product } from '../../tensor/shape.js'
import { constantRate, cosineRate, type Schedule, warmUp } from '../../train/optimiser.js'

// -------------------------------------------------------------------------------------
// model
// -------------------------------------------------------------------------------------

const width = integer(1, 4096)
const hidden = guarded(
  'one to sixteen widths from 1 to 4096',
  (u): u is readonly number[] => Array.isArray(u) && u.length >= 1 && u.length <= 16 && u.every(width.is),
)

/** The choices for the parts of `realnvp`. */
export const realNvpParts = {
  path: t.keyof({ actNorm: null, batchNorm: null, none: null }),
  norm: t.keyof({ batch: null, instance: null, none: null }),
  order: t.keyof({ ordered: null, plain: null }),
  logScale: t.keyof({ tanh: null, free: null }),
  init: t.keyof({ identity: null, random: null }),
}

/** A model by its name and options, or the user's own model by its file. */
const ModelConfig = t.union(
  [
    t.intersection([
      t.type({ name: t.literal('realnvp'), scales: integer(1, 8), width: integer(1, 1024), blocks: integer(0, 64) }),
      t.partial(realNvpParts),
    ]),
    t.intersection([
      t.type({ name: t.literal('realnvp-vector'), couplings: integer(1, 256), hidden }),
      t.partial({ transformer: t.keyof({ affine: null, spline: null }) }),
    ]),
    t.type({ name: t.literal('nsf'), layers: integer(1, 64), hidden, bins: integer(1, 99) }),
    t.type({ name: t.literal('maf'), layers: integer(1, 64), hidden }),
    t.type({ name: t.literal('mixture'), layers: integer(1, 64), hidden, components: integer(1, 256) }),
    t.type({ name: t.literal('file'), path: t.string }),
  ],
  "a model: 'realnvp', 'realnvp-vector', 'nsf', 'maf', 'mixture' or 'file' with its sizes",
)
export type ModelConfig = Readonly<t.TypeOf<typeof ModelConfig>>

/** A data set as the command line names it. */
const DataConfig = t.intersection([
  t.type({ name: t.string }),
  t.partial({
    folder: t.string,
    size: integer(1, 1024),
    /** The kinds of a table's columns, where they are not guessed. */
    columns: t.readonly(t.record(t.string, t.string)),
    /** What is done with a table's missing values. */
    missing: t.keyof({ refuse: null, drop: null, indicator: null }),
    /** The columns of a table that the flow is given. */
    given: t.readonlyArray(t.string),
  }),
])
export type DataConfig = Readonly<t.TypeOf<typeof DataConfig>>

const Count = natural('a number of examples')

/** The contents of the data files when the run began: the sizes of the parts, and a digest. */
const Contents = t.type({ train: Count, validation: Count, test: Count, digest: t.string })
export type Contents = Readonly<t.TypeOf<typeof Contents>>

const eventShape = guarded(
  'a shape D or H×W×C',
  (u): u is readonly number[] =>
    Array.isArray(u) && (u.length === 1 || u.length === 3) && u.every(width.is) && product(u) <= 2 ** 20,
)

const ScheduleName = t.keyof({ cosine: null, constant: null }, "'cosine' or 'constant'")

/** How a run is trained. */
const Recipe = t.intersection([
  t.type({
    seed: integer(0, 2 ** 32 - 1),
    /** Examples in a step. */
    batch: integer(1, 65_536),
    /** Examples held out of the training set, to choose by. */
    validation: integer(0, 1_000_000),
    /** Steps between validations. */
    validateEvery: integer(1, 1e9),
    learningRate: finite(0, 1e6),
    schedule: ScheduleName,
    warmUp: integer(0, 1e9),
    averageDecay: finite(0, 1),
    /** The largest joint norm of the gradients. */
    clip: finite(0, 1e30),
    /** The factor of Σ scale² in the loss. */
    l2: finite(0, 1e6),
  }),
  t.partial({
    /** Where the cosine ends. */
    steps: integer(1, 2 ** 31),
    /** How many of the training images are used. */
    limit: integer(1, 2 ** 31),
  }),
])
export type Recipe = Readonly<t.TypeOf<typeof Recipe>>

/** The context of each example: its class, one-hot. */
const GivenLabels = t.type({ labels: integer(2, 256) }, "'labels' with the number of classes")

/** The columns of a table, as they were fitted. */
const TableConfig = t.type({ columns: t.readonlyArray(ColumnC) })

export interface RunConfig {
  readonly data: DataConfig
  /** The contents of data files; missing in runs of older versions. */
  readonly contents?: Contents
  /** The shape of one example. */
  readonly shape: readonly number[]
  /** What the flow is conditional on; missing, if it is not conditional. */
  readonly given?: { readonly labels: number }
  /** The columns of a table; their names in `data.given` are what the flow is given. */
  readonly table?: { readonly columns: readonly Column[] }
  readonly model: ModelConfig
  readonly recipe: Recipe
}

const Current = t.intersection(
  [
    t.type({ data: DataConfig, shape: eventShape, model: ModelConfig, recipe: Recipe }),
    t.partial({ contents: Contents, given: GivenLabels, table: TableConfig }),
  ],
  'RunConfig',
)

/** The configuration in checkpoints of the first version. */
const First = t.type({
  data: t.literal('mnist'),
  model: t.type({ scales: integer(1, 8), width: integer(1, 1024), blocks: integer(0, 64) }),
  seed: integer(0, 2 ** 32 - 1),
  batch: integer(1, 4096),
  validation: integer(1, 59_999),
  learningRate: finite(0, 1e6),
  warmUp: integer(0, 1e9),
  averageDecay: finite(0, 1),
})

const upgrade = ({ model, data, ...recipe }: t.TypeOf<typeof First>): RunConfig => ({
  data: { name: data },
  shape: [28, 28, 1],
  model: { name: 'realnvp', ...model },
  recipe: { ...recipe, validateEvery: 100, schedule: 'constant', clip: 100, l2: 5e-5 },
})

const isFirst = (u: unknown): boolean => typeof u === 'object' && u !== null && 'data' in u && u.data === 'mnist'

/** The codec of the current form, which also reads that of the first version. */
export const RunConfig: t.Type<RunConfig, unknown> = new t.Type<RunConfig, unknown>(
  'RunConfig',
  Current.is,
  (u, context) =>
    isFirst(u)
      ? pipe(First.validate(u, context), E.map(upgrade))
      : // errors that name a place skip an intersection that has its own name in the context
        Current.validate(u, [...context.slice(0, -1), { ...context.at(-1)!, type: Current }]),
  t.identity,
)

// -------------------------------------------------------------------------------------
// defaults
// -------------------------------------------------------------------------------------

const images: Recipe = {
  seed: 0,
  batch: 32,
  validation: 512,
  validateEvery: 100,
  learningRate: 2e-3,
  schedule: 'cosine',
  warmUp: 50,
  averageDecay: 0.99,
  clip: 100,
  l2: 5e-5,
}

/** The recipe of images, or that of vectors. */
const recipeOf = (shape: readonly number[], model?: ModelConfig): Recipe =>
  shape.length === 3
    ? images
    : { ...images, batch: 256, validation: 2000, learningRate: isTabular(model) ? 2e-3 : 5e-3 }

/** The numbers of training and validation examples. */
type PartCounts = Pick<Contents, 'train' | 'validation'>

/**
 * The recipe for examples of a shape and a model of them, unless flags say otherwise. Of few images it takes a smaller
 * batch, and it validates on those that are held out. With batch norm on the path the
 * parameters are not averaged: running statistics belong to the steps that made them, through every layer behind.
 */
export const defaultRecipe = (shape: readonly number[], model?: ModelConfig, counts?: PartCounts): Recipe => ({
  ...recipeOf(shape, model),
  ...(counts === undefined
    ? {}
    : { batch: Math.min(recipeOf(shape, model).batch, counts.train), validation: counts.validation }),
  ...(model?.name === 'realnvp' && model.path === 'batchNorm' ? { averageDecay: 0 } : {}),
})

/** Models that the command takes for tables. */
const isTabular = (model?: ModelConfig): boolean =>
  model !== undefined && ['nsf', 'maf', 'mixture'].includes(model.name)

type Named<K extends ModelConfig['name']> = Extract<ModelConfig, { readonly name: K }>

/** The models by their names, with their default options. */
const models = {
  realnvp: {
    name: 'realnvp',
    scales: 2,
    width: 16,
    blocks: 2,
    norm: 'batch',
    path: 'actNorm',
    order: 'ordered',
    logScale: 'tanh',
    init: 'identity',
  },
  'realnvp-vector': { name: 'realnvp-vector', couplings: 8, hidden: [64, 64], transformer: 'affine' },
  nsf: { name: 'nsf', layers: 5, hidden: [64, 64], bins: 8 },
  maf: { name: 'maf', layers: 5, hidden: [64, 64] },
  mixture: { name: 'mixture', layers: 2, hidden: [64, 64], components: 8 },
} satisfies { readonly [K in Exclude<ModelConfig['name'], 'file'>]: Required<Named<K>> }

/** The options of models. */
export type ModelOptions = Partial<
  Omit<Named<'realnvp'>, 'name'> &
    Omit<Named<'realnvp-vector'>, 'name'> &
    Omit<Named<'nsf'>, 'name'> &
    Omit<Named<'mixture'>, 'name'>
>

const optionNames = Object.values(models)
  .flatMap(Object.keys)
  .filter((name) => name !== 'name')

/** The options of models among flags. */
export const optionsIn = (flags: ModelOptions): ModelOptions =>
  Object.fromEntries(Object.entries(flags).filter(([name, value]) => optionNames.includes(name) && value !== undefined))

/** The flag of an option: `--log-scale` of `logScale`. */
export const flagOf = (option: string): string => `--${option.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)}`

/** A model with all its options. Options that an older configuration lacks get their values of then. */
const wholeModel = (model: ModelConfig): ModelConfig =>
  model.name === 'file' ? model : ({ ...models[model.name], ...model } as ModelConfig)

/** The name of a run's data: that of the set, or of the file of a table. */
export const dataTitle = ({ data: { name, folder }, table }: Pick<RunConfig, 'data' | 'table'>): string =>
  table === undefined ? name : basename(folder ?? name)

/** What identifies a model: its options, or the name of its file, which may have moved or be on another machine. */
export const modelMark = (model: ModelConfig): unknown =>
  model.name === 'file' ? basename(model.path) : wholeModel(model)

/** The largest number of scales of `realnvp`: each scale halves height and width. */
const mostScales = ([height = 1, width = 1]: readonly number[]): number => {
  let scales = 1
  while (scales < 8 && height % 2 ** scales === 0 && width % 2 ** scales === 0) scales++
  return scales
}

/** Refuses scales that images of a shape do not have. */
const checkScales = (model: ModelConfig, shape: readonly number[]): ModelConfig => {
  if (model.name !== 'realnvp' || shape.length !== 3 || model.scales <= mostScales(shape)) return model
  const most = mostScales(shape)
  const possible = most === 1 ? '1, because a side is odd' : `1 to ${most}, because each scale halves both sides`
  const expected = `${possible} of images of ${shape.slice(0, 2).join('×')}`
  throw new DiffeoException(
    usageError('--scales', expected, `${model.scales}`, `use --scales ${most} or images of other sides`),
  )
}

const isPremade = (name: string): name is keyof typeof models => Object.hasOwn(models, name)

/** The model of a name or a file, or the default, before any flags of it. */
const startOf = (
  name: string | undefined,
  shape: readonly number[],
  base: ModelConfig | undefined,
  isOfTable: boolean,
): ModelConfig => {
  if (name === undefined) return base ?? models[shape.length === 3 ? 'realnvp' : isOfTable ? 'nsf' : 'realnvp-vector']
  if (base?.name === name) return base
  if (isPremade(name)) return models[name]
  if (/\.[cm]?[jt]s$/.test(name)) return { name: 'file', path: name }
  throw new DiffeoException(
    usageError('--model', `${Object.keys(models).join(', ')}, or a file ending in .js or .ts`, `'${name}'`),
  )
}

/**
 * The model of a name or a file, or the default for a shape, with the options of the flags.
 *
 * @throws DiffeoException with a usage error, if there is no such model or it lacks an option
 */
export const modelConfig = (
  name: string | undefined,
  shape: readonly number[],
  flags: ModelOptions,
  base?: ModelConfig,
  isOfTable = false,
): ModelConfig => {
  const start = startOf(name, shape, base, isOfTable)
  const options = optionsIn(flags)
  const whole = wholeModel(start)
  const strange = Object.keys(options).find((option) => !Object.hasOwn(whole, option))
  if (strange !== undefined)
    throw new DiffeoException(usageError(flagOf(strange), `a model with ${strange}`, `'${start.name}'`, 'leave it out'))
  const fitting =
    start.name === 'realnvp' && base === undefined ? { scales: Math.min(start.scales, mostScales(shape)) } : {}
  return checkScales({ ...whole, ...fitting, ...options } as ModelConfig, shape)
}

/** The learning rate of each step. */
export const scheduleOf = ({ schedule, learningRate, steps, warmUp: rise }: Recipe): Schedule =>
  schedule === 'constant' || steps === undefined
    ? warmUp(rise, constantRate(learningRate))
    : cosineRate(learningRate, steps, rise)
