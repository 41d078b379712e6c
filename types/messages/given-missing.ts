// A conditional flow has a density only at a context.
import { type BatchOf, compose, coupling, flow, halves, input, mlp, type Params, standardNormal } from 'diffeo'

declare const params: Params
declare const theta: BatchOf<readonly [2]>
const posterior = flow(compose(input([2], { given: [10] }), coupling(halves(), mlp())), standardNormal)
export const nats = posterior.logProb(params)(theta)
