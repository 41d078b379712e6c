// @ts-check
/**
 * Measures training on several workers: the time of a step of a row that they share, and the time of an all-reduce of as
 * many numbers as the row has parameters. All workers run on this machine and use the loopback.
 *
 *     npm run build && node bench/workers.mjs --row small --workers 2 --steps 10
 */
import { spawn } from 'node:child_process'
import * as tf from '@tensorflow/tfjs-core'
import { joinWorkers } from '../dist/src/backends/tensorflow/workers.js'
import { jit } from '../dist/src/jit.js'
import { diffeo } from './diffeo.mjs'
import { flagsFrom } from './flags.mjs'
import { dataOf, describeRow, flowOf, rowNamed } from './rows.mjs'

const { values: flags } = flagsFrom({
  options: {
    row: { type: 'string', default: 'small' },
    workers: { type: 'string', default: '2' },
    steps: { type: 'string', default: '10' },
    port: { type: 'string', default: '23400' },
    index: { type: 'string', default: '0' },
  },
})
const row = rowNamed('--row', flags.row)
const [index, count, port] = [flags.index, flags.workers, flags.port].map(Number)
const addresses = Array.from({ length: count ?? 1 }, (_, i) => `127.0.0.1:${(port ?? 0) + i}`)
if (index === 0)
  for (let i = 1; i < addresses.length; i++)
    spawn(process.execPath, [...process.argv.slice(1), '--index', `${i}`], { stdio: ['ignore', 'ignore', 'inherit'] })
if (addresses.length > 1) diffeo.orThrow(await joinWorkers({ addresses, index: index ?? 0, timeout: 600 })())
else await diffeo.ready('tensorflow')

const median = (/** @type {number[]} */ times) => times.sort((a, b) => a - b)[times.length >> 1]?.toFixed(1)
const flow = flowOf(row)
const size = diffeo.countParams(flow.bijector.spec)
const batch = (/** @type {number} */ i) =>
  /** @type {any} */ (diffeo.orThrow(diffeo.batch(row.shape, dataOf(row, diffeo.foldIn(diffeo.key(0), i)))))
const optimiser = diffeo.averaged(diffeo.adam())
const first = batch(0)
const start = await diffeo.startTraining(flow, optimiser, diffeo.key(1), first)
/** @type {number[]} */
const steps = []
for await (const event of diffeo.fit(flow, start, {
  optimiser,
  learningRate: diffeo.constantRate(1e-4),
  batch,
  steps: Number(flags.steps),
})) {
  if (event._tag === 'Stepped') steps.push(event.seconds * 1000)
  if (event._tag === 'Stopped' && event.reason !== 'steps') throw new Error(`training stopped: ${event.reason}`)
}
console.log(`${describeRow(row)}, ${size} parameters, ${addresses.length} workers`)
console.log(`step: ${median(steps)} ms`)

if (addresses.length > 1) {
  // each worker has one row of the batch, so the mean over the batch is an all-reduce
  const mean = jit((/** @type {tf.Tensor} */ x) => tf.mean(x, 0), { batch: 0 })
  const x = tf.ones([addresses.length, size])
  /** @type {number[]} */
  const times = []
  for (let i = 0; i < 20; i++) {
    const from = performance.now()
    tf.dispose(await mean(x))
    if (i > 1) times.push(performance.now() - from)
  }
  console.log(`all-reduce of ${size} numbers: ${median(times)} ms`)
}
