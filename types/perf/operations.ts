// A residual net written with typed operations.

import type { Tensor } from 'diffeo/tensor'
import * as T from 'diffeo/tensor'
import { pipe } from 'fp-ts/lib/function.js'

declare const k1: Tensor<readonly [3, 3, 12, 48]>
declare const k2: Tensor<readonly [3, 3, 48, 12]>
declare const w: Tensor<readonly [3072, 10]>
type Image = Tensor<readonly ['N', 16, 16, 12]>
const block = (x: Image): Image => pipe(x, T.conv2d(k1), T.relu, T.conv2d(k2), T.add(x))
export const net = (x: Tensor<readonly ['N', 32, 32, 3]>): Tensor<readonly ['N', 10]> =>
  pipe(x, T.spaceToDepth, block, block, block, block, T.reshape([3072]), T.matmul(w))
export const halves = (x: Image) => pipe(x, T.slice(6, 6), T.concat(pipe(x, T.slice(0, 6))), T.transpose([0, 3, 1, 2]))
