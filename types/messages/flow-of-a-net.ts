// A net alone cannot be inverted.
import { flow, mlp, standardNormal } from 'diffeo'

export const a = flow(mlp(), standardNormal)
