// A context of another shape.
import { compose, coupling, flow, halves, input, mlp, standardNormal } from 'diffeo'
import type { BatchOf } from 'diffeo/tensor'

declare const seven: BatchOf<readonly [7]>
const posterior = flow(compose(input([2], { given: [10] }), coupling(halves(), mlp())), standardNormal)
export const at = posterior.given(seven)
