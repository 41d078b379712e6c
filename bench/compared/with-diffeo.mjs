// task: density
import { density, key, nsf, train } from 'diffeo'
import { twoMoons } from 'diffeo/data'

const moons = twoMoons()
const flow = density([2], nsf())
const model = await train(flow, moons, { key: key(0), steps: 1000 })
console.log('density', (await model.evaluate(moons.sample(key(1), 1000))).nats)
// task: sample
const { data } = await model.sample(1000, { key: key(2) })
console.log('sample', data.length)

// task: conditional
import { standardNormal } from 'diffeo'

const [x, given] = [moons.sample(key(3), 5000), Float32Array.from(moons.sample(key(3), 5000), (v) => v + 1)]
const conditional = density([2], nsf(), standardNormal, { given: [2] })
const posterior = await train(conditional, { x, given }, { key: key(4), steps: 1000 })
const [logProb] = await posterior.given([1.5, 1.5]).logProb([[0.5, 0.5]])
console.log('conditional', logProb)

// task: save
import { load } from 'diffeo'

await model.save('moons.safetensors')
const again = await load(flow, 'moons.safetensors')
console.log('save', (await again.logProb([[0, 0]]))[0])

// task: variational
import { evaluateVariational, iaf, reverseKl } from 'diffeo'
import * as T from 'diffeo/tensor'

const energy = (z) => T.times(-0.5)(T.sumEvent(T.square(z)))
const q = density([2], iaf())
const fitted = await train(q, reverseKl(q, energy), { key: key(5), steps: 500 })
console.log('variational', (await evaluateVariational(q, energy, fitted.params, key(6), 2000)).logZ)
// end
process.exit(0)
