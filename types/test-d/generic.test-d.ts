// User code that is generic over shapes is type-checked once, in its body.
import { pipe } from 'fp-ts/lib/function.js'
import { expectError, expectType } from 'tsd'
import { layer } from '../../dist/src/entry/fp.js'
import type { BatchOf, Half, Params, Tensor } from '../../dist/src/entry/tensor.js'
import * as T from '../../dist/src/entry/tensor.js'
import {
  type Apply,
  actNorm,
  affine,
  atShape,
  type Batch,
  type Bijector,
  bijector,
  compose,
  type Flow,
  factorOut,
  flip,
  flow,
  input,
  type Latents,
  type Layer,
  reverse,
  type Shape,
  type ShapeError,
  type ShapeFn,
  squeeze,
  standardNormal,
} from '../../dist/src/index.js'

type Matrix<I extends number, O extends number> = Tensor<readonly [I, O]>
type Row<C extends number> = Tensor<readonly [C]>

// an MLP generic over its widths: swapping its matrices is an error in the body, not at the calls
const mlp =
  <I extends number, H extends number, O extends number>(w1: Matrix<I, H>, b1: Row<H>, w2: Matrix<H, O>) =>
  (x: Tensor<readonly ['N', I]>): Tensor<readonly ['N', O]> =>
    pipe(x, T.matmul(w1), T.bias(b1), T.relu, T.matmul(w2))
declare const w1: Matrix<784, 128>
declare const b1: Row<128>
declare const w2: Matrix<128, 10>
declare const digits: Tensor<readonly ['N', 784]>
expectType<Tensor<readonly ['N', 10]>>(mlp(w1, b1, w2)(digits))
expectError(mlp(w2, b1, w1))
expectError(mlp(w1, b1, w2)(T.reshape([783])(digits)))
expectError(<I extends number, H extends number>(x: Tensor<readonly ['N', I]>, w: Matrix<H, I>) => T.matmul(w)(x))

// a residual block keeps any shape; passing a function that changes the shape is an error
const residual =
  <S extends Shape>(f: (x: Tensor<Batch<S>>) => Tensor<Batch<S>>) =>
  (x: Tensor<Batch<S>>): Tensor<Batch<S>> =>
    pipe(x, f, T.add(x))
declare const image: Tensor<readonly ['N', 8, 8, 3]>
expectType<Tensor<readonly ['N', 8, 8, 3]>>(residual<readonly [8, 8, 3]>(T.tanh)(image))
declare const wider: Tensor<readonly [3, 3, 3, 16]>
expectError(residual<readonly [8, 8, 3]>(T.conv2d(wider)))

// convolutions keep height and width
const twice =
  <H extends number, W extends number, C extends number>(kernel: Tensor<readonly [3, 3, C, C]>) =>
  (x: Tensor<readonly ['N', H, W, C]>): Tensor<readonly ['N', H, W, C]> =>
    pipe(x, T.conv2d(kernel), T.relu, T.conv2d(kernel))
declare const kernel: Tensor<readonly [3, 3, 3, 3]>
expectType<Tensor<readonly ['N', 8, 8, 3]>>(twice<8, 8, 3>(kernel)(image))

// concatenation along the last axis
expectType<Tensor<readonly ['N', 8, 8, 6]>>(pipe(image, T.concat(image)))
expectError(pipe(image, T.concat(digits)))
expectError(pipe(image, T.add(digits)))
expectType<Tensor<readonly ['N']>>(T.sumEvent(image))

// a bijector over any shape, made of layers that accept any shape
const normalised = <S extends Shape>(shape: S): Bijector<S, S> =>
  atShape(shape, compose(actNorm, compose(flip, affine)))
expectType<Bijector<readonly [4, 2], readonly [4, 2]>>(normalised([4, 2] as const))
expectError(<S extends Shape>(shape: S): Bijector<S, S> => atShape(shape, squeeze))

// functions of any bijector over images: they keep its shapes, and a bijector over vectors is an error
type Pictures = readonly [number, number, number]
const whiten = <S extends Pictures, B extends Latents>(b: Bijector<S, B>): Flow<S, B> => flow(b, standardNormal)
const rebuilt =
  <S extends Pictures, B extends Latents>(b: Bijector<S, B>, params: Params) =>
  (x: BatchOf<S>): BatchOf<S> => {
    const { forward, inverse } = b.bind(params)
    return inverse(forward(x)[0])[0]
  }
expectType<Flow<readonly [8, 8, 4], readonly [readonly [8, 8, 2], readonly [8, 8, 2]]>>(
  whiten(atShape([8, 8, 4], factorOut)),
)
expectType<Tensor<readonly ['N', 8, 8, 3]>>(rebuilt(atShape([8, 8, 3], squeeze), {})(image))
expectError(whiten(atShape([8], actNorm)))
expectError(rebuilt(atShape([8, 8, 4], squeeze), {})(image))
expectError(
  <S extends Pictures, B extends Latents>(b: Bijector<S, B>, x: BatchOf<B>): BatchOf<S> => b.bind({}).forward(x)[0],
)

// a user-defined layer with a shape function: it halves the rows and doubles the columns
interface Fold extends ShapeFn {
  readonly out: this['in'] extends readonly [infer R extends number, infer C extends number]
    ? readonly [Half<R>, C, 2]
    : ShapeError<'fold: expected rows×columns'>
}
declare const fold: Layer<Fold>
expectType<readonly [2, 6, 2]>({} as Apply<Fold, readonly [4, 6]>)
expectType<Bijector<readonly [4, 6], readonly [1, 3, 8]>>(compose(input([4, 6]), actNorm, fold, squeeze))
expectType<readonly [1, 3, 8]>(atShape([4, 6], compose(flip, fold, squeeze)).codomain)
expectError(compose(input([4, 6, 1]), fold))
expectError(reverse(fold))
expectType<Layer<Fold>>(layer<Fold>('fold', fold.at))

// a user-defined bijector
expectType<Bijector<readonly [2], readonly [2]>>(
  bijector({
    name: 'double',
    domain: [2],
    codomain: [2],
    spec: {},
    forward: (_, x) => [T.times(2)(x), T.zeroPerExample(x)],
    inverse: (_, z) => [T.times(0.5)(z), T.zeroPerExample(z)],
  }),
)
expectError(
  bijector({
    name: 'wrong',
    domain: [2],
    codomain: [4],
    spec: {},
    forward: (_, x) => [T.times(2)(x), T.zeroPerExample(x)],
    inverse: (_, z) => [T.times(0.5)(z), T.zeroPerExample(z)],
  }),
)
