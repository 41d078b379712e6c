/**
 * Two moons: trains a flow on points of the plane, evaluates it, and plots its density and samples.
 *
 *     npm run build && node dist/examples/01-two-moons.js [steps]
 *
 * Takes about half a minute. The best possible test NLL is 0.289 nats, the entropy of the distribution.
 */
import { mkdirSync } from 'node:fs'
import { density, key, realNvpVector, train } from 'diffeo'
import { twoMoons } from 'diffeo/data'
import { gridPoints, heatMap, writePng } from 'diffeo/image'

const moons = twoMoons({ noise: 0.05 })
const flow = density([2], realNvpVector({ couplings: 4, hidden: [64, 64], transformer: 'spline' }))
await using model = await train(flow, moons, {
  key: key(0),
  steps: Number(process.argv[2] ?? 2000),
  learningRate: 5e-3,
  onProgress: ({ step, loss }) => step % 200 === 0 && console.log(`step ${step}: ${loss.toFixed(3)} nats`),
})
const { nats } = await model.evaluate(moons.sample(key(3), 10_000))
console.log(`test NLL ${nats.toFixed(3)} nats; the floor is ${moons.entropy().toFixed(3)}`)

const view = { box: { x: [-1.5, 2.5], y: [-1, 1.5] }, width: 640, height: 400 } as const
const { data: points } = await model.sample(500, { key: key(4) })
const logDensity = await model.logProb(gridPoints(view))
mkdirSync('runs', { recursive: true })
await writePng('runs/two-moons.png', heatMap(logDensity.map(Math.exp), { ...view, points }))
console.log('runs/two-moons.png')
