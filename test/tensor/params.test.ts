/** Trees of parameters: paths, order, roles, and what starts where. */
import * as tf from '@tensorflow/tfjs-core'
import { key } from 'diffeo'
import { ready } from 'diffeo/engine'
import { countParams, disposeParams, foldIn, initialise, leaves, mapLeaves, normalArray, unwrap } from 'diffeo/tensor'
import { beforeAll, describe, expect, it } from 'vitest'
import { branch, constant, gaussian } from '../../src/tensor/params.js'
import { trust } from '../../src/tensor/tensor.js'

beforeAll(async () => {
  await ready('cpu')
})

const tree = { net: { in: { bias: 1 }, out: 2 }, scale: 3 }
const spec = {
  net: { kernel: gaussian([2, 3], 0.1), bias: constant([3], 0.5), mean: constant([3], 0, 'statistic') },
  noise: gaussian([4], 2, 'scale'),
}

describe('a tree', () => {
  it('has its leaves in order, by their paths', () => {
    const wanted = [
      ['net/in/bias', 1],
      ['net/out', 2],
      ['scale', 3],
    ]
    expect(leaves(tree)).toEqual(wanted)
    expect(leaves(tree, 'flow')).toEqual(wanted.map(([path, leaf]) => [`flow/${path}`, leaf]))
    expect(leaves(7)).toEqual([['', 7]])
    expect(leaves({})).toEqual([])
  })
  it('is mapped leaf by leaf, with the paths that leaves has', () => {
    expect(mapLeaves(tree, (leaf, path) => `${path} ${leaf}`)).toEqual({
      net: { in: { bias: 'net/in/bias 1' }, out: 'net/out 2' },
      scale: 'scale 3',
    })
    expect(mapLeaves({ a: 1 }, (_, path) => path, 'flow')).toEqual({ a: 'flow/a' })
  })
  it('has leaves that are objects: a declared parameter, an instance of a class, a list', () => {
    expect(leaves<unknown>(spec).map(([path]) => path)).toEqual(['net/kernel', 'net/bias', 'net/mean', 'noise'])
    const leaf = new Date(0)
    expect(leaves<unknown>({ a: leaf, b: [1, 2] })).toEqual([
      ['a', leaf],
      ['b', [1, 2]],
    ])
  })
})

describe('branch', () => {
  it('is the tree of that name, or an empty one for a leaf and for a name that is missing', () => {
    const bias = trust<readonly [1]>(tf.tensor1d([1]))
    const params = { net: { bias }, scale: bias }
    expect(branch(params, 'net')).toBe(params.net)
    expect([branch(params, 'scale'), branch(params, 'nothing')]).toEqual([{}, {}])
    unwrap(bias).dispose()
  })
})

describe('a declared parameter', () => {
  it('is a weight unless it is said what it is', () => {
    expect(constant([2], 3)).toEqual({ _tag: 'Param', shape: [2], role: 'weight', start: { constant: 3 } })
    expect(constant([], 1, 'statistic').role).toBe('statistic')
    expect(gaussian([2], 3)).toEqual({ _tag: 'Param', shape: [2], role: 'weight', start: { normal: 3 } })
    expect(gaussian([], 1, 'scale').role).toBe('scale')
  })
  it('counts with the size of its shape, if it is trained', () => {
    expect(countParams(spec)).toBe(6 + 3 + 4)
    expect(countParams({})).toBe(0)
  })
  it('starts at its constant, or at noise from its place in the tree', () => {
    const params = initialise(spec, key(5))
    const noise = (place: number, size: number, by: number) =>
      normalArray(foldIn(key(5), place), size).map((z) => z * by)
    const started = leaves(params).map(([path, leaf]) => {
      const t = unwrap(leaf as never) as tf.Tensor
      return [path, t.shape, [...t.dataSync()]]
    })
    expect(started).toEqual([
      ['net/kernel', [2, 3], [...noise(0, 6, 0.1)]],
      ['net/bias', [3], [0.5, 0.5, 0.5]],
      ['net/mean', [3], [0, 0, 0]],
      ['noise', [4], [...noise(3, 4, 2)]],
    ])
    const before = tf.memory().numTensors
    disposeParams(params)
    expect(tf.memory().numTensors).toBe(before - 4)
  })
})
