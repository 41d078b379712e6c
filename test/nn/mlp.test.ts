import * as tf from '@tensorflow/tfjs-core'
import { denseSpec, describeError, key, mlp, type Shape } from 'diffeo'
import { orThrow } from 'diffeo/fp'
import { randomBatch, randomParams } from 'diffeo/laws'
import { initialise, leaves, type Params, unwrap } from 'diffeo/tensor'
import * as E from 'fp-ts/lib/Either.js'
import { pipe } from 'fp-ts/lib/function.js'
import { describe, expect, it } from 'vitest'
import { values } from '../support.js'
import { netLaws } from './support.js'

describe.each([
  ['relu', mlp({ hidden: [5, 4] })],
  ['tanh', mlp({ hidden: [5, 4], activation: 'tanh' })],
  ['no hidden layer', mlp({ hidden: [] })],
])('mlp, %s', (_, net) => {
  netLaws(net, [3], [4])
})

describe('mlp', () => {
  it.each([
    ['relu', (v: number) => Math.max(v, 0)],
    ['tanh', Math.tanh],
  ] as const)('is W₂·%s(W₁·x + b₁) + b₂', (activation, act) => {
    tf.tidy(() => {
      const module = orThrow(mlp({ hidden: [3], activation }).at([2], [2]))
      const params = randomParams(module.spec, key(0))
      const at = (layer: string, leaf: string) => values((params[layer] as Params)[leaf])
      const x = randomBatch([2], [-2, 2], 1, key(1))
      const layer = (input: readonly number[], name: string) =>
        at(name, 'bias').map((b, o, bs) => input.reduce((s, v, i) => s + v * at(name, 'kernel')[i * bs.length + o]!, b))
      const hidden = layer(values(x), 'dense0').map(act)
      const [y] = module.run(params, x, false)
      layer(hidden, 'dense1').forEach((v, i) => {
        expect(values(y)[i]).toBeCloseTo(v, 5)
      })
    })
  })
  it('is one of ReLUs, and of two hidden layers of 64, unless told', () => {
    tf.tidy(() => {
      const [plain, same] = [mlp(), mlp({ hidden: [64, 64], activation: 'relu' })].map((net) =>
        orThrow(net.at([2], [3])),
      )
      const params = randomParams(plain!.spec, key(2))
      const x = randomBatch([2], [-2, 2], 3, key(3))
      expect(values(plain!.run(params, x, false)[0])).toEqual(values(same!.run(params, x, false)[0]))
      expect(plain!.spec).toEqual(same!.spec)
    })
  })
  it('has dense layers that start as noise unless told, and biases of 0', () => {
    const bias = { _tag: 'Param', shape: [3], role: 'weight', start: { constant: 0 } }
    const kernel = { _tag: 'Param', shape: [2, 3], role: 'weight' }
    expect(denseSpec(2, 3)).toEqual({ kernel: { ...kernel, start: { normal: 1 } }, bias })
    expect(denseSpec(2, 3, true)).toEqual({ kernel: { ...kernel, start: { constant: 0 } }, bias })
  })
  it('starts its hidden layers with the variance 2 / width', () => {
    tf.tidy(() => {
      const module = orThrow(mlp({ hidden: [200] }).at([50], [1]))
      const [first] = leaves(initialise(module.spec, key(0)))
      const kernel = values(first![1])
      expect(kernel).toHaveLength(10_000)
      expect(kernel.reduce((s, v) => s + v * v, 0) / kernel.length).toBeCloseTo(2 / 50, 2)
    })
  })
  it('is the same function in training and in evaluation, and keeps its parameters', () => {
    tf.tidy(() => {
      const module = orThrow(mlp().at([2], [2]))
      const params = randomParams(module.spec, key(2))
      const x = randomBatch([2], [-2, 2], 3, key(3))
      const [[evaluated], [trained, next]] = [module.run(params, x, false), module.run(params, x, true)]
      expect(values(trained)).toEqual(values(evaluated))
      expect(next).toBe(params)
      expect(Object.values(module.spec).map((p) => (p as typeof module.spec)['kernel'])).toMatchObject(
        [
          [2, 64],
          [64, 64],
          [64, 2],
        ].map((shape) => ({ shape })),
      )
      expect(unwrap(trained).dtype).toBe('float32')
    })
  })
  it.each<readonly [Shape, Shape, string]>([
    [[2, 2, 1], [4], 'mlp: expected a vector, got 2×2×1'],
    [[], [4], 'mlp: expected a vector, got scalar'],
    [[2], [2, 2, 1], 'mlp: expected a vector as output, got 2×2×1'],
  ])('refuses %j → %j', (from, to, sentence) => {
    expect(pipe(mlp().at(from, to), E.mapLeft(describeError))).toEqual(E.left(sentence))
  })
})
