/** Nets of one's own. */
import * as tf from '@tensorflow/tfjs-core'
import { atShape, coupling, DiffeoException, halves, key, net, shapeError } from 'diffeo'
import { orThrow } from 'diffeo/fp'
import { checkLaws } from 'diffeo/laws'
import * as T from 'diffeo/tensor'
import { type AnyTensor, batch, type Params, unwrap } from 'diffeo/tensor'
import { describe, expect, it } from 'vitest'
import '../support.js'

const linear = net({
  name: 'linear',
  kind: 'vector',
  spec: ([from], [to]) => ({ dense: { kernel: T.gaussian([from, to], 1), bias: T.constant([to], 1) } }),
  run: ({ dense }, x) => T.bias(dense.bias)(T.matmul(dense.kernel)(x)),
})
/** The last channels of what it reads are those of the context; statistics count how often it was trained. */
const counting = net({
  name: 'counting',
  kind: 'image',
  spec: ([, , from], [, , to], context) => ({
    kernel: T.constant([1, 1, from, to], context),
    calls: T.constant([], 0, 'statistic'),
  }),
  run: ({ kernel }, x) => T.conv2d(kernel)(x),
  train: ({ kernel, calls }, x) => [T.conv2d(kernel)(x), { kernel, calls: T.plus(1)(calls) }],
})

describe('net', () => {
  it('has the parameters of its spec at its shapes, and runs', () =>
    tf.tidy(() => {
      const at = orThrow(linear.at([2], [3]))
      const params = T.initialise(at.spec, key(0))
      const [y, same] = at.run(params, batch([2], [1, 2, 3, 4]), false)
      expect(unwrap(y).shape).toEqual([2, 3])
      expect(same).toBe(params)
    }))
  it('gets the context, and returns the next statistics in training only', () =>
    tf.tidy(() => {
      const at = orThrow(counting.at([2, 2, 3], [2, 2, 1], 2))
      const params = T.initialise(at.spec, key(0))
      const image = T.reshape([2, 2, 3])(batch([12], Array(12).fill(1)))
      const [y, next] = at.run(params, image, true)
      expect([...unwrap(y).dataSync()]).toEqual([6, 6, 6, 6])
      expect(unwrap(next['calls'] as AnyTensor).dataSync()[0]).toBe(1)
      expect(at.run(params, image, false)[1]).toBe(params)
    }))
  it('frees what it computes on the way', () => {
    const at = orThrow(linear.at([2], [2]))
    const [params, x] = [T.initialise(at.spec, key(0)), batch([2], [1, 2])]
    const before = tf.memory().numTensors
    const [y] = at.run(params, x, true)
    expect(tf.memory().numTensors).toBe(before + 1)
    tf.dispose([unwrap(y), unwrap(x)])
    T.disposeParams(params)
  })
  it('conditions a coupling that obeys the laws', () => checkLaws(atShape([3], coupling(halves(), linear))))
  const zeros = net({ name: 'zeros', kind: 'vector', spec: () => ({}), run: (_, x) => x })
  const picky = net({
    name: 'picky',
    kind: 'vector',
    spec: ([from]): Record<string, T.Param<readonly [number]>> => {
      throw new DiffeoException(shapeError('picky', 'a pair', `${from}`))
    },
    run: (_, x) => x,
  })
  const faulty = net({
    name: 'faulty',
    kind: 'vector',
    spec: (): Record<string, T.Param> => {
      throw new TypeError('a fault')
    },
    run: (_, x) => x,
  })
  it.each<readonly [string, () => unknown]>([
    ['linear: expected a vector, got 2×2×3', () => orThrow(linear.at([2, 2, 3], [3]))],
    ['linear: expected a vector as output, got 2×2×3', () => orThrow(linear.at([3], [2, 2, 3]))],
    ['counting: expected height×width×channels, got 3', () => orThrow(counting.at([3], [2, 2, 3]))],
    ['picky: expected a pair, got 3', () => orThrow(picky.at([3], [3]))],
    ['a fault', () => orThrow(faulty.at([3], [3]))],
    [
      'linear: expected a parameter dense/kernel of shape 2×3, got none among 0',
      () => orThrow(linear.at([2], [3])).run({} as Params, batch([2], [1, 2]), false),
    ],
    ['zeros: expected 1×3, got 1×2', () => orThrow(zeros.at([2], [3])).run({}, batch([2], [1, 2]), false)],
  ])('says %s', (sentence, f) => expect(() => tf.tidy(() => void f())).toThrow(sentence))
})
