// A conditional flow draws only at a context.
import { compose, coupling, flow, halves, input, key, mlp, standardNormal } from 'diffeo'
import type { Params } from 'diffeo/tensor'

declare const params: Params
const posterior = flow(compose(input([2], { given: [10] }), coupling(halves(), mlp())), standardNormal)
export const draws = posterior.sample(params)(key(0), 10)
