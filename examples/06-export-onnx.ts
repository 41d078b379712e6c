/**
 * Exports a flow to ONNX: trains it on two moons, then writes its density and its sampler as files for other programs.
 *
 *     npm run build && node dist/examples/06-export-onnx.js
 *     python3 examples/onnx/density.py runs/moons.onnx runs/moons.sampler.onnx        # pip install onnxruntime
 *
 * `examples/onnx/page.html` draws samples in a browser with onnxruntime-web. To export a run of `diffeo train`, use
 * `npx diffeo export runs/mnist --to model.onnx`.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import type * as tf from '@tensorflow/tfjs-core'
import { atShape, DiffeoException, flow, type Key, key, realNvpVector, standardNormal } from 'diffeo'
import { twoMoons } from 'diffeo/data'
import { ready, toOnnx, toOnnxSampler } from 'diffeo/engine'
import { batch, foldIn, type PerExample, refine, unwrap } from 'diffeo/tensor'
import { adam, constantRate, disposeState, fit, startTraining } from 'diffeo/train'

await ready()
const moons = twoMoons({ noise: 0.05 })
const density = flow(atShape([2], realNvpVector({ couplings: 6 })), standardNormal)
const draw = (k: Key, n: number) => batch([2], moons.sample(k, n))
const optimiser = adam()
const start = await startTraining(density, optimiser, key(0), draw(key(1), 256))
const options = {
  optimiser,
  learningRate: constantRate(2e-3),
  batch: (step: number) => draw(foldIn(key(2), step), 256),
  steps: Number(process.argv[2] ?? 500),
}
const points = (x: tf.Tensor) => refine(['N', 2], x)
const untyped = (y: PerExample): tf.Tensor => unwrap(y)
const each = (t: tf.Tensor) => refine(['N'], t)

for await (const event of fit(density, start, options))
  if (event._tag === 'Stopped') {
    if (event.error !== undefined) throw new DiffeoException(event.error)
    const { params } = event.state
    const logProb = toOnnx({
      inputs: [{ name: 'x', shape: [2] }],
      outputs: ['log_prob'],
      run: ([x]) => [untyped(density.logProb(params)(points(x!)))],
    })
    // the exported sampler draws z itself: n, temperature → x, log_prob
    const sampler = toOnnxSampler({
      inputs: [{ name: 'noise', shape: [2], noise: 'normal' }],
      outputs: ['x', 'log_prob'],
      run: ([noise], temperature) => {
        const [x, logProb] = density.make(params)([points(noise!)], each(temperature))
        return [unwrap(x), untyped(logProb)]
      },
    })
    mkdirSync('runs', { recursive: true })
    writeFileSync('runs/moons.onnx', logProb)
    writeFileSync('runs/moons.sampler.onnx', sampler)
    console.log('runs/moons.onnx: x → log_prob; runs/moons.sampler.onnx: n, temperature → x, log_prob')
    disposeState(event.state)
  }
