// The fourth axis of three.
import { T, type Tensor } from 'diffeo'

declare const x: Tensor<readonly ['N', 8, 3]>
export const y = T.meanAxis(3)(x)
