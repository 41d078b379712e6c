// Refined as grey images, used as colour images.

import type * as tf from '@tensorflow/tfjs-core'
import { compose, flow, input, key, logit, standardNormal } from 'diffeo'
import { refine } from 'diffeo/fp'
import * as E from 'fp-ts/lib/Either.js'
import { pipe } from 'fp-ts/lib/function.js'

declare const raw: tf.Tensor
const model = flow(compose(input([28, 28, 3]), logit()), standardNormal)
const params = model.init(key(0))
export const scores = pipe(raw, refine(['N', 28, 28, 1]), E.map(model.logProb(params)))
