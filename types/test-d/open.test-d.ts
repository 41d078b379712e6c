// What the compiler cannot know passes here and meets the run-time twin; what it does know it still says.
import * as tf from '@tensorflow/tfjs-core'
import * as E from 'fp-ts/lib/Either.js'
import { pipe } from 'fp-ts/lib/function.js'
import { expectAssignable, expectError, expectNotAssignable, expectType } from 'tsd'
import {
  type Add,
  type AnyBijector,
  type Apply,
  actNorm,
  type Bijector,
  checkerboard,
  compose,
  coupling,
  type DiffeoError,
  type Even,
  type EvenChannels,
  type Exactly,
  type FactorOut,
  factorOut,
  flatten,
  type Half,
  halves,
  input,
  type Latents,
  type Layer,
  type Mul,
  mask,
  mlp,
  on,
  type ReshapeTo,
  realNvp,
  refine,
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
  type Tensor,
} from '../../dist/src/index.js'

declare const size: number
declare const shape: Shape
const net = resnet()

// a size known only at run time
expectType<Bijector<readonly [number, number, 3], readonly [number, number, 12]>>(on([size, size, 3], squeeze))
expectType<Bijector<readonly [number, 28, 1], readonly [number, 14, 4]>>(on([size, 28, 1], squeeze))
expectType<readonly [number]>(compose(input([size, 8, 3]), flatten).codomain)
expectType<readonly [28, 28, 1]>(compose(input([size]), reshapeTo([28, 28, 1])).codomain)
expectType<readonly [readonly [4, 4, number], readonly [4, 4, number]]>(on([4, 4, size], factorOut).codomain)
expectType<readonly [number, 28, 3]>(on([size, 28, 3], coupling(checkerboard(), net)).codomain)
expectType<readonly [7, 7, 2]>({} as Apply<Exactly<readonly [14, 14, 1], readonly [7, 7, 2]>, readonly [number, 14, 1]>)
// … does not hide a mistake beside it
expectError(on([size, 27, 1], squeeze))
expectError(on([size, size], squeeze))
expectError(compose(input([size, 28, 3]), on([28, 28, 1], actNorm)))

// a rank known only at run time
expectType<readonly [number, number, number]>(on(shape, squeeze).codomain)
expectType<readonly [number]>(on(shape, flatten).codomain)
expectType<readonly [Shape, Shape]>(on(shape, factorOut).codomain)
expectType<Shape>(on(shape, coupling(checkerboard(), net)).codomain)
expectType<Shape>(
  on(
    shape,
    coupling(
      mask(shape, ([i]) => i === 0),
      mlp(),
    ),
  ).codomain,
)
expectError(compose(input(shape), squeeze, coupling(halves(), mlp())))

// layers known only at run time: the latents are not known either, rather than wrong
declare const layers: readonly Layer<ShapeFn>[]
declare const squeezes: readonly Layer<Squeeze>[]
declare const some: Layer<ShapeFn>
const checkered = coupling(checkerboard(), net)
expectType<Bijector<readonly [28, 28, 1], Latents>>(compose(input([28, 28, 1]), ...layers))
expectType<Bijector<readonly [28, 28, 1], Latents>>(compose(input([28, 28, 1]), ...squeezes))
expectType<Bijector<readonly [28, 28, 1], Latents>>(compose(input([28, 28, 1]), some, squeeze, factorOut))
expectType<Bijector<readonly [28, 28, 1], Latents>>(on([28, 28, 1], compose(...layers)))
expectType<Bijector<readonly [28, 28, 1], Latents>>(on([28, 28, 1], realNvp({ scales: size })))
expectType<Layer<ShapeFn>>(reverse(some))
expectError(compose(input([28, 28, 1]), some, squeeze, coupling(halves(), mlp())))
expectError(compose(input([27, 28, 1]), squeeze, some))

expectType<Bijector<readonly [28, 28, 1], Latents>>(on([28, 28, 1], repeat(size, squeeze)))
expectType<readonly [28, 28, 1]>(on([28, 28, 1], repeat(size, checkered)).codomain)
expectType<Bijector<readonly [28, 28, 1], Latents>>(on([28, 28, 1], repeat(2, some)))
expectError(on([28], repeat(size, checkered)))

// any: nothing is known, nothing is invented
declare const anything: AnyBijector
expectAssignable<Bijector<readonly [28, 28, 1], Latents>>(compose(input([28, 28, 1]), anything))
expectAssignable<Latents>(compose(input([28, 28, 1]), anything, squeeze).codomain)
expectType<Latents>(compose(input([28, 28, 1]), {} as Layer<ShapeFn>, anything).codomain)

// several sizes: refused only if none fits
declare const even: 28 | 32
declare const mixed: 28 | 27
declare const odd: 25 | 27
expectType<readonly [14 | 16, 14, 4]>(on([even, 28, 1], squeeze).codomain)
expectType<readonly [14 | 13, 14, 4]>(on([mixed, 28, 1], squeeze).codomain)
expectError(on([odd, 28, 1], squeeze))
expectError(on([28, 28, odd], factorOut))

// never is an answer of no rule
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

// the door from untyped tensors
const images = refine(['N', 28, 28, 1])(tf.zeros([2, 28, 28, 1]))
expectType<E.Either<DiffeoError, Tensor<readonly ['N', 28, 28, 1]>>>(images)
const b = on([28, 28, 1], squeeze).bind({})
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

// tensors and bijectors of one shape do not pass for those of another, wider or narrower
expectNotAssignable<Tensor<readonly ['N', number]>>({} as Tensor<readonly ['N', 4]>)
expectNotAssignable<Tensor<readonly ['N', 4]>>({} as Tensor<readonly ['N', number]>)
expectNotAssignable<Tensor<readonly ['N', 4]>>({} as Tensor<readonly ['N', 4], 'int32'>)
expectNotAssignable<Bijector<Shape, Shape>>({} as Bijector<readonly [4], readonly [4]>)
expectNotAssignable<Layer<Same>>({} as Layer<Squeeze>)
expectNotAssignable<Layer<Same>>({} as Layer<SameImage>)
expectNotAssignable<Layer<Same>>({} as Bijector<readonly [4], readonly [4]>)
expectNotAssignable<Layer<ReshapeTo<readonly [4]>>>({} as Layer<ReshapeTo<readonly [2, 2]>>)
expectAssignable<Layer<ShapeFn>>({} as Layer<Squeeze>)
