/** What a page and its worker run, in any bundle: a training on two moons. */
import { atShape, compiled, flow, key, realNvpVector, standardNormal } from 'diffeo'
import { twoMoons } from 'diffeo/data'
import { ready } from 'diffeo/engine'
import { batch, foldIn, toArray } from 'diffeo/tensor'
import { adam, constantRate, fit, startTraining } from 'diffeo/train'

export const train = async (url) => {
  const { name, note } = await ready('auto', { wasm: url })
  const density = flow(atShape([2], realNvpVector({ couplings: 8, hidden: [64] })), standardNormal)
  const draw = (step) => batch([2], twoMoons({ noise: 0.05 }).sample(foldIn(key(1), step), 256))
  const optimiser = adam()
  const start = await startTraining(density, optimiser, key(0), draw(0))
  const losses = []
  const validation = { batches: { count: 1, at: () => draw(999) }, every: 10 }
  const options = { optimiser, learningRate: constantRate(5e-3), batch: draw, steps: 50, validation }
  for await (const event of fit(density, start, options)) {
    if (event._tag === 'Validated') losses.push(event.nats)
    if (event._tag !== 'Stopped') continue
    if (event.error !== undefined) throw new Error(JSON.stringify(event.error))
    const points = await toArray(await compiled(density).sample(event.state.params)(key(2), 3))
    return { name, note, losses, points: points.length }
  }
}

/** A page that does not say where the binary is. */
export const trainWithout = async () => {
  const error = await ready('wasm').catch(({ message }) => message)
  return { error, ...(await ready()) }
}
