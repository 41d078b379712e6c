// `expected.txt` has what an editor shows when you hover over the names that the carets point at.
import {
  actNorm,
  atShape,
  checkerboard,
  compose,
  coupling,
  factorOut,
  flow,
  input,
  key,
  realNvp,
  repeat,
  resnet,
  reverse,
  squeeze,
  standardNormal,
} from 'diffeo'
import type { Tensor } from 'diffeo/tensor'
import * as T from 'diffeo/tensor'

const net = resnet()
//    ^
const step = compose(actNorm, coupling(checkerboard(), net))
//    ^
const steps = repeat(32, step)
//    ^
const squeezes = repeat(2, squeeze)
//    ^
const b = compose(input([32, 32, 3]), steps, squeeze, factorOut)
//    ^
const small = atShape([28, 28, 1], squeeze)
//    ^
const back = reverse(small)
//    ^
const premade = atShape([32, 32, 3], realNvp({ scales: 3 }))
//    ^
const density = flow(b, standardNormal)
//    ^
const params = density.init(key(0))
//    ^
declare const images: Tensor<readonly ['N', 32, 32, 3]>
const scores = density.logProb(params)(images)
//    ^
const [z, logDet] = b.bind(params).forward(images)
//     ^
const halves = T.split([1, 2])(images)
//    ^
void [back, halves, logDet, premade, scores, squeezes, z]
