/**
 * Everything before the first step: configuration, data, model, engine and the folder of the run.
 *
 * @module
 */
import { describeEngine, useEngine } from '../../backends/engine.js'
import type { Workers } from '../../backends/tensorflow/workers.js'
import { orThrow } from '../../error.js'
import { countParams } from '../../tensor/params.js'
import { restore } from '../../train/restore.js'
import type { TrainState } from '../../train/state.js'
import { addAbout } from '../run/about.js'
import { dataTitle, type RunConfig } from '../run/config.js'
import { configure, dataConfig, hasSameContents, resumeConfig, sharingOf } from '../run/config-flags.js'
import { loadRunData } from '../run/data.js'
import type { DataSet } from '../run/examples.js'
import { filesIn, type Loaded, readConfig, takeUp, warningsOf, writeJson } from '../run/folder.js'
import { requireMemory, trainingBytes } from '../run/memory.js'
import { noMetrics, openMetrics } from '../run/metrics.js'
import { modelOf } from '../run/model.js'
import type { Io } from '../terminal/console.js'
import { type Budget, budgetOf } from './budget.js'
import { isChief, sameConfig, sharedCheckpoint } from './cluster.js'
import { warnOf } from './data-warnings.js'
import type { TrainFlags } from './flags.js'
import { begin, type Training } from './training-loop.js'

/** A run, new or resumed, that is ready for its next step. */
export interface Prepared {
  readonly training: Omit<Training, 'lock'>
  readonly start: TrainState
  readonly budget: Budget
}

/** What is known of the data's files, in one line. */
const verifiedOf = ({ contents, summary }: DataSet, { recipe: { limit } }: RunConfig): string | undefined => {
  const limited = limit === undefined ? '' : `; trained on ${limit.toLocaleString('en')} of them`
  return contents === undefined ? undefined : `${summary}${limited}`
}

/** Warns where `--config` does not lead to the same run, because its data have changed. */
const warnOfOtherData = (base: RunConfig | undefined, config: RunConfig, flags: TrainFlags, { warn }: Io): void => {
  // with another validation set, the parts have other sizes anyway
  const isComparable = config.data.name === base?.data.name && config.recipe.validation === base.recipe.validation
  if (isComparable && !hasSameContents(base.contents, config.contents))
    warn(`data: not those of ${flags.config}, so this is another run`)
}

/**
 * Prepares the run that flags ask for.
 *
 * @throws DiffeoException if the flags, the data or the model do not fit, or the folder cannot be written
 */
export const prepare = async (
  name: string,
  flags: TrainFlags,
  out: string,
  loaded: Loaded | undefined,
  workers: Workers | undefined,
  io: Io,
): Promise<Prepared> => {
  const writes = isChief(workers)
  const files = filesIn(out)
  const saved = await sharedCheckpoint(workers, loaded)
  const base = flags.config === undefined ? saved?.config : await readConfig(flags.config)
  const data = dataConfig(name, flags, base?.data)
  const set = await loadRunData(data, sharingOf(flags, base))
  const asked = configure(data, set, flags, base)
  const config = saved === undefined ? asked : resumeConfig(saved.config, asked)
  if (saved === undefined) warnOfOtherData(base, config, flags, io)
  await sameConfig(workers, config)
  const budget = budgetOf(flags, config, out, saved?.step ?? 0)
  const examples = set.examples(config.recipe, config.given)
  const model = await modelOf(config, flags.model)
  const { spec } = model.flow
  requireMemory('train', spec, trainingBytes(spec, model.optimiser))
  const engine = workers === undefined ? orThrow(await useEngine(flags.engine, flags)()) : workers.engine
  if (saved === undefined && writes) {
    for (const warning of set.warnings ?? []) io.warn(`data: ${warning}`)
    await warnOf(config, examples, io)
  }
  const start =
    saved === undefined
      ? await begin(model, examples, config.recipe.seed)
      : orThrow(restore(model.flow, model.optimiser)(saved))
  if (loaded !== undefined) await takeUp(out, loaded)
  const metrics = writes ? await openMetrics(files.metrics, start.step) : noMetrics
  const verified = verifiedOf(set, config)
  if (writes) {
    await writeJson(files.config, config)
    await addAbout(files.about, describeEngine(engine), verified)
  }
  const { seed, batch } = config.recipe
  const size = countParams(spec).toLocaleString('en')
  io.say([describeEngine(engine), ...(verified === undefined ? [] : [verified])].join('\n'))
  io.say(`${config.model.name} of ${size} parameters on ${dataTitle(config)}, seed ${seed}, batch ${batch}`)
  if (saved !== undefined) io.say(`from ${saved.path}, step ${saved.step}`)
  if (writes) io.say(`configuration, which repeats the run with --config: ${files.config}`)
  if (loaded !== undefined) warningsOf(loaded).forEach(io.warn)
  return { training: { out, config, model, engine, examples, metrics, best: saved?.best, workers }, start, budget }
}
