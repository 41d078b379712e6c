/**
 * Test figures of a run, in evaluation mode: the mean, the worst, and in `evaluation.json` that of every example.
 *
 * @module
 */
import { evaluate, type Gap, trainingGap } from '../../train/evaluate.js'
import { type Examples, unitOf } from '../run/examples.js'
import { filesIn, writeJson } from '../run/folder.js'
import { trainableOf } from '../run/given.js'
import type { OpenRun } from '../run/open-run.js'
import { type Io, warnIfFails } from '../terminal/console.js'
import { counted } from '../terminal/progress.js'
import { type Classification, classify } from './classes.js'
import { describeNotFinite } from './finite-results.js'

/** The contents of `evaluation.json`. */
export interface Evaluated {
  /** The file in the run's folder that was evaluated. */
  readonly checkpoint: string
  readonly step: number
  readonly unit: 'bits/dim' | 'nats'
  /** What the examples are. */
  readonly things: 'images' | 'points' | 'rows'
  readonly count: number
  readonly mean: number
  readonly worst: number
  /** The index of the worst example, from 0. */
  readonly worstIndex: number
  /** The number of test examples without a finite figure. */
  readonly notFinite: number
  /** The lowest possible mean, where it is known. */
  readonly floor?: number
  /** Means of held-out examples with the statistics of batches of this size, and in evaluation mode. */
  readonly batchStatistics: Gap & { readonly batch: number }
  /** The training examples of a run on a limited number, in evaluation mode. */
  readonly train?: { readonly count: number; readonly mean: number; readonly worst: number }
  /** Classes by Bayes' rule, of a run with `--given labels`. */
  readonly classes?: Classification
  readonly each: readonly number[]
}

/**
 * `test 1.427 bits/dim on 10000 images, worst 2.518; batch-statistics gap on held-out data: 0.0012 (batch size 200)`
 */
const describeEvaluation = ({
  mean,
  unit,
  things,
  count,
  worst,
  notFinite,
  floor,
  batchStatistics,
  train,
  classes,
}: Evaluated): string =>
  `test ${mean.toFixed(3)} ${unit} on ${count} ${things}, worst ${worst.toFixed(3)}${describeNotFinite(count, notFinite)}` +
  (floor === undefined ? '' : `; the floor is ${floor.toFixed(3)}`) +
  `; batch-statistics gap on held-out data: ${batchStatistics.gap.toFixed(4)} (batch size ${batchStatistics.batch})` +
  (train === undefined ? '' : `\n${train.mean.toFixed(3)} ${unit} on the ${train.count} training ${things}`) +
  (classes === undefined
    ? ''
    : `\nclasses by Bayes' rule: ${(100 * classes.accuracy).toFixed(1)} % right of ${classes.count} images; ` +
      `${classes.bitsPerDim.toFixed(3)} bits/dim without the class`)

/** The figures without those of every example. */
export const summaryOf = ({ each: _, ...summary }: Evaluated): Omit<Evaluated, 'each'> => summary

/**
 * Evaluates on all test examples, and writes the figures into the run's folder, if there is one. A class-conditional run
 * classifies the first `classified` of them, by default all: that takes as many passes as there are classes.
 */
export const measure = async (
  { flow: own, config, state: { step }, checkpoint, params }: OpenRun,
  data: Examples,
  io: Io,
  { folder, classified = Number.POSITIVE_INFINITY }: { readonly folder?: string; readonly classified?: number } = {},
): Promise<Evaluated> => {
  const { test, large, limited, floor } = data
  const flow = trainableOf(own)
  const unit = unitOf(config)
  const watched = (doing: string, total: number) => counted(io.progress, { doing, total, unit: unit.things })
  const bits = await watched('testing', test.count)((heard) => evaluate(flow, params, test, heard))
  const gap = await watched('batch-statistics gap', 2 * large.count)((heard) => trainingGap(flow, params, large, heard))
  const few =
    limited && (await watched('training examples', limited.count)((heard) => evaluate(flow, params, limited, heard)))
  const classes =
    'given' in own && data.labels !== undefined
      ? await watched(
          'classifying',
          Math.min(classified, bits.count),
        )((heard) => classify(own, params, data, classified, heard))
      : undefined
  const evaluated: Evaluated = {
    checkpoint,
    step,
    unit: unit.name,
    things: unit.things,
    count: bits.count,
    mean: unit.of(bits.mean),
    worst: unit.of(bits.worst),
    worstIndex: bits.each.findIndex((bit) => Object.is(bit, bits.worst)),
    notFinite: bits.notFinite,
    ...(floor === undefined ? {} : { floor: floor() }),
    batchStatistics: {
      batch: large.size,
      count: gap.count,
      training: unit.of(gap.training),
      evaluation: unit.of(gap.evaluation),
      gap: unit.of(gap.gap),
      notFinite: gap.notFinite,
    },
    ...(few === undefined ? {} : { train: { count: few.count, mean: unit.of(few.mean), worst: unit.of(few.worst) } }),
    ...(classes && { classes }),
    each: Array.from(bits.each, unit.of),
  }
  io.say(describeEvaluation(evaluated))
  // a folder that cannot be written does not cost the printed figures
  if (folder !== undefined) await warnIfFails(() => writeJson(filesIn(folder).evaluation, evaluated), io)
  return evaluated
}
