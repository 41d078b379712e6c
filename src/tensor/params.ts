/**
 * Parameters are values: a tree of named tensors, passed in and handed out. A layer declares a tree of {@link Param}
 * (shape, role, start); {@link initialise} makes the tensors from it and a key.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import type { Shape } from '../../types/shape.js'
import { DiffeoException, shapeError } from '../error.js'
import { hosted } from '../host.js'
import { isPlainObject } from '../thrown.js'
import { drawn, isTracing } from '../tracing.js'
import { tidy } from './ops.js'
import { foldIn, type Key } from './random.js'
import { product, show } from './shape.js'
import { drawnArray, identityArray, type ParamStart } from './starts.js'
import { type AnyTensor, type Tensor, trust, unwrap } from './tensor.js'

export type { ParamStart } from './starts.js'

// -------------------------------------------------------------------------------------
// model
// -------------------------------------------------------------------------------------

/**
 * - `weight`: trained
 * - `scale`: trained, and under the L2 term of the loss (Eq. 20)
 * - `statistic`: not trained: a running mean, or whether a data-dependent start has happened
 */
export type Role = 'weight' | 'scale' | 'statistic'

/** One tensor of parameters, before it has values. */
export interface Param<S extends Shape = Shape> {
  readonly _tag: 'Param'
  readonly shape: S
  readonly role: Role
  readonly start: ParamStart
}

/** A tree with named branches. */
export type Tree<A> = A | Branch<A>
export interface Branch<A> {
  readonly [name: string]: Tree<A>
}
export type Spec = Branch<Param>
export type Params = Branch<AnyTensor>

/** The tensors that a spec describes. */
export type ParamsOf<T> = {
  readonly [K in keyof T]: T[K] extends Param<infer S> ? Tensor<S> : T[K] extends Spec ? ParamsOf<T[K]> : never
}

// -------------------------------------------------------------------------------------
// constructors
// -------------------------------------------------------------------------------------

/**
 * A parameter that starts at a constant.
 *
 * @example countParams({ bias: constant([3], 0) }) // 3
 */
export const constant = <const S extends Shape>(shape: S, value: number, role: Role = 'weight'): Param<S> => ({
  _tag: 'Param',
  shape,
  role,
  start: { constant: value },
})

/**
 * A parameter that starts as normal noise of the given standard deviation.
 *
 * @example countParams({ kernel: gaussian([2, 3], 0.1) }) // 6
 */
export const gaussian = <const S extends Shape>(shape: S, deviation: number, role: Role = 'weight'): Param<S> => ({
  _tag: 'Param',
  shape,
  role,
  start: { normal: deviation },
})

/** A matrix, or a stack of them in the last two axes. */
type Matrices = readonly [...number[], number, number]

const matrixParam = <S extends Shape>(name: string, shape: S, role: Role, start: ParamStart): Param<S> => {
  if (shape.length < 2) throw new DiffeoException(shapeError(name, 'at least two dimensions', show(shape)))
  return { _tag: 'Param', shape, role, start }
}

/**
 * A parameter that starts as the identity matrix. With more than two dimensions, as the kernel of a convolution: the
 * identity at the middle tap, 0 at the others.
 *
 * @example countParams({ mixing: identityMatrix([3, 3]) }) // 9
 * @throws DiffeoException if the shape, known only at run time, has fewer than two dimensions
 */
export const identityMatrix = <const S extends Matrices>(shape: S, role: Role = 'weight'): Param<S> =>
  matrixParam('identityMatrix', shape, role, { identity: true })

/**
 * A parameter that starts as a random orthogonal matrix times `gain`, uniform among all of them: its columns are
 * orthonormal, or its rows where there are fewer rows than columns. Dimensions before the last count as rows.
 *
 * @example countParams({ mixing: orthogonal([3, 3]) }) // 9
 * @throws DiffeoException if the shape, known only at run time, has fewer than two dimensions
 */
export const orthogonal = <const S extends Matrices>(shape: S, gain = 1, role: Role = 'weight'): Param<S> =>
  matrixParam('orthogonal', shape, role, { orthogonal: gain })

/**
 * A parameter that starts at values from any function of a key and of their number, in row-major order. Its spec is not
 * plain data, as those of the other starts are.
 *
 * @example countParams({ centres: fromKey([5, 2], uniformArray) }) // 10
 * @throws DiffeoException from {@link initialise} if the function returns another number of values
 */
export const fromKey = <const S extends Shape>(
  shape: S,
  values: (key: Key, size: number) => ArrayLike<number>,
  role: Role = 'weight',
): Param<S> => ({ _tag: 'Param', shape, role, start: { fromKey: values } })

// -------------------------------------------------------------------------------------
// combinators
// -------------------------------------------------------------------------------------

const isBranch = <A>(tree: Tree<A>): tree is Branch<A> => isPlainObject(tree) && !('_tag' in tree)

/**
 * The leaves with their paths, `name/name/name`, in order.
 *
 * @example leaves({ net: { bias: 1 }, scale: 2 }) // [['net/bias', 1], ['scale', 2]]
 */
export const leaves = <A>(tree: Tree<A>, path = ''): readonly (readonly [path: string, leaf: A])[] =>
  isBranch(tree)
    ? Object.keys(tree).flatMap((name) => leaves(tree[name]!, path === '' ? name : `${path}/${name}`))
    : [[path, tree]]

/**
 * The same tree with every leaf replaced.
 *
 * @example
 * mapLeaves({ net: { bias: 1 }, scale: 2 }, (leaf, path) => `${path} ${leaf}`) // { net: { bias: 'net/bias 1' }, … }
 */
export const mapLeaves = <A, B>(tree: Branch<A>, f: (leaf: A, path: string) => B, path = ''): Branch<B> =>
  Object.fromEntries(
    Object.entries(tree).map(([name, sub]) => {
      const at = path === '' ? name : `${path}/${name}`
      return [name, isBranch(sub) ? mapLeaves(sub, f, at) : f(sub, at)]
    }),
  )

/**
 * The leaf or branch at a path: a layer's own part of its parent's parameters.
 *
 * @example branch(params, '0') // the parameters of the first layer
 */
export const branch = (params: Params, name: string): Params => {
  const sub = params[name]
  return sub !== undefined && isBranch(sub) ? sub : {}
}

const filled = (shape: Shape, value: number): tf.Tensor =>
  isTracing() ? tf.fill([...shape], value) : hosted(new Float32Array(product(shape)).fill(value), shape)

/**
 * Parameters at their start: each leaf draws from `foldIn(key, its place in the tree)`.
 *
 * @example const own = initialise(moons.bijector.spec, key(0)) // the caller’s to free: disposeParams(own)
 */
export const initialise = (spec: Spec, key: Key): Params => {
  let place = 0
  const start = ({ shape, start }: Param): AnyTensor => {
    const own = foldIn(key, place++)
    return trust<Shape>(
      'constant' in start
        ? filled(shape, start.constant)
        : 'identity' in start
          ? hosted(identityArray(shape), shape)
          : drawn('init', shape, () => drawnArray(start, own, shape), hosted),
    )
  }
  // if a start throws, all tensors made so far are freed
  return tidy(() => mapLeaves(spec, start))
}

/**
 * How many numbers a spec describes, by role.
 *
 * @example countParams(moons.bijector.spec)
 */
export const countParams = (spec: Spec): number =>
  leaves<Param>(spec).reduce((n, [, p]) => n + (p.role === 'statistic' ? 0 : product(p.shape)), 0)

/**
 * Frees every tensor of a tree.
 *
 * @example disposeParams(moons.init(key(0)))
 */
export const disposeParams = (params: Params): void => {
  for (const [, leaf] of leaves<AnyTensor>(params)) unwrap(leaf).dispose()
}
