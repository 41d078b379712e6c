// A bias of another width.
import { T, type Tensor } from 'diffeo'

declare const x: Tensor<readonly ['N', 128]>
declare const b: Tensor<readonly [64]>
export const y = T.bias(b)(x)
