/**
 * The flow of a configuration: a premade one by its name and sizes, or the user's own from a file that exports a
 * bijector (as `default` or `model`), or a layer, which is put at the shape of the data.
 *
 * A checkpoint never chooses code to run: the file of a model is imported only where the command line names it.
 *
 * @module
 */
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import * as E from 'fp-ts/lib/Either.js'
import { pipe } from 'fp-ts/lib/function.js'
import * as TE from 'fp-ts/lib/TaskEither.js'
import type { Latents, Shape } from '../../types/shape.js'
import type { AnyBijector } from '../bijector/layer.js'
import { type Flow, flow } from '../distribution/flow.js'
import { standardNormal } from '../distribution/prior.js'
import { type DiffeoError, fileError, formatError, shapeError, usageError } from '../error.js'
import { realNvp, realNvpVector } from '../models/realNvp.js'
import { sameShape, show } from '../tensor/shape.js'
import { type Averaged, adam, averaged } from '../train/optimiser.js'
import type { RunConfig } from './config.js'
import { quoted } from './flags.js'

/** What a checkpoint's tensors fit. */
export interface Model {
  readonly flow: Flow<Shape, Latents>
  readonly optimiser: Averaged
}

const isLayer = (u: unknown): u is { readonly at: (shape: Shape) => E.Either<DiffeoError, AnyBijector> } =>
  typeof u === 'object' && u !== null && 'at' in u && typeof u.at === 'function'

/** Whether a function of the user's answered what a layer's should. */
const isPlaced = (u: unknown): u is E.Either<DiffeoError, AnyBijector> =>
  typeof u === 'object' && u !== null && '_tag' in u && ('left' in u || ('right' in u && isLayer(u.right)))

const hasDomain = (u: object): u is { readonly domain: Shape } => 'domain' in u

const EXPORT = 'export it: export default compose(input([…]), …)'

const firstLine = (thrown: unknown): string =>
  (thrown instanceof Error ? thrown.message : String(thrown)).split('\n')[0] ?? ''

const loadFailure =
  (path: string) =>
  (thrown: unknown): DiffeoError => {
    const line = firstLine(thrown)
    const lacks = /Cannot find (module|package) 'diffeo'/.test(line)
    return formatError(path, 'a module that loads', line, lacks ? 'npm install diffeo where that file is' : undefined)
  }

/** What a module exports, at the shape of the data. */
const fromModule =
  (path: string, shape: Shape) =>
  (exported: Readonly<Record<string, unknown>>): E.Either<DiffeoError, AnyBijector> => {
    const own = exported['default'] ?? exported['model']
    if (!isLayer(own)) {
      const names = Object.keys(exported).join(', ')
      return E.left(formatError(path, 'a bijector or a layer as default or model', names || 'no export', EXPORT))
    }
    if (hasDomain(own) && !sameShape(own.domain, shape))
      return E.left(shapeError(path, `events of shape ${show(shape)}, as the data have`, show(own.domain)))
    return pipe(
      E.tryCatch(
        () => own.at(shape),
        (thrown) => formatError(path, 'a layer whose at answers', `one that throws: ${firstLine(thrown)}`, EXPORT),
      ),
      E.flatMap((made) =>
        isPlaced(made) ? made : E.left(formatError(path, 'a layer whose at answers a bijector', typeof made, EXPORT)),
      ),
    )
  }

/** The exports of a module; of TypeScript on every Node, its types taken off by jiti and left to the compiler. */
const load = async (path: string): Promise<Readonly<Record<string, unknown>>> => {
  if (!/ts$/.test(path)) return import(pathToFileURL(path).href)
  const { createJiti } = await import('jiti')
  return createJiti(import.meta.url, { fsCache: false }).import(path)
}

const importFile = (path: string, shape: Shape): TE.TaskEither<DiffeoError, AnyBijector> =>
  existsSync(path)
    ? pipe(
        TE.tryCatch(() => load(resolve(path)), loadFailure(path)),
        TE.flatMapEither(fromModule(path, shape)),
      )
    : TE.left(fileError(path, 'a file', 'nothing there', 'check the path'))

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
        : importFile(named, shape)
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
      flow: flow<Shape, Latents>(bijector, standardNormal),
      optimiser: averaged(adam(), config.recipe.averageDecay),
    })),
  )
