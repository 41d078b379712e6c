/**
 * The page of results, from the files in the folders of runs.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** @typedef {import('./rows.mjs').Row} Row */

const json = (/** @type {string} */ path) => JSON.parse(readFileSync(path, 'utf8'))
const line = (/** @type {readonly string[]} */ cells) => `| ${cells.join(' | ')} |`
const table = (/** @type {readonly string[]} */ head, /** @type {readonly (readonly string[])[]} */ rows) =>
  [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')

/** Goals of every run: the greatest batch-statistics gap in bits/dim, and the greatest ratio of one image to the mean. */
const GAP = 0.02
const WORST = 3

/**
 * The figures of a run, from its folder; `evaluation` is undefined if the run ended before it.
 *
 * @param {string} folder
 */
export const recordOf = (folder) => {
  const file = (/** @type {string} */ name) => join(folder, name)
  if (!existsSync(file('config.json')) || !existsSync(file('about.json'))) return undefined
  const read = (/** @type {string} */ name) => (existsSync(file(name)) ? json(file(name)) : undefined)
  const { command, engine, versions, began } = json(file('about.json')).at(-1)
  const { each: _, ...evaluation } = read('evaluation.json') ?? {}
  const lines = existsSync(file('metrics.jsonl')) ? readFileSync(file('metrics.jsonl'), 'utf8').trim() : ''
  const metrics = lines === '' ? [] : lines.split('\n').map((text) => JSON.parse(text))
  return {
    command: command.replaceAll(/ --(out|data) ('[^']*'|\S+)/g, ''),
    engine,
    versions,
    began: began.slice(0, 10),
    steps: metrics.at(-1)?.step ?? 0,
    asked: json(file('config.json')).recipe.steps,
    minutes: (metrics.at(-1)?.time ?? 0) / 60,
    evaluation: 'mean' in evaluation ? evaluation : undefined,
    equal: read('equal.json'),
    validation: metrics.flatMap(({ step, validation }) => (validation === undefined ? [] : [[step, validation]])),
  }
}

/** @typedef {Row & NonNullable<ReturnType<typeof recordOf>>} Run */

/**
 * The rows with their figures: from the folder of the run if there is one, else from the record of an earlier page.
 *
 * @param {string} out
 * @param {readonly Row[]} rows
 * @param {readonly Omit<Run, 'title' | 'goal' | 'remark'>[]} kept
 * @returns {readonly Run[]}
 * @throws Error if a record is from a version that did not count the examples of the gap
 */
export const runsIn = (out, rows, kept) =>
  rows.flatMap((row) => {
    const record = recordOf(join(out, row.name)) ?? kept.find(({ name }) => name === row.name)
    if (record?.evaluation !== undefined && typeof record.evaluation.batchStatistics?.count !== 'number')
      throw new Error(
        `${row.name}: expected a record with batchStatistics.count, got one of an earlier version; ` +
          `run the row again: npm run reproduce -- --rows ${row.name} --fresh`,
      )
    return record === undefined ? [] : [{ ...record, ...row, command: record.command }]
  })

/** @returns the records without the fields of `rows.mjs` */
export const recordsOf = (/** @type {readonly Run[]} */ runs) =>
  runs.map(({ title: _, goal: __, remark: ___, ...record }) => record)

const commandOf = (/** @type {Run} */ { command }) => `\`npx ${command}\``
const minutesOf = (/** @type {Run} */ { minutes }) => `${minutes.toFixed(1)} min`

/** A difference with its sign. */
const signed = (/** @type {number} */ x, /** @type {number} */ digits) =>
  `${x < 0 ? '−' : '+'}${Math.abs(x).toFixed(digits)}`

const gapText = (/** @type {Run} */ { evaluation: { batchStatistics } }) =>
  `${signed(batchStatistics.gap, 4)} (${batchStatistics.batch})`
/** `onnxruntime 1.30.0`; the end of the page has its options. */
const engineOf = (/** @type {Run} */ { engine }) => engine.replace(/^engine /, '').split(',')[0] ?? ''
const worstText = (/** @type {Run} */ { evaluation: { worst, mean, unit } }) =>
  unit === 'nats' ? worst.toFixed(2) : `${worst.toFixed(2)} (${(worst / mean).toFixed(2)} × mean)`

const missed = (/** @type {readonly Run[]} */ runs) => {
  const names = (/** @type {readonly Run[]} */ listed) => listed.map(({ title }) => title).join(', ') || 'none'
  const images = runs.filter(({ evaluation }) => evaluation.unit !== 'nats')
  const apart = images.filter(({ evaluation: { batchStatistics } }) => Math.abs(batchStatistics.gap) > GAP)
  const far = images.filter(({ evaluation: { worst, mean } }) => worst > WORST * mean)
  return (
    `Runs of images with a gap above ${GAP} bits/dim: ${names(apart)}. Runs with an image above ${WORST} times the ` +
    `mean: ${names(far)}.`
  )
}

/** The test figure; for a run on a few images, also how far their mean is below that of the test images. */
const testText = (/** @type {Run} */ { evaluation: { mean, unit, floor, train, count } }) =>
  train === undefined
    ? `${mean.toFixed(3)} ${unit} of ${count}${floor === undefined ? '' : ` (floor ${floor.toFixed(3)}, ${signed(mean - floor, 3)})`}`
    : `${train.mean.toFixed(3)} ${unit} of these ${train.count}, ${mean.toFixed(3)} of ${count} test images: ${(mean - train.mean).toFixed(3)} below`

const peerText = (/** @type {Run} */ { name, title, evaluation, equal }) => {
  // an old comparison does not apply to a run that was resumed since
  if (equal === undefined || equal.steps !== evaluation.step) return []
  const { peer, steps, count, ours, pytorch, difference, ms } = equal
  return [
    `${title}, the same model trained by PyTorch (${peer}) on the same batches for ${steps} steps: ${pytorch.toFixed(3)} bits/dim on ` +
      `${count} images, ours ${ours.toFixed(3)}, difference ${difference.toFixed(4)}; a step takes PyTorch ${ms.pytorch.toFixed(0)} ms, ours ` +
      `${ms.ours.toFixed(0)} ms, in turns (\`node bench/equal.mjs runs/reproduce/${name}\`).\n\n`,
  ]
}

const remarkText = (/** @type {Run} */ { title, remark }) => (remark === undefined ? [] : [`${title}: ${remark}\n\n`])

const resultsSection = (/** @type {readonly Run[]} */ runs) => {
  const done = runs.filter(({ evaluation }) => evaluation !== undefined)
  const rows = done.map((run) => [
    run.title,
    testText(run),
    run.goal,
    worstText(run),
    gapText(run),
    `${run.evaluation.step} of ${run.asked} in ${minutesOf(run)}`,
    engineOf(run),
    commandOf(run),
  ])
  return `${table(['', 'test', 'goal', 'worst', 'gap', 'steps', 'engine', 'command'], rows)}\n\n${missed(done)}\n\n${done.flatMap(peerText).join('')}${done.flatMap(remarkText).join('')}`
}

const ablationsSection = (/** @type {readonly Run[]} */ runs, /** @type {string} */ picture) => {
  const [baseline] = runs
  if (baseline === undefined) return ''
  const rows = runs.map((run) => {
    const { title, evaluation, steps } = run
    if (evaluation === undefined)
      return [title, `none: it ended at step ${steps}`, '', '', '', '', engineOf(run), commandOf(run)]
    const change = baseline.evaluation === undefined ? Number.NaN : evaluation.mean - baseline.evaluation.mean
    const cells = [evaluation.mean.toFixed(3), run === baseline ? '' : signed(change, 3)]
    return [title, ...cells, worstText(run), gapText(run), minutesOf(run), engineOf(run), commandOf(run)]
  })
  return `## Ablations

One change at a time, ${baseline.asked} steps each, one seed: a difference of 0.01 may be chance. The test figures are in
bits/dim.

${table(['', 'test', 'change', 'worst', 'gap', 'time', 'engine', 'command'], rows)}

![Validation bits/dim over the steps, a panel for each change, the baseline dashed in each](${picture})

`
}

/**
 * The whole page.
 *
 * @param {readonly Run[]} results
 * @param {readonly Run[]} ablations
 * @param {string} picture path of the figure of the ablations, relative to the page
 * @param {string} pictures the section of pictures
 */
export const pageOf = (results, ablations, picture, pictures) => {
  const machines = new Set(
    [...results, ...ablations].map(({ engine, versions, began }) => `${engine}; ${versions}; ${began}`),
  )
  return `# Results

Test figures are means over all available test examples, in evaluation mode, with the averaged parameters; the worst
single example is given too. The batch-statistics gap is the mean over held-out examples with the statistics of
their batches, minus the mean in evaluation mode, for the same parameters; if it is positive, evaluation is better. The
brackets hold the size of these batches: the noise of their statistics adds to the gap in proportion to one over that
size. A budget in minutes alone becomes a number of steps at the end of the warm-up. If a time limit ended a run before
its last step, its learning rate had not finished decaying.

\`npm run reproduce\` writes this page from the folders of the runs, and keeps their figures in
[results.json](results.json), so that one row can be run again.

${resultsSection(results)}${pictures}${ablationsSection(ablations, picture)}${[...machines].join('\n')}
`
}

/** Validation figures by step. */
export const curvesOf = (/** @type {readonly Run[]} */ runs) =>
  runs.map(({ title, validation }) => ({ name: title, points: validation }))
