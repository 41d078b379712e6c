// The inverse takes all latents.
import { compose, factorOut, input, key, squeeze, type Tensor } from 'diffeo'

const b = compose(input([4, 4, 1]), squeeze, factorOut)
declare const z: Tensor<readonly ['N', 2, 2, 2]>
export const x = b.bind(b.init(key(0))).inverse(z)
