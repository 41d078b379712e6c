// Colour images in a flow over grey images.
import { compose, flow, input, key, logit, standardNormal } from 'diffeo'
import type { Tensor } from 'diffeo/tensor'

declare const x: Tensor<readonly ['N', 28, 28, 3]>
const model = flow(compose(input([28, 28, 1]), logit()), standardNormal)
export const scores = model.logProb(model.init(key(0)))(x)
