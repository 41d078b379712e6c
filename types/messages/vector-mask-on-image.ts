// A mask over vectors after layers that keep the shape of an image.
import { actNorm, compose, coupling, halves, input, logit, mlp } from 'diffeo'

export const b = compose(input([28, 28, 1]), logit(), actNorm, coupling(halves(), mlp()))
