// The additive coupling says the same.
import { additiveCoupling, channelwise, mlp } from 'diffeo'

export const layer = additiveCoupling(channelwise(), mlp({ hidden: [8] }))
