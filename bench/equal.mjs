// @ts-check
/**
 * Repeats the training of a run in PyTorch and compares the results: `node bench/equal.mjs runs/cifar10`.
 *
 * The library computes the initial parameters, the batches (dequantised, flipped) and the learning rates from the run's
 * configuration, as `diffeo train` does, and passes them to PyTorch step by step. Both sides take the first steps, in
 * turns; this gives the differences of their losses and the time of a step. Later steps of PyTorch are compared with the
 * run's metrics. Both sides are then tested in evaluation mode, with averaged parameters, on the same dequantised
 * images. PyTorch also tests the run's parameters, which separates differences in training from those in testing. The
 * script writes `equal.json` into the run's folder.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { scheduleOf } from '../dist/src/cli/run/config.js'
import { keysOf } from '../dist/src/cli/run/examples.js'
import { filesIn, writeJson } from '../dist/src/cli/run/folder.js'
import { readMetrics } from '../dist/src/cli/run/metrics.js'
import { examplesOf, withRun } from '../dist/src/cli/run/open-run.js'
import { fail, perform } from '../dist/src/cli/terminal/console.js'
import { clock } from '../dist/src/cli/terminal/progress.js'
import { ahead } from '../dist/src/train/ahead.js'
import { diffeo } from './diffeo.mjs'
import { flagsFrom } from './flags.mjs'
import { median, peersOf, startSides } from './sides.mjs'

/**
 * @typedef {import('../dist/src/cli/run/open-run.js').OpenRun} OpenRun
 * @typedef {import('../dist/src/cli/run/examples.js').Examples} Examples
 * @typedef {import('../dist/src/cli/terminal/console.js').Io} Io
 * @typedef {{ child: any, title: string }} Peer
 * @typedef {{ step: number, ours: number, pytorch: number }} Pair bits/dim
 */

const { values: flags, positionals } = flagsFrom({
  allowPositionals: true,
  options: {
    data: { type: 'string' },
    engine: { type: 'string', default: 'auto' },
    /** The fastest of PyTorch in float32, see README.md. */
    variant: { type: 'string', default: 'channels_last' },
  },
})
/** How many steps both sides take, and how many of these are not timed because they compile. */
const [TOGETHER, COMPILING] = [20, 3]
/** Number of steps between lines. */
const REPORT_EVERY = 100

/** @param {string} operation @param {string} expected @param {string} got @param {string} [fix] @returns {never} */
const refuse = (operation, expected, got, fix) =>
  diffeo.orThrow(/** @type {any} */ ({ _tag: 'Left', left: diffeo.usageError(operation, expected, got, fix) }))

/** Sends a request to the peer. @param {Peer} peer @param {object} message @param {Uint8Array} [bytes] */
const request = async ({ child, title }, message, bytes) => {
  const response = await child.request(message, bytes)
  return response.error === undefined ? response : refuse(title, 'a result', response.error)
}

/** Sends a batch and runs work on it. @param {Peer} peer @param {any} x @param {string} work @param {number} [rate] */
const runOn = async (peer, x, work, rate) => {
  const data = await diffeo.toArray(x)
  await request(
    peer,
    { cmd: 'feed', shape: diffeo.sizes(x), rate },
    new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
  )
  return request(peer, { cmd: 'run', work, repeat: 1 })
}

/** Writes parameters in the format that peers read. @param {string} file @param {import('../dist/src/entry/tensor.js').Params} params @param {any} x */
const writeParams = async (file, params, x) => {
  /** @type {[string, any][]} */
  const named = [
    ...diffeo.leaves(params).map(([path, t]) => /** @type {[string, any]} */ ([`params/${path}`, t])),
    ['x', x],
  ]
  const tensors = new Map()
  for (const [name, t] of named) tensors.set(name, { shape: diffeo.sizes(t), data: await diffeo.toArray(t) })
  writeFileSync(file, diffeo.orThrow(diffeo.encodeSafetensors({ metadata: {}, tensors })))
}

const mean = (/** @type {readonly number[]} */ all) => all.reduce((a, b) => a + b, 0) / all.length

/** Runs work on the test images, batch by batch. @param {Peer} peer @param {Examples} examples @param {string} work */
const testWith = async (peer, { test }, work) => {
  /** @type {{ n: number, result: any }[]} */
  const results = []
  for await (const x of ahead((n) => `batch ${n}`, test.at, 0, test.count))
    results.push({ n: diffeo.sizes(x)[0] ?? 0, result: await runOn(peer, x, work) })
  return results
}

/** @param {Pair} pair */
const describe = ({ step, ours, pytorch }) =>
  `  step ${step}: ours ${ours.toFixed(5)}, PyTorch ${pytorch.toFixed(5)}, difference ${Math.abs(ours - pytorch).toExponential(1)}`

/**
 * Trains with both sides for the first steps, then with PyTorch alone, and compares with the means of ten in the metrics.
 * @param {OpenRun} run @param {Examples} examples @param {Peer} peer @param {import('../dist/src/entry/train.js').TrainState} start @param {Io} io
 */
const trainBoth = async ({ flow, optimiser, config, state }, examples, peer, start, io) => {
  const { clip, l2 } = config.recipe
  const rate = scheduleOf(config.recipe)
  const lines = await readMetrics(filesIn(folder).metrics)
  const logged = new Map(lines.flatMap((line) => ('train' in line ? [[line.step, line]] : [])))
  const deviating = [...logged.values()].find(({ step, learningRate }) => learningRate !== rate(step - 1))
  if (deviating !== undefined)
    refuse(folder, 'the learning rates of its configuration', `another at step ${deviating.step}`, 'train it again')
  const next = diffeo.trainStep(flow, { optimiser, learningRate: rate, clip, l2 })
  const [first, later] = [/** @type {Pair[]} */ ([]), /** @type {Pair[]} */ ([])]
  const times = { ours: /** @type {number[]} */ ([]), pytorch: /** @type {number[]} */ ([]) }
  /** @type {number[]} */
  const losses = []
  let ours = diffeo.copyState(start)
  let began = performance.now()
  const line = io.progress('{bar} step {value} of {total} by PyTorch · {left} left', state.step, { left: '…' })
  io.say('bits/dim of the first steps')
  for await (const x of ahead((n) => `step ${n + 1}`, examples.batch, 0, state.step)) {
    const { bitsPerDim, ms } = await runOn(peer, x, 'step', rate(losses.length))
    const step = losses.push(bitsPerDim)
    times.pytorch.push(ms[0])
    if (!Number.isFinite(bitsPerDim)) refuse(peer.title, 'a finite loss', `${bitsPerDim} at step ${step}`)
    if (step <= TOGETHER) {
      const from = performance.now()
      const [after, metrics] = await next(ours, x)
      times.ours.push(performance.now() - from)
      diffeo.disposeState(ours)
      ours = after
      first.push({ step, ours: metrics.bitsPerDim, pytorch: bitsPerDim })
      io.say(describe(/** @type {Pair} */ (first.at(-1))))
      began = performance.now()
    }
    const entry = logged.get(step)
    if (step % REPORT_EVERY === 0 && entry !== undefined) {
      later.push({ step, ours: entry.train, pytorch: mean(losses.slice(-10)) })
      io.say(`${describe(/** @type {Pair} */ (later.at(-1)))} (means of ten)`)
    }
    const perStep = (performance.now() - began) / 1000 / Math.max(1, step - TOGETHER)
    line.update(step, { left: clock(perStep * (state.step - step)) })
  }
  line.stop()
  diffeo.disposeState(ours)
  await next.dispose()
  const ofStep = (/** @type {number[]} */ all) => median(all.slice(COMPILING, TOGETHER))
  return { first, later, ms: { ours: ofStep(times.ours), pytorch: ofStep(times.pytorch) } }
}

/** @param {OpenRun} run @param {Examples} examples @param {Io} io */
const compare = async (run, examples, io) => {
  const { flow, optimiser, config, state, params } = run
  if (config.model.name !== 'realnvp') refuse(folder, 'a run of realnvp', config.model.name)
  const [side] = peersOf(flags.variant)
  if (side === undefined) refuse('peers', 'PyTorch', 'none', 'bash bench/peers/setup.sh')
  const temporary = mkdtempSync(join(tmpdir(), 'diffeo-equal-'))
  try {
    const file = join(temporary, 'parameters.safetensors')
    const row = {
      kind: 'image',
      norm: 'batch',
      path: 'actNorm',
      shape: config.shape,
      ...config.model,
      recipe: config.recipe,
    }
    const startPeer = async (/** @type {import('../dist/src/entry/tensor.js').Params} */ of, /** @type {any} */ x) => {
      await writeParams(file, of, x)
      const [started] = await startSides([], [flags.variant], row, file)
      return started ?? refuse(flags.variant, 'a peer that loads the parameters', 'none')
    }
    const x = await examples.batch(0)
    const start = await diffeo.startTraining(flow, optimiser, keysOf(config.recipe.seed).init, x)
    const peer = await startPeer(start.params, x)
    io.say(peer.title)
    const training = await trainBoth(run, examples, peer, start, io)
    diffeo.disposeState(start)
    const each = (await testWith(peer, examples, 'evaluate')).flatMap(({ result }) => result.each)
    peer.child.end()
    const evaluator = await startPeer(params, x)
    diffeo.unwrap(/** @type {any} */ (x)).dispose()
    const nats = await testWith(evaluator, examples, 'density')
    evaluator.child.end()
    const ours = await diffeo.evaluate(flow, params, examples.test)
    const total = nats.reduce((sum, { n, result }) => sum + n * result.mean, 0)
    const found = {
      peer: peer.title,
      steps: state.step,
      count: ours.count,
      ours: ours.mean,
      pytorch: mean(each),
      difference: Math.abs(ours.mean - mean(each)),
      worst: { ours: ours.worst, pytorch: Math.max(...each) },
      /** The run's parameters, tested by PyTorch. */
      oursByPytorch: -total / (ours.count * config.shape.reduce((a, b) => a * b, 1) * Math.LN2),
      ...training,
    }
    io.say(
      `test on ${found.count} images after ${found.steps} steps: ours ${found.ours.toFixed(4)} bits/dim, PyTorch ` +
        `${found.pytorch.toFixed(4)}, difference ${found.difference.toFixed(4)}\n` +
        `our parameters, tested by PyTorch: ${found.oursByPytorch.toFixed(4)}\n` +
        `time of a step: ours ${found.ms.ours.toFixed(0)} ms, PyTorch ${found.ms.pytorch.toFixed(0)} ms`,
    )
    const path = join(folder, 'equal.json')
    await writeJson(path, found)
    io.say(path)
  } finally {
    rmSync(temporary, { recursive: true })
  }
  return /** @type {const} */ ('done')
}

const [folder = ''] = positionals
if (folder === '') {
  console.error('expected the folder of a run, got none: node bench/equal.mjs runs/cifar10')
  process.exit(1)
}
const runFlags = {
  engine: /** @type {import('../dist/src/entry/engine.js').EngineName | 'auto'} */ (flags.engine),
  ...(flags.data === undefined ? {} : { data: flags.data }),
}
const globalFlags = { color: true }
try {
  await perform(
    (io) => withRun(folder, runFlags, io, async (run) => compare(run, await examplesOf(run, runFlags), io)),
    globalFlags,
  )
} catch (thrown) {
  fail(diffeo.asError(thrown), globalFlags)
}
// after an error, do not wait for a peer that still runs
process.exit()
