// The inverse takes all latents.
import { compose, factorOut, input, key, squeeze } from 'diffeo'
import type { Tensor } from 'diffeo/tensor'

const b = compose(input([4, 4, 1]), squeeze, factorOut)
declare const z: Tensor<readonly ['N', 2, 2, 2]>
export const x = b.bind(b.init(key(0))).inverse(z)
