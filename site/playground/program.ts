import { density, realNvpVector } from 'diffeo'
import { twoMoons } from 'diffeo/data'

// the flow to train, and the density of the plane whose samples it sees
export const flow = density([2], realNvpVector({ couplings: 6, hidden: [32, 32], transformer: 'spline' }))
export const points = twoMoons()
