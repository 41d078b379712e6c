// The additive coupling reports the same error.
import { additiveCoupling, channelwise, mlp } from 'diffeo'

export const layer = additiveCoupling(channelwise(), mlp({ hidden: [8] }))
