/**
 * Variational inference: fits a flow to a density that is known up to its integral, here a banana.
 *
 *     npm run build && node dist/examples/08-variational.js [steps]
 *
 * log p̃(x) = −x₁²/8 − (x₂ − x₁²/4)²/2 integrates to Z = 4π, which the fit finds. 2000 steps take a few seconds.
 */
import * as tf from '@tensorflow/tfjs-core'
import { density, evaluateVariational, key, realNvpVector, reverseKl, train } from 'diffeo'
import { type BatchOf, type PerExample, refine, unwrap } from 'diffeo/tensor'

const steps = Number(process.argv[2] ?? 2000)

const banana = (x: BatchOf<[2]>): PerExample => {
  const [a, b] = tf.split(unwrap(x), 2, 1)
  const bent = tf.sub(b!, tf.mul(tf.square(a!), 0.25))
  const logP = tf.sub(tf.mul(tf.square(a!), -1 / 8), tf.mul(tf.square(bent), 0.5))
  return refine(['N'], tf.squeeze(logP, [1]))
}

const q = density([2], realNvpVector({ couplings: 4, hidden: [32, 32] }))
const model = await train(q, reverseKl(q, banana), { key: key(0), steps, learningRate: 5e-3 })
const { elbo, logZ, effectiveSamples, paretoK, draws, warning } = await evaluateVariational(
  q,
  banana,
  model.params,
  key(1),
  20_000,
)
console.log(`ELBO ${elbo.toFixed(4)}, log Z ${logZ.toFixed(4)}, exact ${Math.log(4 * Math.PI).toFixed(4)}`)
console.log(`${Math.round(effectiveSamples)} effective samples of ${draws}, k̂ = ${paretoK.toFixed(2)}`)
if (warning !== undefined) console.log(warning)
await model.dispose()
