// An odd width; the error names the tensor operation.
import { T, type Tensor } from 'diffeo'

declare const x: Tensor<readonly ['N', 8, 7, 3]>
export const y = T.spaceToDepth(x)
