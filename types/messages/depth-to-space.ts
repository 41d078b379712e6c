// Six channels do not split into 2×2 squares.
import { T, type Tensor } from 'diffeo'

declare const x: Tensor<readonly ['N', 4, 4, 6]>
export const y = T.depthToSpace(x)
