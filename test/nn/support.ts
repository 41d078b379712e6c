/** What the tests of the nets share. */
import * as tf from '@tensorflow/tfjs-core'
import { key, type Module, type Net, type Shape } from 'diffeo'
import { orThrow } from 'diffeo/fp'
import { randomBatch, randomParams } from 'diffeo/laws'
import { type AnyTensor, initialise, leaves, mapLeaves, type Param, type Params, unwrap } from 'diffeo/tensor'
import { expect, it } from 'vitest'
import { trust } from '../../src/tensor/tensor.js'
import { agreesWithDifferences } from '../gradients.js'
import { values } from '../support.js'

export type Kind = 'image' | 'vector'

/** A net as a function of its input and of the parameters that are trained, and where it stands. */
const asFunction = (module: Module, params: Params, x: AnyTensor, train: boolean) => {
  const trained = leaves<Param>(module.spec).filter(([, p]) => p.role !== 'statistic')
  const all = new Map(leaves<AnyTensor>(params))
  const f = (input: tf.Tensor, ...own: tf.Tensor[]): tf.Tensor => {
    const now = new Map(trained.map(([path], i) => [path, own[i]!]))
    const rebuilt = mapLeaves(module.spec, (_, path): AnyTensor => trust(now.get(path) ?? unwrap(all.get(path)!)))
    return unwrap(module.run(rebuilt, trust(input), train)[0])
  }
  return [
    f as (...xs: tf.Tensor[]) => tf.Tensor,
    [unwrap(x), ...trained.map(([path]) => unwrap(all.get(path)!))],
  ] as const
}

/** What is true of every net. */
export const netLaws = <K extends Kind>(
  net: Net<K>,
  from: Shape,
  to: Shape,
  { tolerance = 1e-2, startsAtZero = true } = {},
): void => {
  const module = orThrow(net.at(from, to))
  const input = (n: number, seed: number) => randomBatch(from, [-2, 2], n, key(seed))
  const modes = [false, true]
  it('answers the shape that it was asked for', () => {
    tf.tidy(() => {
      const params = randomParams(module.spec, key(1))
      for (const train of modes)
        for (const n of [1, 3]) expect(unwrap(module.run(params, input(n, 2), train)[0]).shape).toEqual([n, ...to])
    })
  })
  it(`starts ${startsAtZero ? 'at exactly 0, so that a coupling starts as the identity' : 'elsewhere than at 0'}`, () => {
    tf.tidy(() => {
      const params = initialise(module.spec, key(3))
      for (const train of modes) {
        const [y] = module.run(params, input(3, 4), train)
        expect(values(y).every((v) => v === 0)).toBe(startsAtZero)
      }
    })
  })
  it('is not 0 elsewhere, and depends on its input', () => {
    tf.tidy(() => {
      const params = randomParams(module.spec, key(5))
      const [first, second] = [6, 7].map((seed) => values(module.run(params, input(2, seed), false)[0]))
      expect(first!.some((v) => v !== 0)).toBe(true)
      expect(first).not.toEqual(second)
    })
  })
  it('has finite gradients at its start, some of which are not 0', () => {
    tf.tidy(() => {
      const [f, at] = asFunction(module, initialise(module.spec, key(8)), input(3, 9), true)
      const error = (...xs: tf.Tensor[]): tf.Tensor => tf.sum(tf.square(tf.sub(f(...xs), 1)))
      const gradients = tf
        .grads(error)([...at])
        .flatMap((g) => [...g.dataSync()])
      expect(gradients.every(Number.isFinite)).toBe(true)
      expect(gradients.some((g) => g !== 0)).toBe(true)
    })
  })
  it.each([10, 11, 12])('has the gradients that differences give, seed %i', (seed) => {
    tf.tidy(() => {
      const params = randomParams(module.spec, key(seed))
      for (const train of modes)
        agreesWithDifferences(...asFunction(module, params, input(3, seed + 20), train), { tolerance, most: 3 })
    })
  })
}
