/**
 * `diffeo export`: a trained flow as ONNX files that any runtime of ONNX runs, checked by running them.
 *
 *   <name>.onnx          x → log_prob, z0, z1, …, log_det     (nats; evaluation mode)
 *   <name>.inverse.onnx  z0, z1, … → x, log_det               (with standard normal z: a sampler)
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import type { Command } from 'commander'
import * as E from 'fp-ts/lib/Either.js'
import { pipe } from 'fp-ts/lib/function.js'
import * as TE from 'fp-ts/lib/TaskEither.js'
import type { Latents, Shape } from '../../types/shape.js'
import type { Flow } from '../distribution/flow.js'
import { type OnnxFunction, toOnnx } from '../engine/onnx/export.js'
import { type OnnxRunner, runOnnx } from '../engine/onnxruntime.js'
import { type DiffeoError, engineError } from '../error.js'
import { writeFileAtomic } from '../file.js'
import type { Params } from '../tensor/params.js'
import { key, uniformArray } from '../tensor/random.js'
import { latentList, product } from '../tensor/shape.js'
import { type AnyTensor, latentTensors, trust, unwrap } from '../tensor/tensor.js'
import { type GlobalFlags, type Io, type Outcome, perform } from './console.js'
import { examples } from './flags.js'
import { withRun } from './run.js'

/** The flags. */
export interface ExportOptions {
  readonly run: string
  readonly to: string
  /** The file of the run's model, if it is the user's own. */
  readonly model?: string
}

/** What goes into the file of the density, and of the inverse. */
export const onnxFunctions = <A extends Shape, B extends Latents>(
  flow: Flow<A, B>,
  params: Params,
): { readonly density: OnnxFunction; readonly inverse: OnnxFunction } => {
  const latents = latentList(flow.bijector.codomain).map((shape, i) => ({ name: `z${i}`, shape }))
  const bound = flow.bijector.bind(params)
  return {
    density: {
      inputs: [{ name: 'x', shape: flow.bijector.domain }],
      outputs: ['log_prob', ...latents.map(({ name }) => name), 'log_det'],
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
        const given = z.map((t) => trust(t) as AnyTensor)
        const [x, logDet] = bound.inverse((given.length === 1 ? given[0] : given) as never)
        return [unwrap(x as never), unwrap(logDet)]
      },
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

/** Runs a file on a batch of its own size and compares with the function. */
const verify = async (
  name: string,
  { inputs, outputs, run }: OnnxFunction,
  given: readonly AnyTensor[],
  model: OnnxRunner,
): Promise<E.Either<DiffeoError, number>> => {
  const own = given.map(unwrap)
  const wanted = run([...own])
  const feeds = await Promise.all(
    own.map(async (t, i) => ({ name: inputs[i]!.name, shape: t.shape, data: await t.data<'float32'>() })),
  )
  const got = await model(feeds)
  const gaps = await Promise.all(wanted.map(async (t, i) => distance(got[outputs[i]!]!, await t.data<'float32'>())))
  tf.dispose([...wanted])
  const worst = gaps.reduce((a, b) => Math.max(a, b), 0)
  return worst <= TOLERANCE
    ? E.right(worst)
    : E.left(engineError(`export ${name}`, `the flow's own numbers to ${TOLERANCE}`, `off by ${worst.toPrecision(2)}`))
}

/** The names of the two files. */
const paths = (to: string): readonly [density: string, inverse: string] => [
  to,
  `${to.replace(/\.onnx$/, '')}.inverse.onnx`,
]

const write = (
  flow: Flow<Shape, Latents>,
  params: Params,
  to: string,
  say: (line: string) => void,
): TE.TaskEither<DiffeoError, void> => {
  const { density, inverse } = onnxFunctions(flow, params)
  const [first, second] = paths(to)
  const shape = flow.bijector.domain
  const size = (bytes: Uint8Array) => `${(bytes.length / 1e6).toFixed(1)} MB`
  const pixels = (n: number) => uniformArray(key(n), n * product(shape)).map((u) => u * 255)
  return pipe(
    TE.tryCatch(
      async () => {
        const x = trust(tf.tensor(pixels(5), [5, ...shape])) as AnyTensor
        const [logProb, ...rest] = density.run([unwrap(x)])
        tf.dispose([logProb!, rest.pop()!])
        const z = rest.map((t) => trust(t) as AnyTensor)
        return { x, z, files: [toOnnx(density), toOnnx(inverse)] as const }
      },
      (reason) =>
        engineError('export', 'a flow that can be traced', reason instanceof Error ? reason.message : `${reason}`),
    ),
    TE.bindTo('made'),
    TE.bind('gaps', ({ made: { x, z, files } }) => async () => {
      const runners = await Promise.all(files.map(runOnnx))
      const checks = [
        await verify(first, density, [x], runners[0]!),
        await verify(second, inverse, z, runners[1]!),
      ] as const
      tf.dispose([x, ...z].map(unwrap))
      return pipe(
        checks[0],
        E.flatMap((a) =>
          pipe(
            checks[1],
            E.map((b) => Math.max(a, b)),
          ),
        ),
      )
    }),
    TE.tap(({ made: { files } }) => writeFileAtomic(first)(files[0])),
    TE.tap(({ made: { files } }) => writeFileAtomic(second)(files[1])),
    TE.flatMapIO(({ made: { files }, gaps }) => () => {
      say(`${first} (${size(files[0])}): x → log_prob, z, log_det`)
      say(`${second} (${size(files[1])}): z → x, log_det`)
      say(`both were run and agree with the flow to ${gaps.toPrecision(2)}`)
    }),
  )
}

/** The whole command. */
export const exportRun = ({ run, to, model }: ExportOptions, io: Io): TE.TaskEither<DiffeoError, Outcome> =>
  pipe(
    withRun(run, { engine: 'onnxruntime', ...(model === undefined ? {} : { model }) }, io, ({ flow, params }) =>
      write(flow, params, to, io.say),
    ),
    TE.map(() => {
      io.result({ files: paths(to) })
      return 'done'
    }),
  )

/** Registers the command. */
export const exportCommand = (program: Command): Command =>
  program
    .command('export <run>')
    .description('write a trained flow as ONNX files: its density, and its inverse')
    .requiredOption('--to <file>', 'the file of the density; that of the inverse lies beside it')
    .option('--model <file>', "the file of the run's model, if it is yours")
    .addHelpText('after', examples('export runs/mnist --to model.onnx'))
    .action((run: string, flags: Omit<ExportOptions, 'run'>, command: Command) =>
      perform((io) => exportRun({ run, ...flags }, io), command.optsWithGlobals<GlobalFlags>()),
    )
