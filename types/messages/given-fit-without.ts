// Batches without contexts for a conditional flow.
import { atShape, flow, realNvpVector, standardNormal } from 'diffeo'
import type { BatchOf } from 'diffeo/tensor'
import { adam, constantRate, fit, type TrainState } from 'diffeo/train'

declare const start: TrainState
declare const two: BatchOf<readonly [2]>
const posterior = flow(atShape([2], realNvpVector(), { given: [10] }), standardNormal)
export const run = fit(posterior, start, { optimiser: adam(), learningRate: constantRate(1e-3), batch: () => two })
