/**
 * Digits of a class: the same Real NVP on MNIST, with and without the class as its context, for the same number of
 * steps. The context reaches every coupling and a base with a mean for each class. The conditional flow also classifies
 * by Bayes' rule: it chooses the class under which an image is most likely.
 *
 *     npm run build && node dist/examples/09-class-conditional.js [steps] [test images]
 *
 * 1000 steps of each take about four minutes on two cores.
 */
import { mkdirSync } from 'node:fs'
import { classMixture, density, key, realNvp, train } from 'diffeo'
import { firstIndices, loadMnist, oneHot } from 'diffeo/data'
import { imageGrid, writePng } from 'diffeo/image'
import { uniformArray } from 'diffeo/tensor'

const [steps, tested] = [Number(process.argv[2] ?? 1000), Number(process.argv[3] ?? 1000)]
const mnist = await loadMnist()
const layers = realNvp({ width: 16, blocks: 1 })
const options = { key: key(0), steps, batch: 32, learningRate: 1e-3, validation: 0.01 }

const plain = await train(density([28, 28, 1], layers), mnist.train, options)
const digits = await train(density([28, 28, 1], layers, classMixture(10), { given: [10] }), mnist.train, options)

const noise = uniformArray(key(1), tested * 784)
const x = Float32Array.from(await mnist.test.read(firstIndices(tested)), (pixel, i) => pixel + noise[i]!)
const labels = mnist.test.labels!.slice(0, tested)
const meanOf = (v: ArrayLike<number>) => Array.from(v).reduce((a, b) => a + b, 0) / v.length

const classes = [...firstIndices(10)]
const given = (c: number) => digits.given([oneHot([c], 10)])
const logProbs = await Promise.all(classes.map((c) => given(c).logProb(x)))
const best = Array.from(labels, (_, i) => classes.reduce((a, c) => (logProbs[c]![i]! > logProbs[a]![i]! ? c : a)))
const right = best.filter((c, i) => c === labels[i]).length

console.log(`bits/dim without the class ${meanOf(await plain.bitsPerDim(x)).toFixed(3)}`)
console.log(`bits/dim given the class   ${meanOf(await digits.given(oneHot(labels, 10)).bitsPerDim(x)).toFixed(3)}`)
console.log(`accuracy by Bayes' rule    ${((100 * right) / tested).toFixed(1)} % of ${tested} images`)

const rows = await Promise.all(classes.map((c) => given(c).sample(10, { key: key(2), temperature: 0.8 })))
const pixels = Buffer.concat(rows.map(({ data }) => Uint8Array.from(data, (v) => Math.max(0, Math.min(255, v)))))
mkdirSync('runs', { recursive: true })
await writePng('runs/classes.png', imageGrid(pixels, [100, 28, 28, 1], { columns: 10 }))
console.log('runs/classes.png: one class in each row')
