/**
 * Two moons: trains a flow on points of the plane, evaluates it, and plots its density and samples.
 *
 *     npm run build && node dist/examples/01-two-moons.js [steps]
 *
 * Takes about half a minute. The best possible test NLL is 0.289 nats, the entropy of the distribution.
 */
import { mkdirSync } from 'node:fs'
import {
  adam,
  batch,
  compiled,
  cosineRate,
  DiffeoException,
  disposeState,
  evaluate,
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
    console.log(`step ${event.state.step}: ${event.nats.toFixed(3)} nats`)
  if (event._tag === 'Stopped') {
    if (event.error !== undefined) throw new DiffeoException(event.error)
    const { params } = event.state
    const { nats } = await evaluate(density, params, { count: 1, at: () => draw(key(3), 10_000) })
    console.log(`test NLL ${nats.toFixed(3)} nats; the floor is ${moons.entropy().toFixed(3)}`)

    const { logProb, sample } = compiled(density) // compiled: each call runs as one program
    const view = { box: { x: [-1.5, 2.5], y: [-1, 1.5] }, width: 640, height: 400 } as const
    const samples = await values(await sample(params)(key(4), 500))
    mkdirSync('runs', { recursive: true })
    const grid = await values(await logProb(params)(orThrow(batch([2], gridPoints(view)))))
    const picture = heatMap({ ...view, points: samples })(grid.map(Math.exp))
    orThrow(await writePng('runs/two-moons.png')(orThrow(picture))())
    console.log('runs/two-moons.png')
    disposeState(event.state)
  }
}
