/**
 * `diffeo report <run>`: what is known of a run on one page that needs nothing beside it, its plots as SVG and PNG files, and its
 * metrics as an event file for TensorBoard.
 *
 * @module
 */
import { join } from 'node:path'
import type { Command } from 'commander'
import type * as E from 'fp-ts/lib/Either.js'
import { pipe } from 'fp-ts/lib/function.js'
import * as TE from 'fp-ts/lib/TaskEither.js'
import { describeEngine } from '../../backends/engine.js'
import { type DiffeoError, describeError } from '../../error.js'
import { writeFileAtomic } from '../../file.js'
import { eventHeader, eventRecord } from '../../report/events.js'
import { type Figure, html, type Section } from '../../report/page.js'
import { histogram, type Plot, svgToPng, toSvg } from '../../report/plot.js'
import { countParams } from '../../tensor/params.js'
import { show } from '../../tensor/shape.js'
import { allFinite } from '../evaluation/finite-results.js'
import {
  curves,
  drawn,
  imageSections,
  latentFigures,
  planePlot,
  progressOf,
  section,
} from '../evaluation/report-sections.js'
import { type Evaluated, measure } from '../evaluation/test-results.js'
import { examples, withDataOptions } from '../flags.js'
import { readAbout } from '../run/about.js'
import { type Examples, unitOf } from '../run/examples.js'
import { filesIn } from '../run/folder.js'
import { type Metric, readMetrics } from '../run/metrics.js'
import { examplesOf, type OpenRun, type RunFlags, withRun } from '../run/open-run.js'
import { type GlobalFlags, type Io, type Outcome, perform } from '../terminal/console.js'
import { counted } from '../terminal/progress.js'

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

/** How long the steps took, as far as lines tell: not every step has one. */
const minutesOf = (metrics: readonly Metric[], step: number): string => {
  const last = metrics.findLast((m) => m.step <= step)
  return last === undefined
    ? ''
    : `, ${(last.time / 60).toFixed(1)} minutes${last.step === step ? '' : ` up to step ${last.step}`}`
}

const text = (content: string): Uint8Array => new TextEncoder().encode(content)

type Files = readonly (readonly [path: string, content: Uint8Array])[]

/** A plot as the two files of that name; as an SVG alone without the optional package that draws the other. */
const plotFiles = (files: ReturnType<typeof filesIn>, name: string, plot: Plot, { warn }: Io): Pending<Files> =>
  pipe(
    TE.fromTask(() => toSvg(plot)),
    TE.map((svg) => ({ svg, paths: files.plots(name) })),
    TE.flatMapTask(({ svg, paths }) =>
      pipe(
        svgToPng(svg),
        TE.match(
          (error): Files => {
            warn(describeError(error))
            return [[paths[0], text(svg)]]
          },
          (png): Files => [
            [paths[0], text(svg)],
            [paths[1], png],
          ],
        ),
      ),
    ),
  )

/** The file of a picture that is to be kept beside the page too. */
const fileOf = (folder: string, { name, image }: Figure): Files =>
  name === undefined || typeof image === 'string' ? [] : [[join(folder, `${name}.png`), image]]

/** The sections, with a line that says how many are drawn. */
const drawing = (
  { progress }: Io,
  parts: readonly Pending<Section>[],
): Promise<E.Either<DiffeoError, readonly Section[]>> =>
  counted(progress, { doing: 'drawing the report', total: parts.length, unit: 'sections' })((heard) =>
    TE.traverseSeqArrayWithIndex((i, part: Pending<Section>) => () => part().finally(() => heard(i + 1)))(parts)(),
  )

/** Writes the page of a run, its plots and its event file; answers their paths. */
export const writeReport = (
  folder: string,
  run: OpenRun,
  data: Examples,
  test: Evaluated,
  io: Io,
): Pending<readonly string[]> => {
  const files = filesIn(folder)
  const { config, flow, state, checkpoint, engine } = run
  const unit = unitOf(config.shape).name
  const isImage = config.shape.length === 3
  return pipe(
    TE.Do,
    TE.bind('metrics', () => readMetrics(files.metrics)),
    TE.bind('about', () => readAbout(files.about)),
    TE.bind('progress', () => progressOf(files.progress)),
    TE.let('plots', ({ metrics }) => curves(metrics, unit)),
    TE.let('histogram', () => histogram({ title: `${test.count} test examples`, x: unit, values: test.each })),
    TE.bind('plane', () => (isImage ? TE.right(undefined) : planePlot(run, data))),
    TE.let('parts', ({ plots, histogram, progress, plane }) => [
      section('Learning', Object.values(plots).map(drawn(''))),
      ...(plane === undefined
        ? imageSections(run, data, test)
        : [section('The plane', [drawn('density, samples, and the grid of z as the inverse bends it')(plane)])]),
      ...(progress.length === 0 ? [] : [section('Samples as it learned', progress.map(TE.right))]),
      section(`−log p of each test example`, [drawn('')(histogram)]),
      pipe(
        latentFigures(run, data),
        TE.map((figures) => ({ title: 'Latents of test examples', figures })),
      ),
    ]),
    TE.bind(
      'sections',
      ({ parts }) =>
        () =>
          drawing(io, parts),
    ),
    TE.bind('pictures', ({ plots, histogram, plane }) =>
      pipe(
        Object.entries({ curves: plots['curves']!, histogram, ...(plane === undefined ? {} : { plane }) }),
        TE.traverseSeqArray(([name, plot]) => plotFiles(files, name, plot, io)),
      ),
    ),
    TE.flatMap(({ metrics, about, pictures, sections }) => {
      const facts: readonly (readonly [string, string])[] = [
        ['test', `${test.mean.toFixed(4)} ${unit} on ${test.count} examples, worst ${test.worst.toFixed(3)}`],
        ...(test.floor === undefined ? [] : [['least possible', `${test.floor.toFixed(4)} ${unit}`] as const]),
        [
          'model',
          `${JSON.stringify(config.model)}, ${countParams(flow.bijector.spec).toLocaleString('en')} parameters`,
        ],
        ['shape', show(config.shape)],
        ['checkpoint', checkpoint],
        [
          'steps',
          `${state.step}, ${(state.step * config.recipe.batch).toLocaleString('en')} examples${minutesOf(metrics, state.step)}`,
        ],
        ...about.slice(-1).flatMap(({ data }) => (data === undefined ? [] : [['data', data] as const])),
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
      const out: Files = [
        [files.report, text(page)],
        ...pictures.flat(),
        ...sections.flatMap(({ figures }) => figures.flatMap((own) => fileOf(folder, own))),
        ...(metrics.length === 0 ? [] : [[files.events, eventsOf(metrics, began)] as const]),
      ]
      return pipe(
        out,
        TE.traverseSeqArray(([path, content]) =>
          pipe(
            writeFileAtomic(path)(content),
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

/** The whole command. */
export const reportRun = (folder: string, flags: RunFlags, io: Io): Pending<Outcome> =>
  withRun(folder, flags, io, (run) =>
    pipe(
      examplesOf(run, flags),
      TE.bindTo('data'),
      TE.bind('test', ({ data }) => measure(run, data, io, folder)),
      TE.bind('paths', ({ data, test }) => writeReport(folder, run, data, test, io)),
      TE.flatMapEither(({ test, paths }): E.Either<DiffeoError, Outcome> => {
        io.say(paths.join('\n'))
        io.result({ run: folder, checkpoint: run.checkpoint, notFinite: test.notFinite, files: paths })
        return allFinite(`report ${folder}`, 'test examples', test.count, test.notFinite)
      }),
    ),
  )

/** Registers the command. */
export const reportCommand = (program: Command): Command =>
  withDataOptions(program.command('report').argument('<run>', 'the folder of a run'))
    .description('one page with all that is known of a run, its curves, and an event file for TensorBoard')
    .addHelpText('after', examples('report runs/mnist'))
    .action((folder: string, flags: RunFlags, command: Command) =>
      perform((io) => reportRun(folder, flags, io), command.optsWithGlobals<GlobalFlags>()),
    )
