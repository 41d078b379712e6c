// The net comes after the mask.
import { checkerboard, coupling, resnet } from 'diffeo'

export const wrong = coupling(resnet(), checkerboard())
