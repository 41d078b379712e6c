// Sizes and ranks known only at run time pass here, and the run-time twins check them; literal sizes are checked here.
import * as tf from '@tensorflow/tfjs-core'
import * as E from 'fp-ts/lib/Either.js'
import { pipe } from 'fp-ts/lib/function.js'
import { expectAssignable, expectError, expectNotAssignable, expectType } from 'tsd'
import { refine } from '../../dist/src/entry/fp.js'
import type { Add, Even, Half, Mul, Tensor } from '../../dist/src/entry/tensor.js'
import {
  type AnyBijector,
  type Apply,
  actNorm,
  atShape,
  type Bijector,
  checkerboard,
  compose,
  coupling,
  type DiffeoError,
  type EvenChannels,
  type Exactly,
  type FactorOut,
  factorOut,
  flatten,
  halves,
  input,
  type Latents,
  type Layer,
  mask,
  mlp,
  type ReshapeTo,
  realNvp,
  repeat,
  reshapeTo,
  resnet,
  reverse,
  type Same,
  type SameImage,
  type Shape,
  type ShapeFn,
  type Squeeze,
  squeeze,
} from '../../dist/src/index.js'

declare const size: number
declare const shape: Shape
const net = resnet()

// a size known only at run time
expectType<Bijector<readonly [number, number, 3], readonly [number, number, 12]>>(atShape([size, size, 3], squeeze))
expectType<Bijector<readonly [number, 28, 1], readonly [number, 14, 4]>>(atShape([size, 28, 1], squeeze))
expectType<readonly [number]>(compose(input([size, 8, 3]), flatten).codomain)
expectType<readonly [28, 28, 1]>(compose(input([size]), reshapeTo([28, 28, 1])).codomain)
expectType<readonly [readonly [4, 4, number], readonly [4, 4, number]]>(atShape([4, 4, size], factorOut).codomain)
expectType<readonly [number, 28, 3]>(atShape([size, 28, 3], coupling(checkerboard(), net)).codomain)
expectType<readonly [7, 7, 2]>({} as Apply<Exactly<readonly [14, 14, 1], readonly [7, 7, 2]>, readonly [number, 14, 1]>)
// … does not hide an error in another size
expectError(atShape([size, 27, 1], squeeze))
expectError(atShape([size, size], squeeze))
expectError(compose(input([size, 28, 3]), atShape([28, 28, 1], actNorm)))

// a rank known only at run time
expectType<readonly [number, number, number]>(atShape(shape, squeeze).codomain)
expectType<readonly [number]>(atShape(shape, flatten).codomain)
expectType<readonly [Shape, Shape]>(atShape(shape, factorOut).codomain)
expectType<Shape>(atShape(shape, coupling(checkerboard(), net)).codomain)
expectType<Shape>(
  atShape(
    shape,
    coupling(
      mask(shape, ([i]) => i === 0),
      mlp(),
    ),
  ).codomain,
)
expectError(compose(input(shape), squeeze, coupling(halves(), mlp())))

// layers known only at run time: the latents are `Latents`, not wrong
declare const layers: readonly Layer<ShapeFn>[]
declare const squeezes: readonly Layer<Squeeze>[]
declare const anyLayer: Layer<ShapeFn>
const checkered = coupling(checkerboard(), net)
expectType<Bijector<readonly [28, 28, 1], Latents>>(compose(input([28, 28, 1]), ...layers))
expectType<Bijector<readonly [28, 28, 1], Latents>>(compose(input([28, 28, 1]), ...squeezes))
expectType<Bijector<readonly [28, 28, 1], Latents>>(compose(input([28, 28, 1]), anyLayer, squeeze, factorOut))
expectType<Bijector<readonly [28, 28, 1], Latents>>(atShape([28, 28, 1], compose(...layers)))
expectType<Bijector<readonly [28, 28, 1], Latents>>(atShape([28, 28, 1], realNvp({ scales: size })))
expectType<Layer<ShapeFn>>(reverse(anyLayer))
expectError(compose(input([28, 28, 1]), anyLayer, squeeze, coupling(halves(), mlp())))
expectError(compose(input([27, 28, 1]), squeeze, anyLayer))

expectType<Bijector<readonly [28, 28, 1], Latents>>(atShape([28, 28, 1], repeat(size, squeeze)))
expectType<readonly [28, 28, 1]>(atShape([28, 28, 1], repeat(size, checkered)).codomain)
expectType<Bijector<readonly [28, 28, 1], Latents>>(atShape([28, 28, 1], repeat(2, anyLayer)))
expectError(atShape([28], repeat(size, checkered)))

// `any`: the latents are unknown, not wrong
declare const anything: AnyBijector
expectAssignable<Bijector<readonly [28, 28, 1], Latents>>(compose(input([28, 28, 1]), anything))
expectAssignable<Latents>(compose(input([28, 28, 1]), anything, squeeze).codomain)
expectType<Latents>(compose(input([28, 28, 1]), {} as Layer<ShapeFn>, anything).codomain)

// unions of sizes: an error only if none fits
declare const even: 28 | 32
declare const mixed: 28 | 27
declare const odd: 25 | 27
expectType<readonly [14 | 16, 14, 4]>(atShape([even, 28, 1], squeeze).codomain)
expectType<readonly [14 | 13, 14, 4]>(atShape([mixed, 28, 1], squeeze).codomain)
expectError(atShape([odd, 28, 1], squeeze))
expectError(atShape([28, 28, odd], factorOut))

// no rule returns `never`
expectNotAssignable<never>({} as Apply<Squeeze, readonly [7, 7, 1]>)
expectNotAssignable<never>({} as Apply<Squeeze, never>)
expectNotAssignable<never>({} as Apply<Squeeze, unknown>)
expectNotAssignable<never>({} as Apply<FactorOut, readonly []>)
expectNotAssignable<never>({} as Apply<EvenChannels, readonly [4]>)
expectNotAssignable<never>({} as Apply<SameImage, readonly string[]>)
expectNotAssignable<never>({} as Apply<ReshapeTo<readonly [4]>, readonly [3]>)
expectNotAssignable<never>({} as Apply<Exactly<readonly [4], readonly [4]>, readonly [3]>)
expectType<number>({} as Add<number, 3>)
expectType<number>({} as Mul<3, number>)
expectType<number>({} as Half<number>)
expectType<boolean>({} as Even<number>)
expectType<boolean>({} as Even<2 | 3>)

// `refine` types an untyped tensor
const images = refine(['N', 28, 28, 1])(tf.zeros([2, 28, 28, 1]))
expectType<E.Either<DiffeoError, Tensor<readonly ['N', 28, 28, 1]>>>(images)
const b = atShape([28, 28, 1], squeeze).bind({})
expectType<E.Either<DiffeoError, Tensor<readonly ['N', 14, 14, 4]>>>(
  pipe(
    images,
    E.map((x) => b.forward(x)[0]),
  ),
)
expectError(
  pipe(
    refine(['N', 28, 28, 3])(tf.zeros([2])),
    E.map((x) => b.forward(x)[0]),
  ),
)

// a tensor or bijector of one shape is not assignable to a wider or narrower shape
expectNotAssignable<Tensor<readonly ['N', number]>>({} as Tensor<readonly ['N', 4]>)
expectNotAssignable<Tensor<readonly ['N', 4]>>({} as Tensor<readonly ['N', number]>)
expectNotAssignable<Tensor<readonly ['N', 4]>>({} as Tensor<readonly ['N', 4], 'int32'>)
expectNotAssignable<Bijector<Shape, Shape>>({} as Bijector<readonly [4], readonly [4]>)
expectNotAssignable<Layer<Same>>({} as Layer<Squeeze>)
expectNotAssignable<Layer<Same>>({} as Layer<SameImage>)
expectNotAssignable<Layer<Same>>({} as Bijector<readonly [4], readonly [4]>)
expectNotAssignable<Layer<ReshapeTo<readonly [4]>>>({} as Layer<ReshapeTo<readonly [2, 2]>>)
expectAssignable<Layer<ShapeFn>>({} as Layer<Squeeze>)
