/**
 * Anomalies: a flow learns what machines measure while they work, and finds measurements of broken ones by their
 * log-likelihood. It never sees a broken machine.
 *
 *     npm run build && node dist/examples/11-anomalies.js [steps]
 */
import { key, train } from 'diffeo'
import { tableFrom, tabular } from 'diffeo/data'
import { normalArray, uniformArray } from 'diffeo/tensor'
import { anomalyThreshold, areaUnderRoc, typicality } from 'diffeo/train'

const steps = Number(process.argv[2] ?? 1500)

/** Speed, temperature and vibration of machines. A broken one has usual values in an unusual combination. */
const machines = (seed: number, n: number, isBroken: boolean) => {
  const [u, z] = [uniformArray(key(seed), n), normalArray(key(seed + 1), 2 * n)]
  return Array.from(u, (load, i) => ({
    speed: 800 + 1400 * load,
    temperature: 30 + 40 * (isBroken ? 1 - load : load) ** 2 + 1.5 * z[2 * i]!,
    vibration: Math.exp(0.5 * Math.sin(9 * load) + 0.15 * z[2 * i + 1]!),
  }))
}
const [working, heldOut, usual, broken] = [
  machines(1, 5000, false),
  machines(3, 5000, false),
  machines(5, 5000, false),
  machines(7, 1000, true),
]

const sensors = tabular(tableFrom(working))
await using model = await train(sensors.density, sensors, { key: key(0), steps, learningRate: 3e-3 })
const [held, normal, faulty] = await Promise.all(
  [heldOut, usual, broken].map((records) => model.logProb(sensors.rows(records))),
)

const threshold = anomalyThreshold(held!, 0.01)
const share = (scores: Float32Array) => (100 * scores.filter((score) => score < threshold).length) / scores.length
console.log(`below ${threshold.toFixed(2)} nats: ${share(normal!).toFixed(1)} % of working machines, 1 % expected`)
console.log(`below ${threshold.toFixed(2)} nats: ${share(faulty!).toFixed(1)} % of broken machines`)
const negative = (scores: Float32Array) => scores.map((score) => -score)
console.log(`area under the ROC curve: ${areaUnderRoc(negative(normal!), negative(faulty!)).toFixed(3)}`)

// a likelihood alone never finds rows that are too likely, such as copies of one row
const [likeliest] = typicality(held!, [Math.max(...held!)])
console.log(`the likeliest held-out row lies ${likeliest!.toFixed(1)} standard deviations from the mean`)
