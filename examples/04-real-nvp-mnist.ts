/**
 * The model of `npm start`, layer by layer: a multi-scale Real NVP on MNIST. The compiler infers every shape; hover over
 * `model` to read its latents.
 *
 *     npm run build && node dist/examples/04-real-nvp-mnist.js [steps] [test images]
 *
 * 500 steps take about two minutes on two cores.
 */
import { mkdirSync } from 'node:fs'
import {
  actNorm,
  channelwise,
  checkerboard,
  compiled,
  compose,
  coupling,
  DiffeoException,
  factorOut,
  flow,
  input,
  key,
  logit,
  ordered,
  resnet,
  squeeze,
  standardNormal,
} from 'diffeo'
import { evaluationBatches, firstIndices, holdOut, loadMnist, subset, trainBatches } from 'diffeo/data'
import { ready } from 'diffeo/engine'
import { imageGrid, writePng } from 'diffeo/image'
import { foldIn, toArray } from 'diffeo/tensor'
import { adam, averaged, averageParams, constantRate, evaluate, fit, startTraining, warmUp } from 'diffeo/train'

const steps = Number(process.argv[2] ?? 500)
const testImages = Number(process.argv[3] ?? 1000)

const fine = resnet({ width: 16, blocks: 2 })
const coarse = resnet({ width: 32, blocks: 2 })
const [even, odd] = [checkerboard('even'), checkerboard('odd')]
const [first, second] = [channelwise('first'), channelwise('second')]

const scale = compose(
  coupling(even, fine),
  actNorm,
  coupling(odd, fine),
  actNorm,
  coupling(even, fine),
  actNorm,
  squeeze,
  coupling(first, coarse),
  actNorm,
  coupling(second, coarse),
  actNorm,
  coupling(first, coarse),
  actNorm,
  ordered,
  factorOut,
)
const last = compose(
  coupling(even, coarse),
  actNorm,
  coupling(odd, coarse),
  actNorm,
  coupling(even, coarse),
  actNorm,
  coupling(odd, coarse),
  actNorm,
)
const model = compose(input([28, 28, 1]), logit(), scale, last)
const latents: readonly [readonly [14, 14, 2], readonly [14, 14, 2]] = model.codomain
console.log(`28×28×1 → ${latents.map((z) => z.join('×')).join(', ')}`)

await ready()
const density = flow(model, standardNormal)
const mnist = await loadMnist()
const seed = key(0)
const { train } = holdOut(foldIn(seed, 0), 512, mnist.train.count)
const batch = trainBatches(subset(train)(mnist.train), foldIn(seed, 1), 32)
const optimiser = averaged(adam(), 0.99)
const start = await startTraining(density, optimiser, foldIn(seed, 3), await batch(0))

for await (const event of fit(density, start, {
  optimiser,
  learningRate: warmUp(50, constantRate(2e-3)),
  batch,
  steps,
})) {
  if (event._tag === 'Stepped') console.log(`step ${event.state.step}: ${event.bitsPerDim.toFixed(3)} bits/dim`)
  if (event._tag === 'Stopped') {
    if (event.error !== undefined) throw new DiffeoException(event.error)
    const params = averageParams(density, optimiser, event.state)
    const images = subset(firstIndices(testImages))(mnist.test)
    const test = await evaluate(density, params, evaluationBatches(images, foldIn(seed, 2), 50))
    console.log(`test ${test.mean.toFixed(3)} bits/dim on ${test.count} images, worst ${test.worst.toFixed(3)}`)
    const samples = await toArray(await compiled(density).sample(params)(foldIn(seed, 4), 64))
    const bytes = Uint8Array.from(samples, (v) => Math.max(0, Math.min(255, Math.floor(v))))
    mkdirSync('runs', { recursive: true })
    await writePng('runs/mnist-by-hand.png', imageGrid(bytes, [64, 28, 28, 1]))
    console.log('runs/mnist-by-hand.png')
  }
}
