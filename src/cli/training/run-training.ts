/**
 * A training from its first step to its end: learn, save, then evaluate or say how to resume.
 *
 * @module
 */
import { DiffeoException } from '../../error.js'
import { EARLIER } from '../../train/not-finite.js'
import { disposeState } from '../../train/state.js'
import { filesIn, writeJson } from '../run/folder.js'
import { type Io, type Outcome, warnIfFails } from '../terminal/console.js'
import { onwards, wayBack } from './budget.js'
import { saveLast } from './checkpoint-writer.js'
import { isChief } from './cluster.js'
import { finish } from './final-results.js'
import type { TrainFlags } from './flags.js'
import type { Prepared } from './prepare.js'
import { type Learned, learn, snapshot, type Training } from './training-loop.js'

/** What the chief does after the last step. */
const endAsChief = async (
  training: Training,
  { end, config, best, savedBest, interrupted }: Learned,
  flags: TrainFlags,
  resumeWith: string,
  release: () => void,
  io: Io,
): Promise<Outcome> => {
  const { step } = end.state
  await saveLast(training, snapshot(training, config, end.state, best), savedBest)
  // the checkpoint holds the configuration too
  await warnIfFails(() => writeJson(filesIn(training.out).config, config), io)
  release()
  if (end.error?.fix?.endsWith(EARLIER)) {
    const fix = end.error.fix.replace(EARLIER, wayBack(flags, config, training.out, resumeWith))
    throw new DiffeoException({ ...end.error, fix })
  }
  const { note, more } = onwards(flags, config, step)
  const resume = `${resumeWith}${more}`
  io.say(`step ${step} is saved${note}; resume with: ${resume}`)
  if (end.error !== undefined) throw new DiffeoException(end.error)
  if (!interrupted) {
    await finish({ ...training, config }, end.state, flags.report, io)
    return 'done'
  }
  io.result({ run: training.out, step, config, resume })
  return 'stopped'
}

/** What the other workers do after the last step: the chief has saved the run. */
const endAsWorker = (
  { workers }: Training,
  { end, config, interrupted }: Learned,
  release: () => void,
  io: Io,
): Outcome => {
  const { step } = end.state
  release()
  if (end.error !== undefined) throw new DiffeoException(end.error)
  io.say(`step ${step} is saved by worker 0`)
  io.result({ worker: workers?.index, step, config })
  return interrupted ? 'stopped' : 'done'
}

/**
 * Trains a prepared run to its end.
 *
 * @param resumeWith the command line that resumes it
 * @throws DiffeoException if the training fails or the run cannot be saved
 */
export const runTraining = async (
  training: Training,
  { start, budget }: Pick<Prepared, 'start' | 'budget'>,
  flags: TrainFlags,
  resumeWith: string,
  io: Io,
): Promise<Outcome> => {
  const release = io.hold()
  const writes = isChief(training.workers)
  const { config, best } = training
  // before the first step, so that a folder that cannot be written costs no training
  if (writes) await saveLast(training, snapshot(training, config, start, best), { figures: best, unwritten: undefined })
  const learned = await learn(training, start, budget, io)
  try {
    return writes
      ? await endAsChief(training, learned, flags, resumeWith, release, io)
      : endAsWorker(training, learned, release, io)
  } finally {
    disposeState(learned.end.state)
    if (learned.savedBest.unwritten !== undefined) disposeState(learned.savedBest.unwritten.state)
  }
}
