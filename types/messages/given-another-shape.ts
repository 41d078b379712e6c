// A context of another shape.
import { type BatchOf, compose, coupling, flow, halves, input, mlp, standardNormal } from 'diffeo'

declare const seven: BatchOf<readonly [7]>
const posterior = flow(compose(input([2], { given: [10] }), coupling(halves(), mlp())), standardNormal)
export const at = posterior.given(seven)
