// A model over vectors of 3 cannot go on from a model over vectors of 2.
import { density, key, type Model, realNvpVector, train } from 'diffeo'
import { twoMoons } from 'diffeo/data'

declare const moons: Model<readonly [2], readonly [2]>
const space = density([3], realNvpVector())
export const wrong = train(space, [[1, 2, 3]], { key: key(0), from: moons.state })
export const right = train(density([2], realNvpVector()), twoMoons(), { key: key(0), from: moons.state })
