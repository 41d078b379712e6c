// Functions whose layers, shapes or sizes are type parameters compile where they are correct, and their results are
// precise where they are called.
import { expectError, expectType } from 'tsd'
import type { Tensor } from '../../dist/src/entry/tensor.js'
import * as T from '../../dist/src/entry/tensor.js'
import {
  actNorm,
  affine,
  atShape,
  type Bijector,
  type Conditional,
  channelwise,
  checkerboard,
  compose,
  coupling,
  density,
  type Flow,
  factorOut,
  flip,
  halves,
  input,
  type Latents,
  type Layer,
  mlp,
  realNvp,
  realNvpVector,
  repeat,
  reverse,
  type Same,
  type Shape,
  type ShapeFn,
  squeeze,
  standardNormal,
} from '../../dist/src/index.js'

// a layer that is a type parameter
const normalised = <F extends ShapeFn>(l: Layer<F>) => compose(l, actNorm)
expectType<readonly [2, 2, 4]>(atShape([4, 4, 1], normalised(squeeze)).codomain)
expectType<readonly [3]>(atShape([3], normalised(flip)).codomain)
expectError(atShape([3, 4, 1], normalised(squeeze)))
const between = <F extends ShapeFn>(l: Layer<F>) => compose(actNorm, l, flip)
expectType<readonly [2, 2, 4]>(compose(input([4, 4, 1]), between(squeeze)).codomain)
const both = <F extends ShapeFn, G extends ShapeFn>(l: Layer<F>, m: Layer<G>) => compose(l, m)
expectType<readonly [1, 1, 16]>(atShape([4, 4, 1], both(squeeze, squeeze)).codomain)
const thrice = <F extends ShapeFn>(l: Layer<F>) => repeat(3, compose(l, actNorm))
expectType<readonly [1, 1, 64]>(atShape([8, 8, 1], thrice(squeeze)).codomain)
const atFour = <F extends ShapeFn>(l: Layer<F>) => [atShape([4], l), compose(input([4]), l)] as const
void atFour(flip)
const many = <F extends ShapeFn>(...ls: readonly Layer<F>[]) => compose(...ls)
void many(flip, flip)
const any = <L extends Layer<ShapeFn>>(l: L) => compose(l, actNorm)
void any(flip)

// a size that is a type parameter
const vector = <D extends number>(n: D): Flow<readonly [D], readonly [D]> => density([n], realNvpVector())
expectType<Flow<readonly [3], readonly [3]>>(vector(3))
const placed = <D extends number>(n: D) => atShape([n], realNvpVector())
expectType<Bijector<readonly [3], readonly [3]>>(placed(3))
const composed = <D extends number>(n: D): Bijector<readonly [D], readonly [D]> =>
  compose(input([n]), coupling(halves(), mlp()), actNorm)
expectType<Bijector<readonly [3], readonly [3]>>(composed(3))
const block = <D extends number>(n: D): Bijector<readonly [D], readonly [D]> =>
  atShape([n], compose(actNorm, coupling(halves())))
expectType<Bijector<readonly [3], readonly [3]>>(block(3))
const given = <D extends number, C extends number>(n: D, c: C): Conditional<readonly [D], readonly [C], readonly [D]> =>
  compose(input([n], { given: [c] }), coupling(halves(), mlp()))
expectType<Conditional<readonly [3], readonly [2], readonly [3]>>(given(3, 2))
const densityGiven = <D extends number, C extends number>(n: D, c: C) =>
  density([n], realNvpVector(), standardNormal, { given: [c] })
void densityGiven(3, 2)
const backwards = <D extends number>(n: D) => reverse(compose(input([n]), affine))
expectType<Bijector<readonly [3], readonly [3]>>(backwards(3))
const picture = <H extends number, W extends number, C extends number>(h: H, w: W, c: C) =>
  compose(input([h, w, c]), coupling(checkerboard()))
expectType<Bijector<readonly [4, 6, 3], readonly [4, 6, 3]>>(picture(4, 6, 3))
// … whose rule decides at the call: the compiler accepts the body
const squeezed = <H extends number, W extends number, C extends number>(h: H, w: W, c: C) =>
  compose(input([h, w, c]), squeeze, coupling(channelwise()), factorOut)
expectType<readonly [readonly [2, 3, 6], readonly [2, 3, 6]]>(squeezed(4, 6, 3).codomain)
const premade = <H extends number, W extends number>(h: H, w: W) => atShape([h, w, 3], realNvp())
expectType<readonly [readonly [4, 4, 6], readonly [4, 4, 6]]>(premade(8, 8).codomain)

// … and what is wrong for every size is an error in the body
expectError(<D extends number>(n: D) => density([n, n], realNvpVector()))
expectError(<D extends number>(n: D) => compose(input([n]), mlp()))

// a shape that is a type parameter
const whitened = <S extends Shape>(shape: S): Bijector<S, S> => compose(input(shape), actNorm, affine)
expectType<Bijector<readonly [4, 2], readonly [4, 2]>>(whitened([4, 2] as const))
const followed = <A extends Shape, B extends Latents>(b: Bijector<A, B>): Bijector<A, B> => compose(b, actNorm, flip)
expectType<Bijector<readonly [4, 4, 1], readonly [2, 2, 4]>>(followed(atShape([4, 4, 1], squeeze)))
const kept = <S extends Shape>(shape: S, l: Layer<Same>): Bijector<S, S> => compose(input(shape), l)
void kept

// operations whose sizes are type parameters
const centred = <D extends number>(x: Tensor<readonly ['N', D]>, mean: Tensor<readonly [D]>) => T.broadcastSub(mean)(x)
const column = <D extends number>(x: Tensor<readonly ['N', D]>, scale: Tensor<readonly [1]>) => T.broadcastMul(scale)(x)
const picked = <D extends number>(x: Tensor<readonly ['N', D]>) => T.gather([0, 2], 1)(x)
const averaged = <H extends number, W extends number>(x: Tensor<readonly ['N', H, W]>) => T.meanAxis(1)(x)
const swapped = <H extends number, W extends number>(x: Tensor<readonly ['N', H, W]>) => T.transpose([0, 2, 1])(x)
const parts = <D extends number>(x: Tensor<readonly ['N', D]>) => T.split([1, 2])(x)
const pieces = <D extends number>(x: Tensor<readonly ['N', D]>) => T.slice(0, 2)(x)
const flat = <H extends number, W extends number>(x: Tensor<readonly ['N', H, W]>) => T.reshape([12])(x)
declare const rows: Tensor<readonly ['N', 3]>
declare const table: Tensor<readonly ['N', 3, 4]>
declare const mean: Tensor<readonly [3]>
declare const one: Tensor<readonly [1]>
expectType<Tensor<readonly ['N', 3]>>(centred(rows, mean))
expectType<Tensor<readonly ['N', 3]>>(column(rows, one))
expectType<Tensor<readonly ['N', 2]>>(picked(rows))
expectType<Tensor<readonly ['N', 4]>>(averaged(table))
expectType<Tensor<readonly ['N', 4, 3]>>(swapped(table))
expectType<Tensor<readonly ['N', 2]>>(pieces(rows))
expectType<Tensor<readonly ['N', 12]>>(flat(table))
expectType<readonly [Tensor<readonly ['N', 1]>, Tensor<readonly ['N', 2]>]>(parts(rows))
expectError(<D extends number>(x: Tensor<readonly ['N', D]>) => T.meanAxis(2)(x))
