/**
 * `diffeo inspect`: lists the layers of a run, or of a model by its name or file: shapes in and out, parameters,
 * multiplications and additions for one image, and bytes of intermediate results. Of a run it adds each layer's share
 * of the bits/dim (nats) of test examples, minus its mean log-det. These shares and that of the base sum to the
 * figure.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import type { Command } from 'commander'
import type { Shape } from '../../../types/shape.js'
import { describeEngine, useEngine } from '../../backends/engine.js'
import type { AnyBijector, AnyConditional } from '../../bijector/layer.js'
import { integer } from '../../codec.js'
import { bytes, flops } from '../../compiler/program.js'
import { baseParams, bijectorParams } from '../../distribution/flow.js'
import { asError, DiffeoException, orThrow, usageError } from '../../error.js'
import { jit } from '../../jit.js'
import { branch, countParams, disposeParams, type Params } from '../../tensor/params.js'
import { key } from '../../tensor/random.js'
import { latentList, product, show, showLatents } from '../../tensor/shape.js'
import { type AnyTensor, type PerExample, sizes, toArray, trust, unwrap } from '../../tensor/tensor.js'
import { examples, numbers, withDataOptions, withModelOptions } from '../flags.js'
import { defaultRecipe, flagOf, type ModelConfig, type ModelOptions, modelConfig, optionsIn } from '../run/config.js'
import { unitOf } from '../run/examples.js'
import { isRun } from '../run/folder.js'
import { examplesIn, freeBatch, type RunBatch, type RunFlow } from '../run/given.js'
import { requireMemory, trainingBytes } from '../run/memory.js'
import { modelOf } from '../run/model.js'
import { examplesOf, type RunFlags, withRun } from '../run/open-run.js'
import { type GlobalFlags, type Io, type Outcome, perform } from '../terminal/console.js'
import { counted } from '../terminal/progress.js'

/** One layer. */
interface LayerRow {
  readonly name: string
  readonly from: string
  readonly to: string
  readonly parameters: number
  readonly flops: number
  readonly bytes: number
  /** −mean log-det in the unit of the run's figures. */
  readonly share?: number
}

type Part = readonly [part: AnyBijector | AnyConditional, params: Params]

/** The layers of a composition of compositions, in the order in which data flow. */
const partsOf = (b: AnyBijector | AnyConditional, params: Params): readonly Part[] =>
  b.parts?.flatMap((part, i) => partsOf(part, branch(params, `${i}.${part.name}`))) ?? [[b, params]]

/** The cost of one more example: the difference of the programs for two examples and for one. */
const costs = ([part, params]: Part): Pick<LayerRow, 'flops' | 'bytes'> => {
  const run = jit((own: Params, x: AnyTensor) => {
    const given = 'context' in part ? trust<Shape>(tf.zeros([1, ...part.context])) : undefined
    const { values, logDet } = part.runs.forward({ params: own, values: [x], given })
    return [values, logDet]
  })
  const [one, two] = [1, 2].map((n) => {
    const x = trust<Shape>(tf.zeros([n, ...(part.domain as Shape)]))
    const program = run.program(params, x)
    unwrap(x).dispose()
    return { flops: flops(program), bytes: bytes(program) }
  })
  return { flops: two!.flops - one!.flops, bytes: two!.bytes - one!.bytes }
}

const meanOf = async (each: PerExample): Promise<number> => {
  const nats = await toArray(each)
  unwrap(each).dispose()
  return nats.reduce((a, b) => a + b, 0) / nats.length
}

/** The mean log-det of every layer and of the base, on a batch, in nats. */
const shares = async (
  flow: RunFlow,
  params: Params,
  parts: readonly Part[],
  batch: RunBatch,
): Promise<readonly number[]> => {
  const run = jit((params: readonly Params[], ofBase: Params, batch: RunBatch) => {
    const given = 'given' in batch ? (batch.given as AnyTensor) : undefined
    let flowing: AnyTensor = examplesIn(batch)
    const left: AnyTensor[] = []
    const logDets = parts.map(([part], i) => {
      const { values, logDet } = part.runs.forward({ params: params[i]!, values: [flowing], given })
      left.push(...values.slice(0, -1))
      flowing = values.at(-1)!
      return logDet
    })
    return [...logDets, flow.base.logProb(ofBase, [...left, flowing], given)]
  })
  const all = await run(
    parts.map(([, own]) => own),
    baseParams(flow, params),
    batch,
  )
  await run.dispose()
  return Promise.all(all.map(meanOf))
}

/** The rows of the table, and the share of the base. */
interface Inspected {
  readonly layers: readonly LayerRow[]
  readonly base?: number
}

/** Inspects layer by layer, with a line of progress. */
const inspect = async (flow: RunFlow, params: Params, { progress }: Io, batch?: RunBatch): Promise<Inspected> => {
  const parts = partsOf(flow.bijector, bijectorParams(flow, params))
  const size = product(flow.bijector.domain)
  const unit = unitOf({ shape: flow.bijector.domain })
  return counted(progress, { doing: 'counting', total: parts.length, unit: 'layers' })(async (heard) => {
    const nats = batch === undefined ? undefined : await shares(flow, params, parts, batch)
    const share = (i: number) => (nats === undefined ? {} : { share: unit.of(-nats[i]! / (size * Math.LN2)) })
    const layers = parts.map(([part, own], i) => {
      const row = {
        name: part.name,
        from: show(part.domain),
        to: showLatents(part.codomain),
        parameters: countParams(part.spec),
        ...costs([part, own]),
        ...share(i),
      }
      heard(i + 1)
      return row
    })
    const { share: base } = share(parts.length)
    return base === undefined ? { layers } : { layers, base }
  })
}

const short = (n: number): string =>
  n < 1000
    ? `${n}`
    : n < 1e6
      ? `${(n / 1e3).toFixed(1)}k`
      : n < 1e9
        ? `${(n / 1e6).toFixed(1)}M`
        : `${(n / 1e9).toFixed(1)}G`

/** Aligns columns, numbers to the right. */
const table = (rows: readonly (readonly string[])[]): string => {
  const widths = rows[0]!.map((_, i) => Math.max(...rows.map((row) => row[i]!.length)))
  const cell = (text: string, i: number) => (i < 3 ? text.padEnd(widths[i]!) : text.padStart(widths[i]!))
  return rows.map((row) => row.map(cell).join('  ').trimEnd()).join('\n')
}

const tell = (flow: RunFlow, { layers, base }: Inspected, io: Io, of: object = {}): void => {
  const unit = unitOf({ shape: flow.bijector.domain }).name
  const sum = (of: (row: LayerRow) => number): number => layers.reduce((n, row) => n + of(row), 0)
  const measured = base !== undefined
  const share = (n: number | undefined) => (measured ? [(n ?? 0).toFixed(3)] : [])
  const total = { parameters: sum((r) => r.parameters), flops: sum((r) => r.flops), bytes: sum((r) => r.bytes) }
  const figure = measured ? sum((r) => r.share ?? 0) + base : undefined
  const numbersOf = (r: typeof total) => [short(r.parameters), short(r.flops), short(r.bytes)]
  io.say(
    table([
      ['layer', 'in', 'out', 'parameters', 'FLOPs', 'bytes', ...(measured ? [unit] : [])],
      ...layers.map((r) => [r.name, r.from, r.to, ...numbersOf(r), ...share(r.share)]),
      ...(measured ? [['base', showLatents(flow.bijector.codomain), '', '', '', '', ...share(base)]] : []),
      ['all', show(flow.bijector.domain), showLatents(flow.bijector.codomain), ...numbersOf(total), ...share(figure)],
    ]),
  )
  io.result({
    ...of,
    layers,
    ...(measured ? { base, unit, figure } : {}),
    total,
    latents: latentList(flow.bijector.codomain),
  })
}

/** The flags. */
interface InspectFlags extends RunFlags, ModelOptions {
  readonly shape?: readonly number[]
}

/** The configuration of a model by its name or file. */
const configOf = (name: string, shape: readonly number[], flags: InspectFlags): ModelConfig => {
  try {
    return modelConfig(name, shape, flags)
  } catch (thrown) {
    const error = asError(thrown)
    if (error.op !== '--model') throw thrown
    throw new DiffeoException({ ...error, op: 'inspect', expected: `the folder of a run, ${error.expected}` })
  }
}

const inspectModel = async (name: string, flags: InspectFlags, io: Io): Promise<void> => {
  const { shape = [32, 32, 3] } = flags
  const model = configOf(name, shape, flags)
  const { flow, optimiser } = await modelOf({ model, shape, recipe: defaultRecipe(shape) }, name)
  requireMemory('inspect', flow.spec, trainingBytes(flow.spec, optimiser))
  io.say(describeEngine(orThrow(await useEngine(flags.engine, flags)())))
  const params = flow.init(key(0))
  tell(flow, await inspect(flow, params, io), io)
  disposeParams(params)
}

const inspectRun = (folder: string, flags: InspectFlags, io: Io): Promise<void> =>
  withRun(folder, flags, io, async (run) => {
    const { flow, params, checkpoint } = run
    const batch = await (await examplesOf(run, flags)).test.at(0)
    io.say(`figures of ${sizes(examplesIn(batch))[0]} test examples`)
    tell(flow, await inspect(flow, params, io, batch), io, { run: folder, checkpoint })
    freeBatch(batch)
  })

/** The whole command: of a folder with a run, or of a model. */
export const inspectWhat = async (what: string, flags: InspectFlags, io: Io): Promise<Outcome> => {
  const { shape, checkpoint, model, data } = flags
  const [foreign, expected] = isRun(what)
    ? [{ ...optionsIn(flags), shape }, 'a model']
    : [{ checkpoint, model, data }, 'the folder of a run']
  const strange = Object.entries(foreign).find(([, value]) => value !== undefined)
  if (strange !== undefined)
    throw new DiffeoException(usageError(flagOf(strange[0]), expected, `'${what}'`, 'name one, or leave it out'))
  await (isRun(what) ? inspectRun : inspectModel)(what, flags, io)
  return 'done'
}

/** Registers the command. */
export const inspectCommand = (program: Command): Command =>
  withModelOptions(
    withDataOptions(program.command('inspect'))
      .argument('<what>', 'folder of a run, name of a model, or a file that exports one')
      .description('list layers with their shapes, parameters, cost and share of the log-det')
      .option(
        '--shape <h,w,c>',
        'shape of one example, for a model (default: 32,32,3)',
        numbers('--shape', integer(1, 4096)),
      ),
  )
    .addHelpText(
      'after',
      examples('inspect runs/mnist', 'inspect realnvp --shape 64,64,3 --scales 3', 'inspect ./my-flow.js --shape 2'),
    )
    .action((what: string, flags: InspectFlags, command: Command) =>
      perform((io) => inspectWhat(what, flags, io), command.optsWithGlobals<GlobalFlags>()),
    )
