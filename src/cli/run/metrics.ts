/**
 * `metrics.jsonl`: how a run went, one JSON object a line, in the order of its steps. A line that was torn by a full disk
 * or a power cut is no line. A run that goes on from step n first takes out what lies after n.
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
  /** Seconds of training so far, all parts of the run together. */
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

/** Where lines are added. */
export interface MetricsFile {
  /** Seconds of training that the file tells of. */
  readonly time: number
  readonly add: (metric: Metric) => Promise<void>
}

/** Keeps nothing: of a worker that is not the chief. */
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
