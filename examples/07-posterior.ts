/**
 * Simulation-based inference: a conditional flow learns p(θ | x) for every observation x, from nothing but a simulator.
 *
 *     npm run build && node dist/examples/07-posterior.js [steps]
 *
 * θ ~ N(0, I); x is θ₁ + θ₂ and θ₁ − θ₂ with noise N(0, 1), and three uninformative numbers. The posterior is known:
 * θᵢ | x ~ N((x₁ ± x₂)/3, 1/3). 2000 steps take a few seconds.
 */
import { density, type Key, key, realNvpVector, standardNormal, train } from 'diffeo'
import { foldIn, normalArray } from 'diffeo/tensor'

const steps = Number(process.argv[2] ?? 2000)

const simulate = (k: Key, n: number) => {
  const theta = normalArray(foldIn(k, 0), 2 * n)
  const noise = normalArray(foldIn(k, 1), 5 * n)
  const x = noise.map((e, i) => {
    const [a, b] = [theta[2 * Math.floor(i / 5)]!, theta[2 * Math.floor(i / 5) + 1]!]
    return e + (i % 5 === 0 ? a + b : i % 5 === 1 ? a - b : 0)
  })
  return { x: theta, given: x }
}

const posterior = density([2], realNvpVector({ couplings: 4 }), standardNormal, { given: [5] })
const model = await train(posterior, { sample: simulate }, { key: key(0), steps, learningRate: 5e-3 })

const test = simulate(key(1), 20_000)
const logQ = await model.given(test.given).logProb(test.x)
const exact = Array.from({ length: 20_000 }, (_, i) => {
  const at = (j: 0 | 1) => test.x[2 * i + j]! - (test.given[5 * i]! + (j === 0 ? 1 : -1) * test.given[5 * i + 1]!) / 3
  return -1.5 * (at(0) ** 2 + at(1) ** 2) - Math.log((2 * Math.PI) / 3)
})
const meanOf = (v: ArrayLike<number>) => Array.from(v).reduce((a, b) => a + b, 0) / v.length
console.log(`E log q(θ | x) ${meanOf(logQ).toFixed(4)}, exact E log p(θ | x) ${meanOf(exact).toFixed(4)}`)

const { data } = await model.given([[1.5, 0.6, 0, 0, 0]]).sample(20_000, { key: key(2) })
const means = [0, 1].map((j) => meanOf(data.filter((_, i) => i % 2 === j)).toFixed(2))
console.log(`posterior mean at x = (1.5, 0.6, …): (${means}), exact (0.70,0.30)`)
await model.dispose()
