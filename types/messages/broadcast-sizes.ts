// Twelve numbers do not repeat along four channels.
import type { Tensor } from 'diffeo/tensor'
import * as T from 'diffeo/tensor'

declare const x: Tensor<readonly ['N', 8, 6, 4]>
declare const b: Tensor<readonly [12]>
export const a = T.broadcastAdd(b)(x)
