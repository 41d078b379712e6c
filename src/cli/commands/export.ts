/**
 * `diffeo export`: a trained flow as ONNX files that any runtime of ONNX runs, checked by running them.
 *
 *   <name>.onnx          x → log_prob, z0, z1, …, log_det          density and forward (nats; evaluation mode)
 *   <name>.inverse.onnx  z0, z1, … → x, log_det                    inverse
 *   <name>.sampler.onnx  n, temperature → x, log_prob, z0, z1, …   draws z in the model
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import type { Command } from 'commander'
import * as E from 'fp-ts/lib/Either.js'
import { pipe } from 'fp-ts/lib/function.js'
import * as TE from 'fp-ts/lib/TaskEither.js'
import type { Latents, Shape } from '../../../types/shape.js'
import { type OnnxFeed, runOnnx } from '../../backends/onnxruntime/backend.js'
import { type OnnxFunction, toOnnx, toOnnxSampler } from '../../backends/onnxruntime/export.js'
import type { Flow } from '../../distribution/flow.js'
import { type DiffeoError, engineError } from '../../error.js'
import { writeFileAtomic } from '../../file.js'
import type { Params } from '../../tensor/params.js'
import { foldIn, key, normalArray } from '../../tensor/random.js'
import { latentList, product } from '../../tensor/shape.js'
import { type AnyTensor, latentTensors, trust, unwrap } from '../../tensor/tensor.js'
import { examples, withCheckpointOptions } from '../flags.js'
import { type RunFlags, withRun } from '../run/open-run.js'
import { type GlobalFlags, type Io, type Outcome, perform } from '../terminal/console.js'
import { counted } from '../terminal/progress.js'

/** The flags. */
interface ExportOptions extends Pick<RunFlags, 'checkpoint' | 'model'> {
  readonly run: string
  readonly to: string
}

/** What goes into the files; the latents of the sampler are drawn in its model. */
export const onnxFunctions = <A extends Shape, B extends Latents>(
  flow: Flow<A, B>,
  params: Params,
): { readonly density: OnnxFunction; readonly inverse: OnnxFunction; readonly sampler: OnnxFunction } => {
  const latents = latentList(flow.bijector.codomain).map((shape, i) => ({ name: `z${i}`, shape }))
  const names = latents.map(({ name }) => name)
  const bound = flow.bijector.bind(params)
  const joined = (z: readonly tf.Tensor[]) => (z.length === 1 ? z[0] : z) as never
  return {
    density: {
      inputs: [{ name: 'x', shape: flow.bijector.domain }],
      outputs: ['log_prob', ...names, 'log_det'],
      run: ([x]) =>
        tf.tidy(() => {
          const [z, logDet] = bound.forward(trust(x!) as never)
          const prior = unwrap(flow.prior.logProb(z))
          return [tf.add(prior, unwrap(logDet)), ...latentTensors(z).map(unwrap), unwrap(logDet)]
        }),
    },
    inverse: {
      inputs: latents,
      outputs: ['x', 'log_det'],
      run: (z) => {
        const [x, logDet] = bound.inverse(joined(z))
        return [unwrap(x as never), unwrap(logDet)]
      },
    },
    sampler: {
      inputs: latents,
      outputs: ['x', 'log_prob', ...names],
      run: (z) =>
        tf.tidy(() => {
          const [x, logDet] = bound.inverse(joined(z))
          return [unwrap(x as never), tf.sub(unwrap(flow.prior.logProb(joined(z))), unwrap(logDet)), ...z]
        }),
    },
  }
}

/** The largest error over the largest magnitude that a file may have against the flow itself. */
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
  /** What it is run on in the check. */
  readonly feeds: readonly OnnxFeed[]
}

/** How many examples the check has. */
const CHECKED = 5

/** Runs a file and compares with the function: on what it was given, or on what it says that it drew. */
const verify = async ({ path, of, bytes, feeds }: Draft): Promise<E.Either<DiffeoError, number>> => {
  const got = await (await runOnnx(bytes))(feeds)
  const fed = new Map(feeds.map(({ name, data }) => [name, data]))
  const given = of.inputs.map(({ name, shape }) =>
    tf.tensor((fed.get(name) ?? got[name]) as Float32Array, [CHECKED, ...shape]),
  )
  const wanted = of.run([...given])
  const gaps = await Promise.all(wanted.map(async (t, i) => distance(got[of.outputs[i]!]!, await t.data<'float32'>())))
  tf.dispose([...wanted, ...given])
  const worst = gaps.reduce((a, b) => Math.max(a, b), 0)
  return worst <= TOLERANCE
    ? E.right(worst)
    : E.left(engineError(`export ${path}`, `the flow's own numbers to ${TOLERANCE}`, `off by ${worst.toPrecision(2)}`))
}

const draft = async (flow: Flow<Shape, Latents>, params: Params, to: string): Promise<readonly Draft[]> => {
  const { density, inverse, sampler } = onnxFunctions(flow, params)
  const beside = (kind: string) => `${to.replace(/\.onnx$/, '')}.${kind}.onnx`
  const x = unwrap(flow.sample(params)(key(0), CHECKED, 0.7) as AnyTensor)
  const events = [{ name: 'x', shape: x.shape, data: await x.data<'float32'>() }]
  x.dispose()
  const latents = inverse.inputs.map(({ name, shape }, i) => ({
    name,
    shape: [CHECKED, ...shape],
    data: normalArray(foldIn(key(1), i), CHECKED * product(shape)),
  }))
  const counted = [
    { name: 'n', shape: [], data: BigInt64Array.of(BigInt(CHECKED)) },
    { name: 'temperature', shape: [], data: Float32Array.of(0.7) },
  ]
  return [
    { path: to, says: 'x → log_prob, z, log_det', of: density, bytes: toOnnx(density), feeds: events },
    { path: beside('inverse'), says: 'z → x, log_det', of: inverse, bytes: toOnnx(inverse), feeds: latents },
    {
      path: beside('sampler'),
      says: 'n, temperature → x, log_prob, z',
      of: sampler,
      bytes: toOnnxSampler(sampler),
      feeds: counted,
    },
  ]
}

/** `12 kB`, `1.2 MB` */
const sizeOf = (bytes: number): string =>
  bytes < 1e6 ? `${Math.ceil(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(1)} MB`

const write = (
  flow: Flow<Shape, Latents>,
  params: Params,
  to: string,
  { say, progress }: Io,
): TE.TaskEither<DiffeoError, readonly string[]> =>
  pipe(
    TE.tryCatch(
      () => draft(flow, params, to),
      (reason) =>
        engineError('export', 'a flow that can be traced', reason instanceof Error ? reason.message : `${reason}`),
    ),
    TE.bindTo('drafts'),
    // all of them before the first is written
    TE.bind(
      'gaps',
      ({ drafts }) =>
        () =>
          counted(progress, { doing: 'checking', total: CHECKED * drafts.length, unit: 'examples' })((heard) =>
            TE.traverseSeqArrayWithIndex((i, one: Draft) => () => verify(one).finally(() => heard(CHECKED * (i + 1))))(
              drafts,
            )(),
          ),
    ),
    TE.tap(({ drafts }) => TE.traverseSeqArray(({ path, bytes }: Draft) => writeFileAtomic(path)(bytes))(drafts)),
    TE.map(({ drafts, gaps }) => {
      for (const { path, bytes, says } of drafts) say(`${path} (${sizeOf(bytes.length)}): ${says}`)
      say(`all were run and agree with the flow to ${Math.max(...gaps).toPrecision(2)}`)
      return drafts.map(({ path }) => path)
    }),
  )

/** The whole command. */
export const exportRun = ({ run, to, ...which }: ExportOptions, io: Io): TE.TaskEither<DiffeoError, Outcome> =>
  withRun(run, { ...which, engine: 'onnxruntime' }, io, ({ flow, params, checkpoint }) =>
    pipe(
      write(flow, params, to, io),
      TE.map((files) => {
        io.result({ run, checkpoint, files })
        return 'done'
      }),
    ),
  )

/** Registers the command. */
export const exportCommand = (program: Command): Command =>
  withCheckpointOptions(program.command('export <run>'))
    .description('write a trained flow as ONNX files: density, inverse and sampler')
    .requiredOption('--to <file>', 'the file of the density; those of inverse and sampler lie beside it')
    .addHelpText(
      'after',
      examples('export runs/mnist --to model.onnx', 'export runs/mnist --checkpoint best --to best.onnx'),
    )
    .action((run: string, flags: Omit<ExportOptions, 'run'>, command: Command) =>
      perform((io) => exportRun({ run, ...flags }, io), command.optsWithGlobals<GlobalFlags>()),
    )
