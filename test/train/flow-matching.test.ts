import * as tf from '@tensorflow/tfjs-core'
import {
  actNorm,
  affine,
  batchNorm,
  compose,
  continuous,
  density,
  diagonalGaussian,
  flip,
  flowMatching,
  key,
  realNvpVector,
  squeeze,
  train,
} from 'diffeo'
import { twoMoons } from 'diffeo/data'
import { ready } from 'diffeo/engine'
import { randomBatch, randomParams } from 'diffeo/laws'
import { batch, foldIn, leaves, normalArray, type Params, sizes } from 'diffeo/tensor'
import { adam, constantRate, evaluate, fit, startTraining } from 'diffeo/train'
import { beforeAll, describe, expect, it } from 'vitest'
import { velocityOf } from '../../src/bijector/continuous.js'
import { values } from '../support.js'

const moons = twoMoons({ noise: 0.05 })

describe('the flow-matching loss', () => {
  it('is the squared error of the velocity on straight lines', () => {
    tf.tidy(() => {
      const flow = density([2], continuous({ hidden: [5, 4] }))
      const params = randomParams(flow.spec, key(1))
      const objective = flowMatching(flow)
      const x = randomBatch([2], [-2, 2], 6, key(2))
      const matched = objective.noised(key(3), x as never)
      const [loss, next] = objective.loss(params)(matched)
      expect(next).toEqual(params)
      const [z, t] = [values(matched.noise[0]), values(matched.time)]
      expect(t.every((v) => v >= 0 && v < 1)).toBe(true)
      const velocity = velocityOf(flow.bijector)!(params, undefined)
      values(x).forEach((_, i) => {
        if (i % 2 === 1) return
        const n = i / 2
        const [a, b] = [z.slice(i, i + 2), values(x).slice(i, i + 2)]
        const at = a.map((v, k) => (1 - t[n]!) * v + t[n]! * b[k]!)
        const [u] = velocity.at(tf.tensor2d([at]), t[n]!)
        const error = values([u]).reduce((sum, v, k) => sum + (v - (b[k]! - a[k]!)) ** 2, 0)
        expect(values(loss)[n]).toBeCloseTo(error, 4)
      })
    })
  })
  it('draws the same noise for the same key', () => {
    const objective = flowMatching(density([2], continuous({ hidden: [3] })))
    tf.tidy(() => {
      const x = randomBatch([2], [-2, 2], 6, key(2)) as never
      const bits = (seed: number) => values(objective.noised(key(seed), x).noise)
      expect(bits(1)).toEqual(bits(1))
      expect(bits(1)).not.toEqual(bits(2))
    })
  })
  it('trains nothing but the velocity, on data as the layers before it leave them', () => {
    tf.tidy(() => {
      const flow = density([2], compose(actNorm, affine, continuous({ hidden: [3] })))
      const objective = flowMatching(flow)
      const x = randomBatch([2], [3, 9], 64, key(2))
      const matched = objective.noised(key(3), x as never)
      const params = objective.start!(flow.init(key(0)))(matched)
      const paths: Record<string, tf.Tensor> = {}
      const walk = (tree: Params, at: string): void => {
        for (const [name, sub] of Object.entries(tree))
          if (sub instanceof tf.Tensor) paths[`${at}/${name}`] = sub
          else walk(sub as Params, `${at}/${name}`)
      }
      walk(params, '')
      const names = Object.keys(paths)
      const gradients = tf.grads((...all: tf.Tensor[]) => {
        // so that those that the loss does not depend on have a gradient, 0
        const none = tf.addN(all.map((one) => tf.mul(tf.sum(one), 0)))
        return tf.add(tf.sum(objective.loss(params)(matched)[0] as never), none)
      })
      const moved = gradients(names.map((name) => paths[name]!)).map((g) => values([g]).some((v) => v !== 0))
      for (const [i, name] of names.entries())
        expect({ name, moved: moved[i] }).toEqual({ name, moved: /continuous\/(kernel1|bias1)/.test(name) })
      expect(Object.keys(objective.loss(params)(matched)[1])).toEqual(Object.keys(params))
    })
  })
  it('leaves the parameters of a base and of nested layers as they are, and returns all of them', () => {
    tf.tidy(() => {
      const nested = compose(actNorm, compose(flip, batchNorm({ momentum: 0.5 }), continuous({ hidden: [3] })))
      const flow = density([2], nested, diagonalGaussian)
      const objective = flowMatching(flow)
      const matched = objective.noised(key(3), randomBatch([2], [3, 9], 64, key(2)) as never)
      const params = randomParams(flow.spec, key(4))
      const [loss, next] = objective.loss(params)(matched)
      expect(values(loss)).toHaveLength(64)
      const shapes = (of: Params) => leaves(of as never).map(([path, one]) => [path, sizes(one as never)])
      expect(shapes(next)).toEqual(shapes(params))
      const changed = leaves(params as never).filter(([path, one]) => {
        const after = leaves(next as never).find(([other]) => other === path)!
        return values(one).join() !== values(after[1]).join()
      })
      expect(changed.map(([path]) => path.replace(/.*\//, ''))).toEqual(['mean', 'variance'])
      const base = (by: Params) => objective.loss(by)(matched)[0]
      const bases = leaves(params['base'] as never).map(([, one]) => one as never as tf.Tensor)
      const moved = tf.grads((...all: tf.Tensor[]) => {
        const none = tf.addN(all.map((one) => tf.mul(tf.sum(one), 0)))
        return tf.add(tf.sum(base(params) as never), none)
      })(bases)
      expect(moved.flatMap((g) => values([g])).every((v) => v === 0)).toBe(true)
    })
  })
  it.each([
    [density([2], realNvpVector({ couplings: 2 })), 'coupling, coupling, actNorm'],
    [density([2], compose(continuous(), actNorm)), 'continuous, actNorm'],
    [density([4, 4, 1], squeeze), 'squeeze'],
  ])('refuses flows that are not continuous: %#', (flow, names) => {
    expect(() => flowMatching(flow as never)).toThrow(
      `flowMatching: expected a flow whose last layer is continuous, got ${names}; end with continuous()`,
    )
  })
  it('refuses what is no density', () => {
    expect(() => flowMatching(continuous() as never)).toThrow('flowMatching: expected a density, got a layer')
  })
})

describe('training by flow matching', () => {
  beforeAll(() => ready('onnxruntime'))
  const flow = density([2], compose(actNorm, continuous({ hidden: [48, 48] })))

  it('in one call: the model has a likelihood', async () => {
    const model = await train(flow, moons, {
      key: key(0),
      steps: 1500,
      batch: 512,
      learningRate: 5e-3,
      objective: flowMatching,
    })
    expect(model.history).toHaveLength(20)
    expect(model.best!.loss).toBeLessThan(model.history[0]!.loss)
    const { nats } = await model.evaluate(moons.sample(key(2), 2000))
    expect(nats).toBeLessThan(0.9) // 1.1 of the best Gaussian, 0.289 of the moons
    await model.dispose()
  }, 60_000)

  it('with fit, which names the objective in validations', async () => {
    const objective = flowMatching(flow)
    const data = (step: number) =>
      objective.noised(foldIn(key(1), step), batch([2], moons.sample(foldIn(key(2), step), 64)))
    const optimiser = adam()
    const first = data(0)
    const start = await startTraining(objective, optimiser, key(0), first)
    const events = fit(objective, start, {
      optimiser,
      learningRate: constantRate(1e-3),
      batch: data,
      steps: 4,
      validation: { batches: { count: 1, at: () => data(99) }, every: 2 },
    })
    const names: string[] = []
    for await (const event of events) if (event._tag === 'Validated') names.push(event.name)
    expect(names).toEqual(['flow-matching loss', 'flow-matching loss'])
    const { name, mean } = await evaluate(objective, start.params, { count: 2, at: data })
    expect(name).toBe('flow-matching loss')
    expect(mean).toBeGreaterThan(0)
  })

  it('of a conditional flow learns a family: N(c, ½²) for a context c', async () => {
    const family = density([1], continuous({ hidden: [32, 32] }), undefined, { given: [1] })
    const sample = (k: ReturnType<typeof key>, n: number) => {
      const given = normalArray(foldIn(k, 0), n)
      return { x: normalArray(foldIn(k, 1), n).map((z, i) => given[i]! + z / 2), given }
    }
    const model = await train(
      family,
      { sample },
      { key: key(0), steps: 800, learningRate: 5e-3, objective: flowMatching },
    )
    const { x, given } = sample(key(5), 2000)
    const { nats } = await model.given(given).evaluate(x)
    const entropy = 0.5 * Math.log(2 * Math.PI * Math.E) - Math.LN2
    expect(nats).toBeLessThan(entropy + 0.08)
    await model.dispose()
  }, 60_000)
  it('refuses an objective besides data', async () => {
    const objective = { ...flowMatching(flow), draw: () => undefined }
    await expect(train(flow, objective as never, { key: key(0), objective: flowMatching })).rejects.toThrow(
      'train: expected data for the objective, got another objective',
    )
  })
})
