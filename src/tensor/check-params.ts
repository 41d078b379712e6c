/**
 * Compares parameters with the spec of the layer that takes them.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import { DiffeoException, shapeError } from '../error.js'
import { leaves, type Param, type Params, type Spec, type Tree } from './params.js'
import { sameShape, show } from './shape.js'

const pathsOf = (tree: Tree<unknown>): ReadonlyMap<string, unknown> => new Map(leaves<unknown>(tree))

/** Describes a leaf that is not a tensor. */
const kindOf = (leaf: unknown): string =>
  leaf === null ? 'null' : Array.isArray(leaf) ? 'a list' : typeof leaf === 'object' ? 'an object' : `a ${typeof leaf}`

/** The first mismatch between parameters and a spec: what was expected, and what was found. */
const misfit = (spec: Spec, params: Params): readonly [expected: string, got: string] | undefined => {
  if (typeof params !== 'object' || params === null) return ['a tree of parameters', String(params)]
  if (typeof params['then'] === 'function') return ['a tree of parameters', 'a promise of one']
  const there = pathsOf(params)
  for (const [path, { shape }] of leaves<Param>(spec)) {
    const leaf = there.get(path)
    const expected = `a parameter ${path} of shape ${show(shape)}`
    if (leaf === undefined) return [expected, `none among ${there.size}`]
    if (!(leaf instanceof tf.Tensor)) return [expected, kindOf(leaf)]
    if (!sameShape(leaf.shape, shape)) return [expected, `one of shape ${show(leaf.shape)}`]
    if (leaf.dtype !== 'float32') return [`a parameter ${path} of float32`, `one of ${leaf.dtype}`]
  }
  const wanted = pathsOf(spec)
  const extra = [...there.keys()].find((path) => !wanted.has(path))
  return extra === undefined ? undefined : [`no parameter ${extra}`, 'one']
}

/** The specs that a tree fits, so that each tree is checked once. */
const fitted = new WeakMap<Params, WeakSet<Spec>>()

/**
 * Refuses parameters whose names or shapes are not those of a spec: TensorFlow.js would silently repeat smaller ones.
 *
 * @throws DiffeoException that names the first parameter that does not fit
 */
export const checkParams = (op: string, spec: Spec, params: Params): void => {
  if (fitted.get(params)?.has(spec)) return
  const wrong = misfit(spec, params)
  if (wrong !== undefined)
    throw new DiffeoException(
      shapeError(op, ...wrong, 'pass parameters of this model, from its init, its training or its checkpoint'),
    )
  trustParams(spec, params)
}

/** Marks parameters that were computed from others that fit: {@link checkParams} does not look through them. */
export const trustParams = (spec: Spec, params: Params): void => {
  const specs = fitted.get(params) ?? new WeakSet<Spec>()
  fitted.set(params, specs.add(spec))
}
