// A flow needs a bijector; a block has no shape yet.
import { compose, flow, squeeze, standardNormal } from 'diffeo'

export const model = flow(compose(squeeze, squeeze), standardNormal)
