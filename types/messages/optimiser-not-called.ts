// The optimiser is a function that returns one.

import { density, realNvpVector } from 'diffeo'
import type { BatchOf } from 'diffeo/tensor'
import { adam, constantRate, fit, type TrainState } from 'diffeo/train'

declare const state: TrainState
declare const x: BatchOf<readonly [2]>
const moons = density([2], realNvpVector())
export const wrong = fit(moons, state, { optimiser: adam, learningRate: constantRate(1e-3), batch: () => x })
