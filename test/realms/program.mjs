/** A program that a sandbox of a test runner runs: it trains on an engine and computes alike. */
import * as d from 'diffeo'

export const train = async (engine) => {
  const { name } = await d.ready(engine)
  const moons = d.twoMoons({ noise: 0.05 })
  const density = d.flow(d.on([2], d.realNvpVector({ couplings: 2, hidden: [8] })), d.standardNormal)
  const draw = (k, n) => d.orThrow(d.batch([2], moons.sample(k, n)))
  const optimiser = d.adam()
  const start = await d.startTraining(density, optimiser, d.key(0), draw(d.key(1), 64))
  const options = { optimiser, learningRate: d.constantRate(1e-2), steps: 10 }
  for await (const event of d.fit(density, start, { ...options, batch: (i) => draw(d.foldIn(d.key(2), i), 64) }))
    if (event._tag === 'Stopped') {
      if (event.error !== undefined) throw new d.DiffeoException(event.error)
      const { params } = event.state
      const { nats } = await d.evaluate(density, params, { count: 1, at: () => draw(d.key(3), 100) })
      const points = await d.values(await d.compiled(density).sample(params)(d.key(4), 3))
      return { name, nats, points: [...points] }
    }
}
