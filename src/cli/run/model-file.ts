/**
 * A model from the user's own file, or one sentence about why its export is no model. The file may loop or wait
 * forever; then a signal ends the process.
 *
 * @module
 */
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Shape } from '../../../types/shape.js'
import { contextOf } from '../../bijector/from-runs.js'
import type { AnyBijector, AnyConditional } from '../../bijector/layer.js'
import { type DiffeoError, DiffeoException, fileError, formatError, shapeError } from '../../error.js'
import { sameShape, show } from '../../tensor/shape.js'
import { interruptible } from '../terminal/signals.js'

type Exports = Readonly<Record<string, unknown>>

interface Placeable {
  readonly at: (shape: Shape, given: Shape | undefined) => unknown
}

const isRecord = (u: unknown): u is Exports => typeof u === 'object' && u !== null

/** Arrays have an `at` too. */
const isLayer = (u: unknown): u is Placeable =>
  isRecord(u) && typeof u['at'] === 'function' && !Array.isArray(u) && !ArrayBuffer.isView(u)

const isBijector = (u: unknown): u is AnyBijector | AnyConditional =>
  isLayer(u) && 'spec' in u && 'domain' in u && 'codomain' in u && ('bind' in u || 'context' in u) && 'init' in u

const isError = (u: unknown): u is DiffeoError => isRecord(u) && ['op', 'expected', 'got'].every((name) => name in u)

const EXPORT = 'export it: export default compose(input([…]), …)'
const CONTEXT = 'export a layer, which takes the context of the run, or leave --given out'
const WANTED = 'a bijector or a layer as default or model'

const firstLine = (thrown: unknown): string =>
  (thrown instanceof Error ? thrown.message : String(thrown)).split('\n')[0] ?? ''

/** Describes an export that is no model, and how to fix it. */
const strange = (u: unknown): readonly [got: string, fix: string] => {
  if (typeof u === 'function') return ['a function', 'did you forget to call it? export what it returns']
  if (isRecord(u) && typeof u['then'] === 'function') return ['a promise', 'export default await …']
  if (isRecord(u) && isBijector(u['bijector'])) return ['a flow', 'export its bijector']
  if (isRecord(u) && '_tag' in u && ('right' in u || 'left' in u)) return ['an Either', 'export default orThrow(…)']
  if (Array.isArray(u)) return ['an array', 'join its layers: export default compose(…)']
  const got = u === null ? 'null' : typeof u === 'object' ? 'an object without at' : `a ${typeof u}`
  return [got, EXPORT]
}

const refusal = (path: string, exported: Exports): DiffeoError => {
  const name = ['default', 'model'].find((own) => exported[own] !== undefined)
  if (name === undefined) return formatError(path, WANTED, Object.keys(exported).join(', ') || 'no export', EXPORT)
  const [got, fix] = strange(exported[name])
  return formatError(path, WANTED, `${got} as ${name}`, fix)
}

/** The bijector in what a layer's `at` returned for a shape. */
const placed = (
  path: string,
  returned: unknown,
  shape: Shape,
  context: Shape | undefined,
): AnyBijector | AnyConditional => {
  const refused = (got: string): never => {
    throw new DiffeoException(formatError(path, 'a layer whose at returns a bijector', got, EXPORT))
  }
  if (!isRecord(returned) || !('_tag' in returned)) return refused(returned === null ? 'null' : typeof returned)
  const { left, right } = returned as { readonly left?: unknown; readonly right?: unknown }
  if (isError(left)) throw new DiffeoException(left)
  if (!isBijector(right)) return refused(right === undefined ? 'a left without an error' : strange(right)[0])
  if (!sameShape(right.domain, shape))
    throw new DiffeoException(shapeError(path, `a bijector of events of shape ${show(shape)}`, show(right.domain)))
  const [wanted, got] = [context, contextOf(right)].map((own) => (own === undefined ? 'no context' : show(own)))
  if (wanted !== got)
    throw new DiffeoException(
      shapeError(path, `a bijector with ${wanted === 'no context' ? wanted : `a context of ${wanted}`}`, got!, CONTEXT),
    )
  return right
}

/** The bijector that a module exports, at the shape of the data. */
const fromModule = (
  path: string,
  shape: Shape,
  context: Shape | undefined,
  exported: Exports,
): AnyBijector | AnyConditional => {
  const common = isRecord(exported['default']) ? exported['default'] : {}
  const layer = [exported['default'], exported['model'], common['default'], common['model']].find(isLayer)
  if (layer === undefined) throw new DiffeoException(refusal(path, exported))
  const { domain }: { readonly domain?: unknown } = layer as object
  if (Array.isArray(domain) && !sameShape(domain, shape))
    throw new DiffeoException(shapeError(path, `events of shape ${show(shape)}, as the data have`, show(domain)))
  return placed(path, layer.at(shape, context), shape, context)
}

/** Rejects when the event loop is empty while the module still waits: its `await` never ends. */
const unsettled = (path: string) => {
  let stop = (): void => undefined
  const ended = new Promise<never>((_, reject) => {
    const waits = (): void =>
      reject(
        new DiffeoException(
          formatError(path, 'a module that loads', 'one that never finishes', 'check its top-level await'),
        ),
      )
    process.once('beforeExit', waits)
    stop = () => void process.off('beforeExit', waits)
  })
  return { ended, stop }
}

/** The exports of a module. jiti strips the types of TypeScript, on every version of Node. */
const load = async (path: string): Promise<Exports> => {
  if (!/ts$/.test(path)) return import(pathToFileURL(path).href)
  const { createJiti } = await import('jiti')
  return createJiti(import.meta.url, { fsCache: false }).import(path)
}

const loadFailure = (path: string, thrown: unknown): DiffeoError => {
  const line = firstLine(thrown)
  const lacks = /Cannot find (module|package) 'diffeo'/.test(line)
  return formatError(path, 'a module that loads', line, lacks ? 'npm install diffeo where that file is' : undefined)
}

const placeFailure = (path: string, thrown: unknown): DiffeoError =>
  formatError(path, 'a layer whose at returns', `one that throws: ${firstLine(thrown)}`, EXPORT)

/** Runs code of the user's: whatever it throws becomes an expected failure. */
const attempt = async <A>(run: () => A | Promise<A>, describe: (thrown: unknown) => DiffeoError): Promise<A> => {
  try {
    return await run()
  } catch (thrown) {
    throw thrown instanceof DiffeoException ? thrown : new DiffeoException(describe(thrown))
  }
}

/**
 * The bijector that a file exports, at a shape and, for a conditional run, a shape of context.
 *
 * @throws DiffeoException if the file is missing, does not load, or exports no bijector of that shape
 */
export const importModel = async (
  path: string,
  shape: Shape,
  context: Shape | undefined,
): Promise<AnyBijector | AnyConditional> => {
  if (!existsSync(path)) throw new DiffeoException(fileError(path, 'a file', 'nothing there', 'check the path'))
  const loaded = async (): Promise<Exports> => {
    const { ended, stop } = unsettled(path)
    try {
      return await Promise.race([load(resolve(path)), ended])
    } finally {
      stop()
    }
  }
  return interruptible(async () => {
    const exported = await attempt(loaded, (thrown) => loadFailure(path, thrown))
    return attempt(
      () => fromModule(path, shape, context, exported),
      (thrown) => placeFailure(path, thrown),
    )
  })
}
