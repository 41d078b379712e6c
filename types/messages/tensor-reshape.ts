// 3,072 elements per example do not fit into 1,024.
import { T, type Tensor } from 'diffeo'

declare const x: Tensor<readonly ['N', 32, 32, 3]>
export const y = T.reshape([32, 32, 1])(x)
