// An odd width, in the name of the tensor operation.
import { T, type Tensor } from 'diffeo'

declare const x: Tensor<readonly ['N', 8, 7, 3]>
export const y = T.spaceToDepth(x)
