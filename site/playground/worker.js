/** Trains the flow that a program of the playground exports, and sends its density, samples and loss to the page. */

import wasm from '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm'
import * as diffeo from 'diffeo'
import * as data from 'diffeo/data'
import * as engine from 'diffeo/engine'
import * as tensor from 'diffeo/tensor'
import * as train from 'diffeo/train'

const modules = { diffeo, 'diffeo/data': data, 'diffeo/tensor': tensor, 'diffeo/train': train, 'diffeo/engine': engine }
const require = (name) => {
  if (modules[name] === undefined) throw new Error(`${name}: expected one of ${Object.keys(modules).join(', ')}`)
  return modules[name]
}

/** The exports of a program, which TypeScript has written as a CommonJS module. */
const run = (code) => {
  const exported = {}
  new Function('exports', 'require', code)(exported, require)
  const { flow, points } = exported
  if (flow?.bijector === undefined) throw new Error('expected the program to export const flow = density(…)')
  if (points?.sample === undefined)
    throw new Error('expected the program to export const points = twoMoons(), or another density')
  if (String(flow.bijector.domain) !== '2') throw new Error('expected a flow of two numbers: density([2], …)')
  return { flow, points }
}

const STEPS = 1000
const BATCH = 256

const send = async (functions, params, figures, grid) => {
  const logDensity = await tensor.toArray(await functions.logProb(params)(tensor.batch([2], grid)))
  const samples = await tensor.toArray(await functions.sample(params)(diffeo.key(7), 500))
  postMessage({ ...figures, steps: STEPS, logDensity, samples })
}

const learn = async ({ code, grid }) => {
  const { name } = await engine.ready('wasm', { wasm: new URL(wasm, self.location.href).href })
  const { flow, points } = run(code)
  const draw = (step) => tensor.batch([2], points.sample(tensor.foldIn(diffeo.key(1), step), BATCH))
  const optimiser = train.adam()
  const start = await train.startTraining(flow, optimiser, diffeo.key(0), draw(0))
  const functions = diffeo.compiled(flow)
  const options = { optimiser, learningRate: train.cosineRate(5e-3, STEPS), batch: draw, steps: STEPS }
  for await (const event of train.fit(flow, start, options)) {
    if (event._tag === 'Stopped' && event.error !== undefined) throw new diffeo.DiffeoException(event.error)
    const { step, params } = event.state
    if (event._tag === 'Stepped') {
      postMessage({ step, steps: STEPS, loss: event.nats })
      if (step % 20 === 0) await send(functions, params, { step }, grid)
    }
    if (event._tag !== 'Stopped') continue
    const test = { count: 1, at: () => tensor.batch([2], points.sample(diffeo.key(2), 10_000)) }
    const { nats } = await train.evaluate(flow, params, test)
    await send(functions, params, { step, nats, floor: points.entropy?.(), engine: name }, grid)
  }
}

self.onmessage = ({ data: request }) => {
  learn(request).catch((thrown) => postMessage({ error: String(thrown?.message ?? thrown) }))
}
