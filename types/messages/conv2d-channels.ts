// A kernel for three channels, an image with twelve.

import type { Tensor } from 'diffeo/tensor'
import * as T from 'diffeo/tensor'
import { pipe } from 'fp-ts/lib/function.js'

declare const x: Tensor<readonly ['N', 16, 16, 12]>
declare const kernel: Tensor<readonly [3, 3, 3, 32]>
export const y = pipe(x, T.conv2d(kernel))
