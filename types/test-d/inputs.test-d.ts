// Inputs of type `any`, `never`, unions and `number`: they disable no other check and cause no error.
import { pipe } from 'fp-ts/lib/function.js'
import { expectAssignable, expectError, expectNotAssignable, expectType } from 'tsd'
import type { Tensor } from '../../dist/src/entry/tensor.js'
import * as T from '../../dist/src/entry/tensor.js'
import {
  type Apply,
  actNorm,
  atShape,
  type Bijector,
  channelwise,
  checkerboard,
  compose,
  convNet,
  coupling,
  type EvenChannels,
  type FactorOut,
  type Flatten,
  factorOut,
  flatten,
  halves,
  input,
  type Latents,
  type Layer,
  type Mask,
  mask,
  mlp,
  type ReshapeTo,
  repeat,
  reshapeTo,
  resnet,
  reverse,
  type Squeeze,
  squeeze,
} from '../../dist/src/index.js'

// biome-ignore lint/suspicious/noExplicitAny: tests what users get for `any`
declare const anything: any
declare const nothing: never
declare const size: number
declare const several: 4 | 6
declare const image: Tensor<readonly ['N', 8, 6, 4]>
declare const tall: Tensor<readonly ['N', number, 6, 4]>
declare const deep: Tensor<readonly ['N', 8, 6, number]>

// shapes with one size of type `any`: that size passes, the others are checked
expectAssignable<Latents>(atShape([anything, 28, 1], squeeze).codomain)
expectAssignable<Latents>(atShape(anything, compose(squeeze, factorOut)).codomain)
expectError(atShape([anything, 27, 1], squeeze))
expectError(atShape([anything, 28], squeeze))
expectError(compose(input([anything, 28, 1]), squeeze, coupling(halves(), mlp())))

// no rule that changes the shape returns `never`, for any input
expectNotAssignable<never>({} as Apply<FactorOut, never>)
expectNotAssignable<never>({} as Apply<Flatten, never>)
expectNotAssignable<never>({} as Apply<ReshapeTo<readonly [4]>, never>)
expectNotAssignable<never>({} as Apply<Squeeze, readonly [number, 7, 1]>)
expectNotAssignable<never>({} as Apply<Squeeze, readonly [28 | 30, 7, 1]>)

// unions of shapes: a layer that fits none of them is an error
declare const either: readonly [8, 8, 4] | readonly [4, 4, 2]
expectType<readonly [4, 4, 16] | readonly [2, 2, 8]>(
  {} as Apply<Squeeze, readonly [8, 8, 4]> | Apply<Squeeze, readonly [4, 4, 2]>,
)
expectAssignable<Latents>(atShape(either, actNorm).codomain)
expectError(atShape(either, coupling(halves(), mlp())))
expectType<readonly [2 | 3, 4, 16]>(atShape([several, 8, 4], squeeze).codomain)
expectType<readonly [32 | 48]>(atShape([several, 8], flatten).codomain)
expectError(atShape([several, 8], reshapeTo([33])))

// masks and nets
declare const anyMask: Mask<EvenChannels, 'image' | 'vector'>
expectError(atShape([8, 8, 3], coupling(channelwise(anything), convNet())))
expectError(atShape([8, 8], coupling(checkerboard(anything), resnet(anything))))
expectError(coupling(checkerboard(anything), mlp(anything)))
expectType<Layer<EvenChannels>>(coupling(anyMask, mlp()))
expectType<readonly [number, 8, 4]>(atShape([size, 8, 4], coupling(channelwise(), convNet())).codomain)
expectError(atShape([size, 8, 3], coupling(channelwise(), convNet())))
expectType<readonly [5]>(
  atShape(
    [5],
    coupling(
      mask([size], ([i]) => i === 0),
      mlp(),
    ),
  ).codomain,
)
expectError(
  atShape(
    [5, 5],
    coupling(
      mask([size], ([i]) => i === 0),
      mlp(),
    ),
  ),
)

// layers: shapes before `any` are checked, shapes after it are unknown
declare const halving: Layer<Squeeze> | Layer<FactorOut>
expectError(compose(input([27, 28, 1]), squeeze, anything))
expectError(compose(input([28, 28, 1]), coupling(halves(), mlp()), anything))
expectAssignable<Latents>(compose(input([28, 28, 1]), anything, squeeze).codomain)
expectAssignable<Latents>(compose(input([28, 28, 2]), halving).codomain)
expectError(repeat(0, anything))
expectType<Bijector<readonly [2, 2, 16], readonly [4, 4, 4]>>(reverse(atShape([4, 4, 4], squeeze)))

// operations: a size of type `number` passes, the literal sizes beside it are compared
expectType<Tensor<readonly ['N', number, 3, 16]>>(pipe(tall, T.spaceToDepth))
expectType<Tensor<readonly ['N', 8, 6, number]>>(pipe(deep, T.concat(image)))
expectType<Tensor<readonly ['N', number]>>(T.reshape([size])(image))
expectType<Tensor<readonly ['N', 8, 6, 2]>>(T.slice(size, 2)(deep))
expectError(T.add(image)(deep))
expectError(T.add(deep)(image))
expectError(T.concat(tall)(image))
expectError(T.reshape([several, 1])(image))
expectError(T.sumAxis(4)(deep))
expectError(T.transpose([0, 1, 1, 2])(deep))
expectError(T.split([several, 4])(image))
expectError(T.matmul({} as Tensor<readonly [5, 3]>)(image))

// operations: `any` and `never` do not change the resulting shape
expectType<Tensor<readonly ['N', 8, 6, 4]>>(T.add(image)(anything))
expectType<Tensor<readonly ['N', 8, 6, 4]>>(T.add(image)(nothing))
expectType<Tensor<readonly ['N', 8, 6, 4]>>(T.times(anything)(image))
expectError(T.add(T.add(image)(anything))(deep))
