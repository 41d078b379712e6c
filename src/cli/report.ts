/**
 * `diffeo report <run>`: what is known of a run on one page that needs nothing beside it, its curves as an SVG and a PNG file, and its
 * metrics as an event file for TensorBoard.
 *
 * @module
 */
import type { Command } from 'commander'
import * as E from 'fp-ts/lib/Either.js'
import { pipe } from 'fp-ts/lib/function.js'
import * as TE from 'fp-ts/lib/TaskEither.js'
import { describeEngine } from '../engine/engine.js'
import { type DiffeoError, describeError } from '../error.js'
import { writeFileAtomic } from '../file.js'
import { eventHeader, eventRecord } from '../report/events.js'
import { html } from '../report/page.js'
import { histogram, svgToPng, toSvg } from '../report/plot.js'
import { countParams } from '../tensor/params.js'
import { show } from '../tensor/shape.js'
import { readAbout } from './about.js'
import { type GlobalFlags, type Io, type Outcome, perform } from './console.js'
import { type Examples, unitOf } from './examples.js'
import { curves, drawn, imageSections, latentFigures, planeSections, progressOf, section } from './figures.js'
import { examples, withRunOptions } from './flags.js'
import { filesIn } from './folder.js'
import { type Evaluated, measure } from './measure.js'
import { type Metric, readMetrics } from './metrics.js'
import { examplesOf, type OpenRun, type RunFlags, withRun } from './run.js'

type Pending<A> = TE.TaskEither<DiffeoError, A>

// -------------------------------------------------------------------------------------
// files
// -------------------------------------------------------------------------------------

/** The metrics as TensorBoard reads them. */
const eventsOf = (metrics: readonly Metric[], began: number): Uint8Array =>
  Buffer.concat([
    eventHeader(began),
    ...metrics.map((m) =>
      eventRecord(
        began + m.time,
        m.step,
        Object.entries(m).flatMap(([tag, value]) =>
          typeof value === 'number' && !['step', 'time', 'images'].includes(tag) ? [{ tag, value }] : [],
        ),
      ),
    ),
  ])

const text = (content: string): Uint8Array => new TextEncoder().encode(content)

/** Writes the page of a run, its curves and its event file; answers their paths. */
export const writeReport = (
  folder: string,
  run: OpenRun,
  data: Examples,
  test: Evaluated,
  io: Io,
): Pending<readonly string[]> => {
  const files = filesIn(folder)
  const { config, flow, state, engine } = run
  const unit = unitOf(config.shape).name
  const isImage = config.shape.length === 3
  return pipe(
    TE.Do,
    TE.bind('metrics', () => readMetrics(files.metrics)),
    TE.bind('about', () => readAbout(files.about)),
    TE.bind('progress', () => progressOf(files.progress)),
    TE.bind('latents', () => latentFigures(run, data)),
    TE.let('plots', ({ metrics }) => curves(metrics, unit)),
    TE.bind('sections', ({ plots, progress, latents }) =>
      TE.sequenceSeqArray([
        section('Learning', Object.values(plots).map(drawn(''))),
        ...(isImage ? imageSections(run, data, test) : planeSections(run, data)),
        ...(progress.length === 0 ? [] : [section('Samples as it learned', progress.map(TE.right))]),
        section(`−log p of each test example`, [
          drawn('')(histogram({ title: `${test.count} test examples`, x: unit, values: test.each })),
        ]),
        section('Latents of test examples', latents.map(TE.right)),
      ]),
    ),
    TE.bind('svg', ({ plots }) => TE.fromTask(() => toSvg(plots['curves']!))),
    // without the optional package that draws it, the SVG file is all there is
    TE.bind('png', ({ svg }) => TE.fromTask(svgToPng(svg))),
    TE.tapIO(
      ({ png }) =>
        () =>
          E.isLeft(png) && io.warn(describeError(png.left)),
    ),
    TE.flatMap(({ metrics, about, svg, png, sections }) => {
      const last = metrics.findLast((m) => 'train' in m)
      const facts: readonly (readonly [string, string])[] = [
        ['test', `${test.mean.toFixed(4)} ${unit} on ${test.count} examples, worst ${test.worst.toFixed(3)}`],
        ...(test.floor === undefined ? [] : [['least possible', `${test.floor.toFixed(4)} ${unit}`] as const]),
        [
          'model',
          `${JSON.stringify(config.model)}, ${countParams(flow.bijector.spec).toLocaleString('en')} parameters`,
        ],
        ['events', show(config.shape)],
        [
          'steps',
          `${state.step}, ${((last?.time ?? 0) / 60).toFixed(1)} minutes, ${(last?.images ?? 0).toLocaleString('en')} examples`,
        ],
        ['seed', `${config.recipe.seed}`],
        ['recipe', JSON.stringify(config.recipe)],
        ...about.flatMap(({ command, engine, versions, began }) => [
          ['command', command] as const,
          ['', `${began}, ${engine}, ${versions}`] as const,
        ]),
        ['this page', describeEngine(engine)],
      ]
      const page = html({ title: `${config.model.name} on ${config.data.name}`, facts, sections })
      const began = Date.parse(about[0]?.began ?? '') / 1000 || 0
      const out: readonly (readonly [path: string, content: Pending<Uint8Array>])[] = [
        [files.report, TE.right(text(page))],
        [files.curves, TE.right(text(svg))],
        ...(E.isRight(png) ? [[files.curvesPng, TE.right(png.right)] as const] : []),
        ...(metrics.length === 0 ? [] : [[files.events, TE.right(eventsOf(metrics, began))] as const]),
      ]
      return pipe(
        out,
        TE.traverseSeqArray(([path, content]) =>
          pipe(
            content,
            TE.flatMap(writeFileAtomic(path)),
            TE.map(() => path),
          ),
        ),
      )
    }),
  )
}

// -------------------------------------------------------------------------------------
// the command
// -------------------------------------------------------------------------------------

const report = (folder: string, flags: RunFlags, io: Io): Pending<Outcome> =>
  withRun(folder, flags, io, (run) =>
    pipe(
      examplesOf(run, flags),
      TE.bindTo('data'),
      TE.bind('test', ({ data }) => measure(run, run.config, data, run.state.step, run.params, io, folder)),
      TE.flatMap(({ data, test }) => writeReport(folder, run, data, test, io)),
      TE.map((paths): Outcome => {
        io.say(paths.join('\n'))
        io.result({ run: folder, files: paths })
        return 'done'
      }),
    ),
  )

/** Registers the command. */
export const reportCommand = (program: Command): Command =>
  withRunOptions(program.command('report').argument('<run>', 'the folder of a run'))
    .description('one page with all that is known of a run, its curves, and an event file for TensorBoard')
    .addHelpText('after', examples('report runs/mnist'))
    .action((folder: string, flags: RunFlags, command: Command) =>
      perform((io) => report(folder, flags, io), command.optsWithGlobals<GlobalFlags>()),
    )
