// An event of another shape, at a context.
import { type BatchOf, compose, coupling, flow, halves, input, mlp, type Params, standardNormal } from 'diffeo'

declare const params: Params
declare const ten: BatchOf<readonly [10]>
const posterior = flow(compose(input([2], { given: [10] }), coupling(halves(), mlp())), standardNormal)
export const nats = posterior.given(ten).logProb(params)(ten)
