/**
 * Trees: lists and plain objects with leaves of one class, as batches, states and arguments of programs are.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import { isPlainObject } from './thrown.js'

/** The same tree with each leaf of a class replaced. */
export const mapTree = <Leaf>(
  tree: unknown,
  kind: abstract new (...args: never[]) => Leaf,
  f: (leaf: Leaf) => unknown,
): unknown =>
  tree instanceof kind
    ? f(tree)
    : Array.isArray(tree)
      ? tree.map((sub) => mapTree(sub, kind, f))
      : isPlainObject(tree)
        ? Object.fromEntries(Object.entries(tree).map(([name, sub]) => [name, mapTree(sub, kind, f)]))
        : tree

/** The subtrees of a tree that is no leaf, by name. */
const subtrees = (tree: unknown): readonly (readonly [name: string | number, sub: unknown])[] =>
  Array.isArray(tree) ? [...tree.entries()] : isPlainObject(tree) ? Object.entries(tree) : []

/** The tensors of a tree, in order. */
export const tensorsIn = (tree: unknown): readonly tf.Tensor[] =>
  tree instanceof tf.Tensor ? [tree] : subtrees(tree).flatMap(([, sub]) => tensorsIn(sub))

/** The tensors of a tree with the names that lead to them, `''` for a tree that is a tensor. */
export const namedTensors = (tree: unknown, path = ''): readonly (readonly [path: string, tensor: tf.Tensor])[] =>
  tree instanceof tf.Tensor
    ? [[path, tree]]
    : subtrees(tree).flatMap(([name, sub]) => namedTensors(sub, path === '' ? `${name}` : `${path}.${name}`))

/** The same tree with each tensor replaced. */
export const mapTensors = <T>(tree: T, f: (t: tf.Tensor) => tf.Tensor): T => mapTree(tree, tf.Tensor, f) as T
