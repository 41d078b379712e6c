// @ts-check
/**
 * One worker of `workers.test.ts`, in its own process: trains a flow with every kind of statistic for some steps of plain
 * gradient descent, and prints what came out.
 *
 *     node test/engine/worker.mjs <index> <host:port,…>
 *
 * Without addresses it trains alone.
 */
import * as tf from '@tensorflow/tfjs-core'
import { joinWorkers } from '../../dist/src/engine/parallel/workers.js'
import * as d from '../../dist/src/index.js'

const [index = '0', list = ''] = process.argv.slice(2)
const addresses = list.split(',').filter(Boolean)
const workers =
  addresses.length === 0 ? undefined : d.orThrow(await joinWorkers({ addresses, index: Number(index), timeout: 100 })())
if (workers === undefined) await d.ready('tensorflow')

const net = () => d.resnet({ width: 4, blocks: 1, norm: 'batch' })
const flow = d.flow(
  d.compose(
    d.input([4, 4, 1]),
    d.logit(),
    d.coupling(d.checkerboard(), net()),
    d.batchNorm(),
    d.actNorm,
    d.coupling(d.checkerboard('odd'), net()),
  ),
  d.standardNormal,
)
const batch = (/** @type {number} */ step) =>
  d.orThrow(
    d.batch(
      [4, 4, 1],
      d.uniformArray(d.foldIn(d.key(1), step), 8 * 16).map((u) => 256 * u),
    ),
  )
/** @type {import('../../dist/src/index.js').Optimiser} */
const descent = {
  init: () => [],
  rates: (_, rate) => [rate],
  update: (grads, _, params, [rate]) => [params.map((p, i) => tf.sub(p, tf.mul(grads[i] ?? 0, rate ?? 0))), []],
}
const numbers = (/** @type {d.TrainState} */ { params }) =>
  Promise.all(d.leaves(params).map(async ([, leaf]) => [...(await d.unwrap(/** @type {any} */ (leaf)).data())]))

const first = batch(0)
const start = await d.startTraining(flow, descent, d.key(2), first)
const before = await numbers(start)
/** @type {number[]} */
const bits = []
for await (const event of d.fit(flow, start, {
  optimiser: descent,
  learningRate: d.constantRate(0.05),
  batch,
  steps: 10,
})) {
  if (event._tag === 'Stepped') bits.push(event.bitsPerDim, event.gradientNorm)
  if (event._tag === 'Stopped') {
    if (event.error !== undefined) throw new Error(d.describeError(event.error))
    const after = await numbers(event.state)
    const told = await workers?.share(Buffer.from(workers.index === 0 ? 'from worker 0' : 'from another'))
    const said = await workers?.gather(100 + Number(index))
    process.stdout.write(JSON.stringify({ bits, before, after, told: told && `${Buffer.from(told)}`, said }))
  }
}
