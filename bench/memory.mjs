// @ts-check
/**
 * Tests that memory does not grow over many steps of a row.
 *
 *     npm run build && node --expose-gc bench/memory.mjs --row plane --steps 10000
 *     npm run build && node --expose-gc bench/memory.mjs --row small --steps 300
 *
 * Memory is read after a garbage collection. The first tenth of the steps does not count: the runtime allocates its
 * arena there, and the step its two arrays of state.
 */
import * as tf from '@tensorflow/tfjs-core'
import { diffeo } from './diffeo.mjs'
import { flagsFrom } from './flags.mjs'
import { dataOf, describeRow, flowOf, rowNamed } from './rows.mjs'

const { values: flags } = flagsFrom({
  options: {
    row: { type: 'string', default: 'plane' },
    steps: { type: 'string', default: '10000' },
    engine: { type: 'string', default: 'auto' },
  },
})
const row = rowNamed('--row', flags.row)
const steps = Number(flags.steps)
const flow = flowOf(row)
console.log(diffeo.describeEngine(await diffeo.ready(/** @type {any} */ (flags.engine))))
console.log(`${describeRow(row)}: ${steps} steps`)

const batch = (/** @type {number} */ i) =>
  /** @type {any} */ (diffeo.orThrow(diffeo.batch(row.shape, dataOf(row, diffeo.foldIn(diffeo.key(0), i)))))
const optimiser = diffeo.averaged(diffeo.adam())
const first = batch(0)
const start = await diffeo.startTraining(flow, optimiser, diffeo.key(1), first)
diffeo.unwrap(first).dispose()

/** @type {{ tensors: number, rss: number }[]} */
const seen = []
const points = 10
for await (const event of diffeo.fit(flow, start, {
  optimiser,
  learningRate: diffeo.constantRate(1e-4),
  batch,
  steps,
})) {
  if (event._tag === 'Stopped' && event.reason !== 'steps') throw new Error(`training stopped: ${event.reason}`)
  if (event._tag !== 'Stepped' || event.state.step % Math.ceil(steps / points) !== 0) continue
  globalThis.gc?.()
  const { rss, heapUsed, arrayBuffers } = process.memoryUsage()
  const [mb, tensors] = [(/** @type {number} */ n) => (n / 2 ** 20).toFixed(1).padStart(7), tf.memory().numTensors]
  seen.push({ tensors, rss })
  console.log(
    `step ${String(event.state.step).padStart(6)}  tensors ${tensors}  resident ${mb(rss)} MB  heap ${mb(heapUsed)} MB  ` +
      `array buffers ${mb(arrayBuffers)} MB`,
  )
}
const [from, to] = [seen[0], seen.at(-1)]
if (from === undefined || to === undefined) throw new Error('--steps: expected at least 10')
const rise = (to.rss - from.rss) / 2 ** 20
console.log(`from the first point to the last: ${to.tensors - from.tensors} tensors, resident ${rise.toFixed(1)} MB`)
// there may be fewer tensors at the end: no batch is prepared after the last step
if (to.tensors > from.tensors) process.exitCode = 1
