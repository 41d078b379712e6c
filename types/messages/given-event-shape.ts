// An event of another shape, at a context.
import { compose, coupling, flow, halves, input, mlp, standardNormal } from 'diffeo'
import type { BatchOf, Params } from 'diffeo/tensor'

declare const params: Params
declare const ten: BatchOf<readonly [10]>
const posterior = flow(compose(input([2], { given: [10] }), coupling(halves(), mlp())), standardNormal)
export const nats = posterior.given(ten).logProb(params)(ten)
