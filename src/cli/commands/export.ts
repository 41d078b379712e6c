/**
 * `diffeo export`: writes a trained flow as ONNX files for any runtime of ONNX, and checks them by running them.
 *
 *   <name>.onnx          x → log_prob, z0, z1, …, log_det          density and forward (nats; evaluation mode)
 *   <name>.inverse.onnx  z0, z1, … → x, log_det                    inverse
 *   <name>.sampler.onnx  n, temperature → x, log_prob, z0, z1, …   draws z in the model
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import type { Command } from 'commander'
import type { Batch, Shape } from '../../../types/shape.js'
import { onnxFunctions } from '../../api/onnx.js'
import { type OnnxFeed, runOnnx } from '../../backends/onnxruntime/backend.js'
import { type OnnxFunction, toOnnx, toOnnxSampler } from '../../backends/onnxruntime/export.js'
import { oneHot } from '../../data/batches.js'
import { DiffeoException, engineError, orThrow } from '../../error.js'
import { writeFileAtomic } from '../../file.js'
import type { Params } from '../../tensor/params.js'
import { foldIn, key, normalArray } from '../../tensor/random.js'
import { product } from '../../tensor/shape.js'
import { trust, unwrap } from '../../tensor/tensor.js'
import { examples, withCheckpointOptions } from '../flags.js'
import { classesOf, type RunFlow } from '../run/given.js'
import { type RunFlags, withRun } from '../run/open-run.js'
import { type GlobalFlags, type Io, type Outcome, perform } from '../terminal/console.js'
import { counted } from '../terminal/progress.js'

/** The flags. */
interface ExportOptions extends Pick<RunFlags, 'checkpoint' | 'model'> {
  readonly run: string
  readonly to: string
}

/** The largest allowed error of a file against the flow, relative to the largest magnitude. */
const TOLERANCE = 1e-4

const distance = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  let [gap, top] = [0, 1e-3]
  for (let i = 0; i < b.length; i++) {
    gap = Math.max(gap, Math.abs(a[i]! - b[i]!))
    top = Math.max(top, Math.abs(b[i]!))
  }
  return a.length === b.length && !Number.isNaN(gap) ? gap / top : Number.POSITIVE_INFINITY
}

/** A file before it is written. */
interface Draft {
  readonly path: string
  readonly says: string
  readonly of: OnnxFunction
  readonly bytes: Uint8Array
  /** The inputs of the check. */
  readonly feeds: readonly OnnxFeed[]
}

/** The number of examples in the check. */
const CHECKED = 5

/** Runs a file and compares it with the function, on its inputs or on the latents that it drew. Returns the error. */
const verify = async ({ path, of, bytes, feeds }: Draft): Promise<number> => {
  const outputs = await (await runOnnx(bytes))(feeds)
  const fed = new Map(feeds.map(({ name, data }) => [name, data]))
  const given = of.inputs.map(({ name, shape }) =>
    tf.tensor((fed.get(name) ?? outputs[name]) as Float32Array, [CHECKED, ...shape]),
  )
  const wanted = tf.tidy(() => [...of.run([...given])])
  const gaps = await Promise.all(
    wanted.map(async (t, i) => distance(outputs[of.outputs[i]!]!, await t.data<'float32'>())),
  )
  tf.dispose([...wanted, ...given])
  const worst = gaps.reduce((a, b) => Math.max(a, b), 0)
  if (worst <= TOLERANCE) return worst
  const got = `off by ${worst.toPrecision(2)}`
  throw new DiffeoException(engineError(`export ${path}`, `the flow's own numbers to ${TOLERANCE}`, got))
}

/** One-hot classes for the check of a class-conditional flow. */
const contextsOf = (flow: RunFlow): readonly OnnxFeed[] => {
  const classes = classesOf(flow)
  if (classes === undefined) return []
  const labels = Array.from({ length: CHECKED }, (_, i) => i % classes)
  return [{ name: 'given', shape: [CHECKED, classes], data: oneHot(labels, classes) }]
}

/** Samples, one for each context. */
const drawnFor = (flow: RunFlow, params: Params, [contexts]: readonly OnnxFeed[]): tf.Tensor =>
  tf.tidy(() => {
    const at = contexts && trust<Batch<Shape>>(tf.tensor(contexts.data as Float32Array, [...contexts.shape]))
    const own = 'given' in flow ? flow.given(at!) : flow
    return unwrap(own.sample(params)(key(0), CHECKED, 0.7))
  })

const draft = async (flow: RunFlow, params: Params, to: string): Promise<readonly Draft[]> => {
  const { density, inverse, sampler, fromLatents } = onnxFunctions(flow, params)
  const contexts = contextsOf(flow)
  const input = (names: string) => (contexts.length === 0 ? names : `${names}, given`)
  const beside = (kind: string) => `${to.replace(/\.onnx$/, '')}.${kind}.onnx`
  const x = drawnFor(flow, params, contexts)
  const events = [{ name: 'x', shape: x.shape, data: await x.data<'float32'>() }]
  x.dispose()
  const latents = inverse.inputs
    .filter(({ name }) => name !== 'given')
    .map(({ name, shape }, i) => ({
      name,
      shape: [CHECKED, ...shape],
      data: normalArray(foldIn(key(1), i), CHECKED * product(shape)),
    }))
  const counted = [
    { name: 'n', shape: [], data: BigInt64Array.of(BigInt(CHECKED)) },
    { name: 'temperature', shape: [], data: Float32Array.of(0.7) },
  ]
  return [
    {
      path: to,
      says: `${input('x')} → log_prob, z, log_det`,
      of: density,
      bytes: toOnnx(density),
      feeds: [...events, ...contexts],
    },
    {
      path: beside('inverse'),
      says: `${input('z')} → x, log_det`,
      of: inverse,
      bytes: toOnnx(inverse),
      feeds: [...latents, ...contexts],
    },
    {
      path: beside('sampler'),
      says: `${input('n, temperature')} → x, log_prob, z`,
      of: fromLatents,
      bytes: toOnnxSampler(sampler),
      feeds: [...counted, ...contexts],
    },
  ]
}

/** `12 kB`, `1.2 MB` */
const sizeOf = (bytes: number): string =>
  bytes < 1e6 ? `${Math.ceil(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(1)} MB`

const draftAll = async (flow: RunFlow, params: Params, to: string): Promise<readonly Draft[]> => {
  try {
    return await draft(flow, params, to)
  } catch (thrown) {
    const got = thrown instanceof Error ? thrown.message : `${thrown}`
    throw new DiffeoException(engineError('export', 'a flow that can be traced', got))
  }
}

/** The whole command. */
export const exportRun = ({ run, to, ...which }: ExportOptions, io: Io): Promise<Outcome> =>
  withRun(run, { ...which, engine: 'onnxruntime' }, io, async ({ flow, params, checkpoint }): Promise<Outcome> => {
    const drafts = await draftAll(flow, params, to)
    const counting = { doing: 'checking', total: CHECKED * drafts.length, unit: 'examples' }
    // all are checked before the first is written
    const gaps = await counted(
      io.progress,
      counting,
    )(async (heard) => {
      const checked: number[] = []
      for (const one of drafts) heard(CHECKED * checked.push(await verify(one)))
      return checked
    })
    for (const { path, bytes } of drafts) orThrow(await writeFileAtomic(path)(bytes)())
    for (const { path, bytes, says } of drafts) io.say(`${path} (${sizeOf(bytes.length)}): ${says}`)
    io.say(`all files were run and agree with the flow to ${Math.max(...gaps).toPrecision(2)}`)
    io.result({ run, checkpoint, files: drafts.map(({ path }) => path) })
    return 'done'
  })

/** Registers the command. */
export const exportCommand = (program: Command): Command =>
  withCheckpointOptions(program.command('export <run>'))
    .description('write a trained flow as ONNX files: density, inverse and sampler')
    .requiredOption('--to <file>', 'file of the density; the inverse and the sampler are written beside it')
    .addHelpText(
      'after',
      examples('export runs/mnist --to model.onnx', 'export runs/mnist --checkpoint best --to best.onnx'),
    )
    .action((run: string, flags: Omit<ExportOptions, 'run'>, command: Command) =>
      perform((io) => exportRun({ run, ...flags }, io), command.optsWithGlobals<GlobalFlags>()),
    )
