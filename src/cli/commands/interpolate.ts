/**
 * `diffeo interpolate`: the manifold that four test images span in latent space (Dinh et al. 2016, Eq. 19):
 *
 *   z = cos φ (cos φ′ z₁ + sin φ′ z₂) + sin φ (cos φ′ z₃ + sin φ′ z₄),     φ, φ′ ∈ {0, π/4, …, 7π/4}
 *
 * Row φ, column φ′; the corner is the first image, and four are found at φ, φ′ ∈ {0, π/2}.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import type { Command } from 'commander'
import type { Latents, Shape } from '../../../types/shape.js'
import { integer } from '../../codec.js'
import { compiled } from '../../distribution/compiled.js'
import type { Flow } from '../../distribution/flow.js'
import { DiffeoException, orThrow, usageError } from '../../error.js'
import { type Raster, writePng } from '../../image/png.js'
import type { Params } from '../../tensor/params.js'
import { key, permutation } from '../../tensor/random.js'
import { type BatchOf, latentBatch, latentTensors, trust, unwrap } from '../../tensor/tensor.js'
import { grid } from '../evaluation/pictures.js'
import { examples, number, withDataOptions } from '../flags.js'
import type { Examples } from '../run/examples.js'
import { filesIn } from '../run/folder.js'
import { atClass, examplesIn, freeBatch } from '../run/given.js'
import { examplesOf, type OpenRun, type RunFlags, withRun } from '../run/open-run.js'
import { type GlobalFlags, type Io, type Outcome, perform } from '../terminal/console.js'
import { counted } from '../terminal/progress.js'

const SIDE = 8

/** The weights of z₁, …, z₄ at each place of the grid, row by row. */
export const manifoldWeights = (side = SIDE): readonly (readonly number[])[] =>
  Array.from({ length: side * side }, (_, place) => {
    const angle = (n: number): number => (2 * Math.PI * n) / side
    const [a, b] = [angle(Math.floor(place / side)), angle(place % side)]
    return [Math.cos(a) * Math.cos(b), Math.cos(a) * Math.sin(b), Math.sin(a) * Math.cos(b), Math.sin(a) * Math.sin(b)]
  })

/** Draws the manifold of four images. `heard` counts these four and those between. */
const interpolate = async (
  flow: Flow<Shape, Latents>,
  params: Params,
  four: BatchOf<Shape>,
  heard: (done: number) => void = () => undefined,
): Promise<Raster> => {
  const { forward, inverse } = compiled(flow)
  const [z, logDet] = await forward(params)(four)
  heard(4)
  const mixed = tf.tidy(() => {
    const weights = tf.tensor2d(manifoldWeights().map((row) => [...row]))
    return latentTensors(z).map((part) => {
      const own = unwrap(part)
      return tf.reshape(tf.matMul(weights, tf.reshape(own, [4, -1])), [SIDE * SIDE, ...own.shape.slice(1)])
    })
  })
  const between = latentBatch(
    flow.bijector.codomain,
    mixed.map((t) => trust(t)),
  )
  const [x, inverseLogDet] = await inverse(params)(between)
  heard(4 + SIDE * SIDE)
  const pixels = await unwrap(x).data<'float32'>()
  tf.dispose([latentTensors(z).map(unwrap), mixed, unwrap(logDet), unwrap(x), unwrap(inverseLogDet)])
  return grid(flow.bijector.domain, pixels, SIDE)
}

/** Chooses four of the first test images, of one class if the run has classes, and draws the manifold between them. */
const drawManifold = async (
  { flow, params }: OpenRun,
  { test, labels }: Examples,
  seed: number,
  io: Io,
): Promise<{ readonly picture: Raster; readonly chosen: readonly number[] }> => {
  const batch = await test.at(0)
  const x = unwrap(examplesIn(batch))
  const [n = 0] = x.shape
  // between classes there are no images
  const order = Array.from(permutation(key(seed), n))
  const label = labels?.[order[0]!]
  const chosen = order.filter((i) => labels?.[i] === label).slice(0, 4)
  const four = chosen.length < 4 ? undefined : tf.tidy(() => tf.gather(x, chosen))
  freeBatch(batch)
  if (four === undefined) {
    const [expected, got] =
      label === undefined
        ? ['a run with at least 4 test images', `${n}`]
        : [`at least 4 of the first ${n} test images of class ${label}`, `${chosen.length}; choose another --seed`]
    throw new DiffeoException(usageError('interpolate', expected, got))
  }
  const drawn = (own: Flow<Shape, Latents>): Promise<Raster> =>
    counted(io.progress, { doing: 'interpolating', total: 4 + SIDE * SIDE, unit: 'images' })((heard) =>
      interpolate(own, params, trust(four), heard),
    )
  const picture = await ('given' in flow ? atClass(flow, label!, drawn) : drawn(flow)).finally(() => four.dispose())
  return { picture, chosen }
}

/** The flags. */
interface InterpolateFlags extends RunFlags {
  readonly seed: number
  readonly to?: string
}

/** The whole command. */
export const interpolateRun = (folder: string, flags: InterpolateFlags, io: Io): Promise<Outcome> =>
  withRun(folder, flags, io, async (run): Promise<Outcome> => {
    const { config, checkpoint } = run
    if (config.shape.length !== 3)
      throw new DiffeoException(usageError('interpolate', 'a run on images', `one on ${config.data.name}`))
    const to = flags.to ?? filesIn(folder).interpolations
    const { picture, chosen } = await drawManifold(run, await examplesOf(run, flags), flags.seed, io)
    orThrow(await writePng(to)(picture)())
    io.say(`between the test images ${chosen.join(', ')}`)
    io.say(to)
    io.result({ run: folder, checkpoint, images: chosen, files: [to] })
    return 'done'
  })

/** Registers the command. */
export const interpolateCommand = (program: Command): Command =>
  withDataOptions(program.command('interpolate <run>'))
    .description('show what lies between four test images in latent space')
    .option(
      '--seed <n>',
      'random seed that selects four of the first 50 test images',
      number('--seed', integer(0, 2 ** 32 - 1)),
      0,
    )
    .option('--to <file>', 'PNG file (default: interpolations.png in the run)')
    .addHelpText('after', examples('interpolate runs/mnist --seed 3'))
    .action((folder: string, flags: InterpolateFlags, command: Command) =>
      perform((io) => interpolateRun(folder, flags, io), command.optsWithGlobals<GlobalFlags>()),
    )
