// A conditional flow has a density only at a context.
import { compose, coupling, flow, halves, input, mlp, standardNormal } from 'diffeo'
import type { BatchOf, Params } from 'diffeo/tensor'

declare const params: Params
declare const theta: BatchOf<readonly [2]>
const posterior = flow(compose(input([2], { given: [10] }), coupling(halves(), mlp())), standardNormal)
export const nats = posterior.logProb(params)(theta)
