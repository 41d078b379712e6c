// A density needs a shape: a block is not yet a bijector.
import { compose, flow, squeeze, standardNormal } from 'diffeo'

export const model = flow(compose(squeeze, squeeze), standardNormal)
