/**
 * What commands do with the rows of a run on a table: draw them, at contexts if the flow has any, and score them.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import type { Batch, Latents, Shape } from '../../../types/shape.js'
import { type CompiledFunctions, compiled } from '../../distribution/compiled.js'
import type { AnyConditionalFlow } from '../../distribution/flow.js'
import { DiffeoException, usageError } from '../../error.js'
import { type Column, requireNames } from '../../table/column.js'
import { encodeContexts } from '../../table/preprocess.js'
import { cellNumber, fittedLevels } from '../../table/values.js'
import { type View, viewOf } from '../../table/view.js'
import { quotedList } from '../../table/words.js'
import { foldIn, type Key } from '../../tensor/random.js'
import { toArray, trust, unwrap } from '../../tensor/tensor.js'
import type { RunConfig } from './config.js'
import type { OpenRun } from './open-run.js'

/** The columns of a run on a table, and what its flow sees of them. */
export interface RunTable {
  readonly columns: readonly Column[]
  readonly view: View
}

/** The table of a run; undefined, if it was trained on something else. */
export const runTable = ({ table, data }: Pick<RunConfig, 'table' | 'data'>): RunTable | undefined =>
  table && { columns: table.columns, view: viewOf('--given', table.columns, data.given) }

/** Rows that are drawn or scored at once. */
export const AT_ONCE = 4096

/** `region=north,year=2020` by name. */
export const parseContext = (text: string): Readonly<Record<string, string>> =>
  Object.fromEntries(
    text.split(/,(?=[^=]*=)/).map((part) => {
      const at = part.indexOf('=')
      if (at > 0) return [part.slice(0, at).trim(), part.slice(at + 1).trim()] as const
      throw new DiffeoException(usageError('--given', 'name=value, separated by commas', `'${part}'`))
    }),
  )

/**
 * The context that `--given` names, as numbers; undefined for a flow without contexts.
 *
 * @throws DiffeoException with a usage error, if a column is missing or unknown, or has no such value
 */
export const contextOf = (
  { view: { given } }: RunTable,
  named: Readonly<Record<string, string>> | undefined,
): Float32Array | undefined => {
  const names = given.map(({ name }) => name)
  if (given.length === 0) {
    if (named === undefined) return undefined
    throw new DiffeoException(
      usageError('--given', 'a run that was trained with --given', 'one that was not', 'leave it out'),
    )
  }
  const wanted = given.filter(({ isIndicator }) => isIndicator !== true)
  requireNames('--given', names, Object.keys(named ?? {}))
  const missing = wanted.find(({ name }) => named === undefined || !Object.hasOwn(named, name))
  if (missing !== undefined)
    throw new DiffeoException(
      usageError(
        '--given',
        `a value of ${quotedList(wanted.map(({ name }) => name))}`,
        named === undefined ? 'nothing' : `none of ${missing.name}`,
        `add it: --given ${wanted.map(({ name, levels, low }) => `${name}=${levels?.[0] ?? low}`).join(',')}`,
      ),
    )
  const values = given.map((column) => {
    if (column.isIndicator === true) return 0
    const text = named![column.name]!
    const levels =
      column.levels &&
      fittedLevels(
        column,
        () =>
          new DiffeoException(
            usageError('--given', `${column.name} one of ${quotedList(column.levels ?? [])}`, `'${text}'`),
          ),
      )
    const reading = column.levels ? 'text' : column.kind === 'date' ? 'date' : 'number'
    try {
      const value = cellNumber('--given', 1, column.name, reading, levels, text)
      if (!Number.isNaN(value)) return value
    } catch (thrown) {
      if (column.levels || !(thrown instanceof DiffeoException)) throw thrown
    }
    throw new DiffeoException(
      usageError('--given', `${column.name}=<${column.kind === 'date' ? 'date' : 'number'}>`, `'${text}'`),
    )
  })
  return encodeContexts(given, values)
}

const freed = async (tensor: Parameters<typeof unwrap>[0]): Promise<Float32Array> =>
  toArray(tensor).finally(() => unwrap(tensor).dispose())

/** Draws rows and scores them, with programs that are compiled once. */
export const openRows = ({ flow, params }: Pick<OpenRun, 'flow' | 'params'>) => {
  const run = 'given' in flow ? compiled(flow) : compiled(flow)
  const [width = 1] = flow.bijector.domain
  /** Runs `use` on the functions at contexts, which are freed afterwards. */
  const at = async <A>(
    contexts: Float32Array | undefined,
    use: (functions: CompiledFunctions<Shape, Latents>) => Promise<A>,
  ): Promise<A> => {
    if (!('given' in run)) return use(run)
    const size = (flow as AnyConditionalFlow).bijector.context[0] as number
    const given = tf.tensor2d(contexts!, [contexts!.length / size, size])
    return use(run.given(trust<Batch<Shape>>(given))).finally(() => given.dispose())
  }
  return {
    /** Draws `n` rows in parts, at one context for all. */
    draw: async function* (
      key: Key,
      n: number,
      { context, temperature = 1 }: { readonly context?: Float32Array | undefined; readonly temperature?: number } = {},
    ): AsyncGenerator<Float32Array> {
      for (let from = 0, part = 0; from < n; from += AT_ONCE, part++)
        yield await at(context, async ({ sample }) =>
          freed(await sample(params)(foldIn(key, part), Math.min(AT_ONCE, n - from), temperature)),
        )
    },
    /** Draws `n` rows at once, at a context for each or one for all. */
    drawAll: (key: Key, n: number, contexts: Float32Array | undefined): Promise<Float32Array> =>
      at(contexts, async ({ sample }) => freed(await sample(params)(key, n))),
    /** log p of rows, in nats. */
    score: (x: Float32Array, contexts: Float32Array | undefined): Promise<Float32Array> =>
      at(contexts, async ({ logProb }) => {
        const rows = tf.tensor2d(x, [x.length / width, width])
        return freed(await logProb(params)(trust<Batch<Shape>>(rows)).finally(() => rows.dispose()))
      }),
    dispose: (): Promise<void> => run.dispose(),
  }
}
