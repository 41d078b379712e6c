/**
 * `diffeo report <run>`: one self-contained page about a run, its plots as SVG and PNG files, and its metrics as an
 * event file for TensorBoard.
 *
 * @module
 */
import { join } from 'node:path'
import type { Command } from 'commander'
import { describeEngine } from '../../backends/engine.js'
import { orThrow } from '../../error.js'
import { writeFileAtomic } from '../../file.js'
import { eventHeader, eventRecord } from '../../report/events.js'
import { type Figure, html, type Section } from '../../report/page.js'
import { histogram, type Plot, svgToPng, toSvg } from '../../report/plot.js'
import { countParams } from '../../tensor/params.js'
import { show } from '../../tensor/shape.js'
import { requireFinite } from '../evaluation/finite-results.js'
import {
  curves,
  drawn,
  imageSections,
  latentFigures,
  type Pending,
  planePlot,
  progressOf,
  section,
} from '../evaluation/report-sections.js'
import { tableSections } from '../evaluation/table-sections.js'
import { type Evaluated, measure } from '../evaluation/test-results.js'
import { examples, withDataOptions } from '../flags.js'
import { type About, readAbout } from '../run/about.js'
import { dataTitle } from '../run/config.js'
import { type Examples, unitOf } from '../run/examples.js'
import { filesIn } from '../run/folder.js'
import { type Metric, readMetrics } from '../run/metrics.js'
import { examplesOf, type OpenRun, type RunFlags, withRun } from '../run/open-run.js'
import { type GlobalFlags, type Io, type Outcome, perform, warnIfFails } from '../terminal/console.js'
import { counted } from '../terminal/progress.js'

// -------------------------------------------------------------------------------------
// files
// -------------------------------------------------------------------------------------

/** The metrics as an event file of TensorBoard. */
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

/** The duration of the steps, up to the last one that has a line. */
const minutesOf = (metrics: readonly Metric[], step: number): string => {
  const last = metrics.findLast((m) => m.step <= step)
  return last === undefined
    ? ''
    : `, ${(last.time / 60).toFixed(1)} minutes${last.step === step ? '' : ` up to step ${last.step}`}`
}

const text = (content: string): Uint8Array => new TextEncoder().encode(content)

type Files = readonly (readonly [path: string, content: Uint8Array])[]

/** A plot as an SVG and a PNG file; without the optional package that draws PNGs, as an SVG only. */
const plotFiles = async (files: ReturnType<typeof filesIn>, name: string, plot: Plot, io: Io): Promise<Files> => {
  const svg = await toSvg(plot)
  const [svgPath, pngPath] = files.plots(name)
  const png = await warnIfFails(async () => orThrow(await svgToPng(svg)()), io)
  return [[svgPath, text(svg)], ...(png === undefined ? [] : [[pngPath, png] as const])]
}

/** The file of a figure that is also kept beside the page. */
const fileOf = (folder: string, { name, image }: Figure): Files =>
  name === undefined || typeof image === 'string' ? [] : [[join(folder, `${name}.png`), image]]

/** Draws the sections, with a line of progress. */
const drawing = ({ progress }: Io, parts: readonly Pending<Section>[]): Promise<readonly Section[]> =>
  counted(progress, { doing: 'drawing the report', total: parts.length, unit: 'sections' })(async (heard) => {
    const sections: Section[] = []
    for (const part of parts) heard(sections.push(await part()))
    return sections
  })

/** The table at the top of the page. */
const factsOf = (
  { config, flow, state, checkpoint, engine }: OpenRun,
  test: Evaluated,
  metrics: readonly Metric[],
  about: About,
): readonly (readonly [name: string, fact: string])[] => {
  const { name: unit } = unitOf(config)
  const parameters = countParams(flow.bijector.spec).toLocaleString('en')
  const seen = (state.step * config.recipe.batch).toLocaleString('en')
  return [
    ['test', `${test.mean.toFixed(4)} ${unit} on ${test.count} examples, worst ${test.worst.toFixed(3)}`],
    ...(test.floor === undefined ? [] : [['least possible', `${test.floor.toFixed(4)} ${unit}`] as const]),
    ['model', `${JSON.stringify(config.model)}, ${parameters} parameters`],
    ['shape', show(config.shape)],
    ['checkpoint', checkpoint],
    ['steps', `${state.step}, ${seen} examples${minutesOf(metrics, state.step)}`],
    ...about.slice(-1).flatMap(({ data }) => (data === undefined ? [] : [['data', data] as const])),
    ['seed', `${config.recipe.seed}`],
    ['recipe', JSON.stringify(config.recipe)],
    ...about.flatMap(({ command, engine, versions, began }) => [
      ['command', command] as const,
      ['', `${began}, ${engine}, ${versions}`] as const,
    ]),
    ['this page', describeEngine(engine)],
  ]
}

/** Writes the page of a run, its plots and its event file. Returns their paths. */
export const writeReport = async (
  folder: string,
  run: OpenRun,
  data: Examples,
  test: Evaluated,
  io: Io,
): Promise<readonly string[]> => {
  const files = filesIn(folder)
  const { config } = run
  const unit = unitOf(config).name
  const metrics = await readMetrics(files.metrics)
  const about = await readAbout(files.about)
  const progress = await progressOf(files.progress)
  const plots = curves(metrics, unit)
  const distribution = histogram({ title: `${test.count} test examples`, x: unit, values: test.each })
  const plane = config.shape.length === 3 || data.table !== undefined ? undefined : await planePlot(run, data)
  const sections = await drawing(io, [
    section('Learning', Object.values(plots).map(drawn(''))),
    ...(data.table !== undefined
      ? await tableSections(run, data.table, test)
      : plane === undefined
        ? imageSections(run, data, test)
        : [section('The plane', [drawn('density, samples, and the grid of z as the inverse bends it')(plane)])]),
    ...(progress.length === 0 ? [] : [async () => ({ title: 'Samples as it learned', figures: progress })]),
    section('−log p of each test example', [drawn('')(distribution)]),
    latentFigures(run, data),
  ])
  const pictures = [
    await plotFiles(files, 'curves', plots['curves']!, io),
    await plotFiles(files, 'histogram', distribution, io),
    ...(plane === undefined ? [] : [await plotFiles(files, 'plane', plane, io)]),
  ]
  const title = `${config.model.name} on ${dataTitle(config)}`
  const page = html({ title, facts: factsOf(run, test, metrics, about), sections })
  const began = Date.parse(about[0]?.began ?? '') / 1000 || 0
  const out: Files = [
    [files.report, text(page)],
    ...pictures.flat(),
    ...sections.flatMap(({ figures }) => figures.flatMap((figure) => fileOf(folder, figure))),
    ...(metrics.length === 0 ? [] : [[files.events, eventsOf(metrics, began)] as const]),
  ]
  for (const [path, content] of out) orThrow(await writeFileAtomic(path)(content)())
  return out.map(([path]) => path)
}

// -------------------------------------------------------------------------------------
// the command
// -------------------------------------------------------------------------------------

/** The whole command. */
export const reportRun = (folder: string, flags: RunFlags, io: Io): Promise<Outcome> =>
  withRun(folder, flags, io, async (run): Promise<Outcome> => {
    const data = await examplesOf(run, flags)
    const test = await measure(run, data, io, { folder })
    const paths = await writeReport(folder, run, data, test, io)
    io.say(paths.join('\n'))
    io.result({ run: folder, checkpoint: run.checkpoint, notFinite: test.notFinite, files: paths })
    requireFinite(`report ${folder}`, 'test examples', test.count, test.notFinite)
    return 'done'
  })

/** Registers the command. */
export const reportCommand = (program: Command): Command =>
  withDataOptions(program.command('report').argument('<run>', 'folder of a run'))
    .description('write a page about a run, with its curves, and an event file for TensorBoard')
    .addHelpText('after', examples('report runs/mnist'))
    .action((folder: string, flags: RunFlags, command: Command) =>
      perform((io) => reportRun(folder, flags, io), command.optsWithGlobals<GlobalFlags>()),
    )
