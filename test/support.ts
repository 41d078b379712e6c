/** What the tests share: the cpu backend, random non-identity parameters, the values of tensors. */
import '@tensorflow/tfjs-backend-cpu'
import * as tf from '@tensorflow/tfjs-core'
import type { AnyBijector, Key } from 'diffeo'
import { randomParams as fromSpec } from 'diffeo/laws'
import { type Params, unwrap } from 'diffeo/tensor'
import { registerGradients } from '../src/backends/tfjs/gradients.js'
import { latentTensors } from '../src/tensor/tensor.js'

registerGradients()
await tf.setBackend('cpu')

/** Every parameter away from where it starts. */
export const randomParams = (b: AnyBijector, key: Key, spread = 0.3): Params => fromSpec(b.spec, key, spread)

export { latentTensors as tensors }
export const values = (z: unknown): number[] => latentTensors(z).flatMap((t) => [...unwrap(t).dataSync()])
