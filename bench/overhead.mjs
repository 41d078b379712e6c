// @ts-check
/**
 * Measures the overhead of `jit` on the engine onnxruntime:
 *
 *     npm run build && node bench/overhead.mjs
 *
 * 1. The first call of the train step of row `large`: trace, translation and session, in a fresh process.
 * 2. One jitted call of a tiny program, minus a direct call of the runtime with the same model and ready tensors.
 */
import { availableParallelism } from 'node:os'
import * as tf from '@tensorflow/tfjs-core'
import ort from 'onnxruntime-node'
import { lowerProgram } from '../dist/src/backends/onnxruntime/lower/program.js'
import { diffeo } from './diffeo.mjs'
import { dataOf, describeRow, flowOf, rows } from './rows.mjs'

console.log(diffeo.describeEngine(await diffeo.ready('onnxruntime')))
const median = (/** @type {number[]} */ list) => [...list].sort((a, b) => a - b)[list.length >> 1] ?? Number.NaN

const row = /** @type {import('./rows.mjs').Row} */ (rows.find(({ name }) => name === 'large'))
const flow = flowOf(row)
const x = /** @type {any} */ (diffeo.orThrow(diffeo.batch(row.shape, dataOf(row, diffeo.key(0)))))
const optimiser = diffeo.averaged(diffeo.adam())
// `init`, not a data-dependent start, which would compile another program first
const params = flow.init(diffeo.key(1))
const trained = diffeo.leaves(flow.bijector.spec).flatMap(([path, { role }]) => (role === 'statistic' ? [] : [path]))
const byPath = new Map(diffeo.leaves(params))
const moments = optimiser.init(trained.map((path) => diffeo.unwrap(/** @type {any} */ (byPath.get(path)))))
const starts = []
for (let i = 0; i < 3; i++) {
  const step = diffeo.trainStep(flow, { optimiser, learningRate: diffeo.constantRate(1e-3) })
  const [from, used] = [performance.now(), process.cpuUsage()]
  await step.prepare({ step: 0, params, moments }, x)
  const { user, system } = process.cpuUsage(used)
  starts.push(`${((performance.now() - from) / 1000).toFixed(2)} (${((user + system) / 1e6).toFixed(2)} of a core)`)
  await step.dispose()
}
console.log(`${describeRow(row)}, ${diffeo.countParams(flow.bijector.spec).toLocaleString('en')} parameters`)
console.log(`  trace + translate + session ${starts.join(', ')} s (the first in a fresh process)`)

const CALLS = 2000
const tiny = diffeo.jit((/** @type {tf.Tensor} */ t) => tf.add(t, 1))
const four = tf.tensor1d([1, 2, 3, 4])
const session = await ort.InferenceSession.create(lowerProgram(tiny.program(four)).encode(), {
  intraOpNumThreads: availableParallelism(),
  interOpNumThreads: 1,
  enableMemPattern: false,
  graphOptimizationLevel: 'disabled',
})
const feeds = { in0: new ort.Tensor('float32', Float32Array.of(1, 2, 3, 4), [4]) }
const fetches = { out0: new ort.Tensor('float32', new Float32Array(4), [4]) }
const direct = async () => {
  await session.run(feeds, fetches)
}
const jitted = async () => {
  ;(await tiny(four)).dispose()
}
/** Microseconds of a call. @param {() => Promise<void>} call */
const time = async (call) => {
  const from = performance.now()
  for (let i = 0; i < CALLS; i++) await call()
  return ((performance.now() - from) * 1000) / CALLS
}
/** @type {{ ours: number[], runtime: number[] }} */
const times = { ours: [], runtime: [] }
for (let i = 0; i < 11; i++) {
  times.runtime.push(await time(direct))
  times.ours.push(await time(jitted))
}
const over = times.ours.map((t, i) => t - (times.runtime[i] ?? Number.NaN))
console.log(
  `a tiny jitted call ${median(times.ours).toFixed(1)} µs, a direct call of the runtime ${median(times.runtime).toFixed(1)} µs: ` +
    `${median(over).toFixed(1)} µs of overhead (median of 11 alternating turns of ${CALLS} calls; minimum ${Math.min(...over).toFixed(1)})`,
)
process.exit()
