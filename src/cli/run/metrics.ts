/**
 * `metrics.jsonl`: the course of a run, one JSON object per line, in the order of its steps. A line that was cut by a
 * full disk or a power cut is skipped. A run that resumes from step n first removes the lines after n.
 *
 * @module
 */
import { appendFile } from 'node:fs/promises'
import * as E from 'fp-ts/lib/Either.js'
import { pipe } from 'fp-ts/lib/function.js'
import * as J from 'fp-ts/lib/Json.js'
import * as t from 'io-ts'
import { natural } from '../../codec.js'
import { DiffeoException, orThrow } from '../../error.js'
import { fileFailure, readTextIfAny, writeFileAtomic } from '../../file.js'

const common = {
  step: natural('a step'),
  /** Seconds of training so far, over all parts of the run. */
  time: t.number,
  /** Examples seen so far. */
  images: natural('a number of images'),
  unit: t.keyof({ 'bits/dim': null, nats: null }),
}

/** A mean over the steps since the last such line, or a validation in evaluation mode. */
export const Metric = t.union([
  t.type({
    ...common,
    train: t.number,
    gradientNorm: t.number,
    learningRate: t.number,
    imagesPerSecond: t.number,
  }),
  t.type({ ...common, validation: t.number, worst: t.number, best: t.boolean }),
])
export type Metric = Readonly<t.TypeOf<typeof Metric>>

const parse = (line: string): readonly Metric[] =>
  pipe(
    J.parse(line),
    E.flatMap((u) => E.mapLeft(() => u)(Metric.decode(u))),
    E.match(
      () => [],
      (metric) => [metric],
    ),
  )

/** The lines of ten million steps. */
const LARGEST = 2 ** 28

/**
 * The lines of a file; none if there is no file.
 *
 * @throws DiffeoException with a file error, if the file cannot be read
 */
export const readMetrics = async (path: string): Promise<readonly Metric[]> =>
  orThrow(await readTextIfAny(path, LARGEST)())
    .split('\n')
    .flatMap(parse)

/** The open file of a run. */
export interface MetricsFile {
  /** Seconds of training up to its last line. */
  readonly time: number
  readonly add: (metric: Metric) => Promise<void>
}

/** The file of a worker other than the chief, which keeps nothing. */
export const noMetrics: MetricsFile = { time: 0, add: async () => undefined }

/**
 * Opens the file of a run that is at a step.
 *
 * @throws DiffeoException with a file error, if the file cannot be read or written
 */
export const openMetrics = async (path: string, step: number): Promise<MetricsFile> => {
  const kept = (await readMetrics(path)).filter((line) => line.step <= step)
  orThrow(await writeFileAtomic(path)(Buffer.from(kept.map((line) => `${JSON.stringify(line)}\n`).join('')))())
  let torn = false
  return {
    time: kept.at(-1)?.time ?? 0,
    add: async (metric) => {
      try {
        await appendFile(path, `${torn ? '\n' : ''}${JSON.stringify(metric)}\n`)
        torn = false
      } catch (thrown) {
        torn = true
        throw new DiffeoException(fileFailure('write', path)(thrown))
      }
    },
  }
}
