// What users write in annotations: mutable tuples mean the same shape of a tensor, and literal shapes are kept.
import { expectAssignable, expectError, expectNotAssignable, expectType } from 'tsd'
import type { Tensor } from '../../dist/src/entry/tensor.js'
import * as T from '../../dist/src/entry/tensor.js'
import {
  actNorm,
  compose,
  density,
  drawBase,
  input,
  key,
  type Layer,
  type Net,
  realNvpVector,
  type Same,
  standardNormal,
} from '../../dist/src/index.js'

declare const fixed: Tensor<readonly ['N', 2]>
declare const mutable: Tensor<['N', 2]>
expectAssignable<Tensor<['N', 2]>>(fixed)
expectAssignable<Tensor<readonly ['N', 2]>>(mutable)
expectAssignable<Tensor<['N', 2]>>(T.add(mutable)(fixed))
expectAssignable<Tensor<['N', 2]>>(T.add(fixed)(mutable))
expectNotAssignable<Tensor<['N', 3]>>(fixed)
expectNotAssignable<Tensor<['N', number]>>(fixed)
expectNotAssignable<Tensor<['N', 2], 'bool'>>(fixed)
const moons = density([2], realNvpVector())
expectType<Tensor<readonly ['N']>>(moons.logProb({})(mutable))
expectType<Tensor<readonly ['N']>>(moons.bijector.bind({}).forward(mutable)[1])
const scaled = (x: Tensor<['N', 2]>): Tensor<['N', 2]> => T.times(2)(x)
expectAssignable<Tensor<['N', 2]>>(scaled(fixed))

// a draw from a base keeps the literal shape
const b = compose(input([4]), actNorm)
expectType<Tensor<readonly ['N', 4]>>(b.bind({}).inverse(drawBase(standardNormal, [4], {}, key(1), 8))[0])
expectError(b.bind({}).inverse(drawBase(standardNormal, [5], {}, key(1), 8)))

// a list of anything is no list of layers
declare const anything: readonly unknown[]
declare const layersAndNets: readonly (Layer<Same> | Net<'vector'>)[]
expectError(compose(...anything))
expectError(compose(...layersAndNets))
