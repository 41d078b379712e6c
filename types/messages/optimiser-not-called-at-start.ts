// The optimiser is a function that returns one.
import { density, key, realNvpVector } from 'diffeo'
import type { BatchOf } from 'diffeo/tensor'
import { adam, startTraining } from 'diffeo/train'

declare const x: BatchOf<readonly [2]>
const moons = density([2], realNvpVector())
export const wrong = startTraining(moons, adam, key(0), x)
