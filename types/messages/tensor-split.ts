// Six channels in pieces of two and three.
import { T, type Tensor } from 'diffeo'

declare const x: Tensor<readonly ['N', 8, 8, 6]>
export const [a, b] = T.split([2, 3])(x)
