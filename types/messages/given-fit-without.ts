// Batches without contexts for a conditional flow.
import { adam, type BatchOf, constantRate, fit, flow, on, realNvpVector, standardNormal, type TrainState } from 'diffeo'

declare const start: TrainState
declare const two: BatchOf<readonly [2]>
const posterior = flow(on([2], realNvpVector(), { given: [10] }), standardNormal)
export const run = fit(posterior, start, { optimiser: adam(), learningRate: constantRate(1e-3), batch: () => two })
