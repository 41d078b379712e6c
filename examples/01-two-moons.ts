/**
 * Two moons: train a flow on points of the plane, measure it, draw its density and its samples.
 *
 *     npm run build && node dist/examples/01-two-moons.js
 *
 * About half a minute. The best possible test NLL is 0.289 nats: the entropy of the moons themselves.
 */
import { mkdirSync } from 'node:fs'
import {
  adam,
  batch,
  compiled,
  cosineRate,
  DiffeoException,
  disposeState,
  fit,
  flow,
  foldIn,
  gridPoints,
  heatMap,
  type Key,
  key,
  on,
  orThrow,
  ready,
  realNvpVector,
  standardNormal,
  startTraining,
  twoMoons,
  values,
  writePng,
} from 'diffeo'

await ready()
const steps = Number(process.argv[2] ?? 2000)
const moons = twoMoons({ noise: 0.05 })
const density = flow(on([2], realNvpVector({ couplings: 4, hidden: [64, 64], transformer: 'spline' })), standardNormal)

const draw = (k: Key, n: number) => orThrow(batch([2], moons.sample(k, n)))
const optimiser = adam()
const start = await startTraining(density, optimiser, key(0), draw(key(1), 256))
const options = {
  optimiser,
  learningRate: cosineRate(5e-3, steps),
  batch: (step: number) => draw(foldIn(key(2), step), 256),
  steps,
}
for await (const event of fit(density, start, options)) {
  if (event._tag === 'Stepped' && event.state.step % 200 === 0)
    console.log(`step ${event.state.step}: ${(event.bitsPerDim * 2 * Math.LN2).toFixed(3)} nats`)
  if (event._tag === 'Stopped') {
    if (event.error !== undefined) throw new DiffeoException(event.error)
    const { params } = event.state
    const { logProb: compiledLogProb, sample } = compiled(density)
    const logProb = async (points: Float32Array) => values(await compiledLogProb(params)(orThrow(batch([2], points))))
    const test = await logProb(moons.sample(key(3), 10_000))
    const nll = -test.reduce((a, b) => a + b, 0) / test.length
    console.log(`test NLL ${nll.toFixed(3)} nats; the floor is ${moons.entropy().toFixed(3)}`)

    const view = { box: { x: [-1.5, 2.5], y: [-1, 1.5] }, width: 640, height: 400 } as const
    const samples = await values(await sample(params)(key(4), 500))
    mkdirSync('runs', { recursive: true })
    const picture = heatMap({ ...view, points: samples })((await logProb(gridPoints(view))).map(Math.exp))
    orThrow(await writePng('runs/two-moons.png')(orThrow(picture))())
    console.log('runs/two-moons.png')
    disposeState(event.state)
  }
}
