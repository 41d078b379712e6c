// @ts-check
/**
 * One worker of `workers.test.ts`, in its own process: trains a flow with every kind of statistic for some steps of plain
 * gradient descent, and prints what came out.
 *
 *     node test/backends/tensorflow/worker.mjs <index> <host:port,…> [precision] [mild,wild]
 *
 * Without addresses it trains alone. In fp16 the loss is scaled. With the last argument it trains a flow of the plane, and
 * the two halves of each batch are near zero (`mild`) or far away (`wild`).
 */
import * as tf from '@tensorflow/tfjs-core'
import { diffeo as d } from '../../../bench/diffeo.mjs'
import { joinWorkers } from '../../../dist/src/backends/tensorflow/workers.js'

const [index = '0', list = '', precision = 'float32', halves] = process.argv.slice(2)
const options = { precision: /** @type {d.Precision} */ (precision) }
const addresses = list.split(',').filter(Boolean)
const workers =
  addresses.length === 0
    ? undefined
    : d.orThrow(await joinWorkers({ addresses, index: Number(index), timeout: 100 }, options)())
if (workers === undefined) await d.ready('tensorflow', options)

const net = () => d.resnet({ width: 4, blocks: 1, norm: 'batch' })
const images = d.flow(
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
const points = d.flow(d.atShape([2], d.realNvpVector({ couplings: 2, hidden: [8] })), d.standardNormal)
/** @type {import('../../../dist/src/index.js').Flow<any, any>} */
const flow = halves === undefined ? images : points

const random = (/** @type {number} */ step, /** @type {number} */ size) =>
  d.uniformArray(d.foldIn(d.key(1), step), size)
/** How far from zero the points of the first half are, and of the second. */
const reach = (halves ?? '').split(',').map((half) => (half === 'wild' ? 20 : 1))
const pointsOf = (/** @type {number} */ step) => random(step, 16).map((u, i) => (u - 0.5) * (reach[i >> 3] ?? 1))
const batch = (/** @type {number} */ step) =>
  /** @type {any} */ (
    halves === undefined
      ? d.orThrow(
          d.batch(
            [4, 4, 1],
            random(step, 8 * 16).map((u) => 256 * u),
          ),
        )
      : d.orThrow(d.batch([2], pointsOf(step)))
  )
/** @type {import('../../../dist/src/entry/train.js').Optimiser} */
const descent = {
  init: () => [],
  rates: (_, rate) => [rate],
  update: (grads, _, params, [rate]) => [params.map((p, i) => tf.sub(p, tf.mul(grads[i] ?? 0, rate ?? 0))), []],
}
const numbers = (/** @type {import('../../../dist/src/entry/train.js').TrainState} */ { params }) =>
  Promise.all(d.leaves(params).map(async ([, leaf]) => [...(await d.unwrap(/** @type {any} */ (leaf)).data())]))

const first =
  halves === undefined
    ? batch(0)
    : d.orThrow(
        d.batch(
          [2],
          random(0, 16).map((u) => u - 0.5),
        ),
      )
const start = await d.startTraining(flow, descent, d.key(2), first)
const before = await numbers(start)
/** @type {number[]} */
const bits = []
/** @type {(number | undefined)[]} */
const factors = []
for await (const event of d.fit(flow, start, {
  optimiser: descent,
  learningRate: d.constantRate(halves === undefined ? 0.05 : 1e-4),
  batch,
  steps: 10,
  // images: no number of fp16 is as large, so that the first steps are taken again, and it grows past that later
  ...(precision === 'fp16' && {
    lossScaling: d.dynamicLossScale(halves === undefined ? { start: 2 ** 40, every: 3 } : { start: 2 ** 14 }),
  }),
})) {
  if (event._tag === 'Stepped') {
    bits.push(event.bitsPerDim, event.gradientNorm)
    factors.push(event.state.lossScale?.factor)
  }
  if (event._tag === 'Stopped') {
    if (event.error !== undefined) throw new Error(d.describeError(event.error))
    const after = await numbers(event.state)
    const told = await workers?.share(Buffer.from(workers.index === 0 ? 'from worker 0' : 'from another'))
    const said = await workers?.gather(100 + Number(index))
    process.stdout.write(JSON.stringify({ bits, factors, before, after, told: told && `${Buffer.from(told)}`, said }))
  }
}
