import * as tf from '@tensorflow/tfjs-core'
import {
  actNorm,
  batchNorm,
  bijector,
  checkerboard,
  compose,
  convNet,
  coupling,
  type Flow,
  flow,
  halves,
  input,
  key,
  mlp,
  standardNormal,
} from 'diffeo'
import * as T from 'diffeo/tensor'
import {
  type BatchOf,
  constant,
  foldIn,
  leaves,
  mapLeaves,
  normalArray,
  type Param,
  type Params,
  unwrap,
} from 'diffeo/tensor'
import {
  adam,
  averaged,
  averageParams,
  constantRate,
  copyState,
  disposeState,
  type MaybeLater,
  startTraining,
  type TrainState,
  trainStep,
} from 'diffeo/train'
import { describe, expect, it } from 'vitest'
import { trust } from '../../src/tensor/tensor.js'
import type { Latents, Shape } from '../../types/shape.js'
import { randomParams, values } from '../support.js'
import { descent, grown, moonBatch, moons, stateBits, tiny, tinyBatch, treeBits } from './toy.js'

const options = { optimiser: adam(), learningRate: constantRate(1e-2) }
const specs = <A extends Shape, B extends Latents>(f: Flow<A, B>) => leaves<Param>(f.bijector.spec)
const numbers = (params: Params) => leaves(params).map(([, leaf]) => values(leaf))

describe('step', () => {
  it('leaves parameters behind a stopGradient where they are, and trains the others', async () => {
    const shift = bijector({
      name: 'shift',
      domain: [2],
      codomain: [2],
      spec: { frozen: constant([2], 0.5), moving: constant([2], 0) },
      forward: ({ frozen, moving }, x) => [T.bias(T.add(moving)(T.stopGradient(frozen)))(x), T.zeroPerExample(x)],
      inverse: ({ frozen, moving }, z) => [T.bias(T.neg(T.add(moving)(frozen)))(z), T.zeroPerExample(z)],
    })
    const f = flow(shift, standardNormal)
    const x = moonBatch()(0)
    const [next] = await trainStep(f, options)(await startTraining(f, options.optimiser, key(0), x), x)
    expect(values(next.params['frozen'])).toEqual([0.5, 0.5])
    for (const v of values(next.params['moving'])) expect(Math.abs(v)).toBeGreaterThan(1e-3)
  })
  it.each([
    ['in the plane', () => [moons, moonBatch()] as const],
    ['with batch statistics', () => [tiny, tinyBatch] as const],
  ])('is a function: the same state and batch give the same bits, and are not changed, %s', async (_, make) => {
    const [f, batch] = make() as unknown as readonly [
      Flow<Shape, Latents>,
      (step: number) => MaybeLater<BatchOf<Shape>>,
    ]
    const state = await startTraining(f, options.optimiser, key(0), await batch(0))
    const x = await batch(1)
    const before = [stateBits(state), values(x)]
    const [first, metrics] = await trainStep(f, options)(state, x)
    const [second, again] = await trainStep(f, options)(state, x)
    expect(stateBits(second)).toEqual(stateBits(first))
    expect(again).toEqual(metrics)
    expect([stateBits(state), values(x)]).toEqual(before)
    expect(first.step).toBe(1)
    const size = leaves(first.params).length + first.moments.flat().length
    expect(await grown(() => disposeState(second))).toBe(-size)
    // The state that came in can go, and the next one stays.
    disposeState(state)
    expect(stateBits(first).step).toBe(1)
    disposeState(first)
    unwrap(x as never).dispose()
  })
  it.each([
    ['more', averaged(adam()), adam(), 'step: expected 2 lists of moments, got 3'],
    ['fewer', adam(), averaged(adam()), 'step: expected 3 lists of moments, got 2'],
  ])('refuses a state with %s moments than its optimiser has', async (_, made, asked, words) => {
    const state = await startTraining(moons, made, key(0), moonBatch()(0))
    const x = moonBatch()(1)
    const next = trainStep(moons, { ...options, optimiser: asked })
    const sentence = `${words}; pass the optimiser that made the state`
    expect(await grown(() => expect(next(state, x)).rejects.toThrow(sentence))).toBe(0)
    expect(await grown(() => expect(next.prepare(state, x)).rejects.toThrow(sentence))).toBe(0)
    disposeState(state)
    unwrap(x as never).dispose()
  })
  it('makes the tensors of the next state and no others', async () => {
    const state = await startTraining(tiny, options.optimiser, key(0), await tinyBatch(0))
    const size = leaves(state.params).length + state.moments.flat().length
    const x = await tinyBatch(0)
    let next = state
    expect(
      await grown(async () => {
        ;[next] = await trainStep(tiny, options)(state, x)
      }),
    ).toBe(size)
    expect(next.moments.length).toBe(2)
    disposeState(next)
    disposeState(state)
    unwrap(x).dispose()
  })
  it('moves the statistics with the batch, and ActNorm stays started', async () => {
    const state = await startTraining(tiny, options.optimiser, key(0), await tinyBatch(0))
    const [next] = await trainStep(tiny, options)(state, await tinyBatch(1))
    const changed = specs(tiny).flatMap(([path, { role }], i) =>
      role === 'statistic' && `${numbers(next.params)[i]}` !== `${numbers(state.params)[i]}` ? [path] : [],
    )
    const statistics = specs(tiny).flatMap(([path, { role }]) => (role === 'statistic' ? [path] : []))
    expect(changed).toEqual(statistics.filter((path) => !path.endsWith('started')))
    expect(changed.length).toBeGreaterThan(4)
    disposeState(state)
    disposeState(next)
  })
  it('lowers the loss on two moons', async () => {
    let state = await startTraining(moons, options.optimiser, key(0), moonBatch(128)(0))
    const next = trainStep(moons, options)
    const bits: number[] = []
    for (let i = 0; i < 120; i++) {
      const x = moonBatch(128)(i)
      const [after, { bitsPerDim }] = await next(state, x)
      disposeState(state)
      unwrap(x).dispose()
      state = after
      bits.push(bitsPerDim)
    }
    const mean = (list: number[]) => list.reduce((a, b) => a + b, 0) / list.length
    expect(mean(bits.slice(-10))).toBeLessThan(mean(bits.slice(0, 10)) - 0.2)
    disposeState(state)
  })
  it('puts the L2 term on scales only, and leaves it out of the figures', async () => {
    const start = { step: 0, params: randomParams(moons.bijector, key(5)), moments: [] }
    const x = moonBatch()(0)
    const moved = (l2: number) =>
      trainStep(moons, { optimiser: descent, learningRate: constantRate(1), clip: Number.POSITIVE_INFINITY, l2 })(
        start,
        x,
      )
    const [[without, plain], [withL2, penalised]] = [await moved(0), await moved(0.5)]
    const [a, b, from] = [without, withL2, start].map(({ params }) => numbers(params)) as [
      number[][],
      number[][],
      number[][],
    ]
    specs(moons).forEach(([, { role }], i) => {
      a[i]!.forEach((value, j) => {
        // d/ds of l2·s²/D with l2 = ½ and D = 2
        expect(b[i]![j]! - value).toBeCloseTo(role === 'scale' ? -from[i]![j]! / 2 : 0, 4)
      })
    })
    expect(specs(moons).some(([, { role }]) => role === 'scale')).toBe(true)
    expect(penalised.bitsPerDim).toBe(plain.bitsPerDim)
    expect(penalised.gradientNorm).not.toBe(plain.gradientNorm)
    for (const state of [start, without, withL2]) disposeState(state)
    unwrap(x).dispose()
  })
  it('reports −log p/(D log 2), and −log p, with batch statistics', async () => {
    const start = { step: 0, params: randomParams(tiny.bijector, key(6), 0.1), moments: [] }
    const x = await tinyBatch(0)
    const [next, { bitsPerDim, nats }] = await trainStep(tiny, { ...options, optimiser: descent })(start, x)
    const logProb = values(tiny.train(start.params)(x)[0])
    const wanted = -logProb.reduce((a, b) => a + b, 0) / logProb.length
    expect(bitsPerDim).toBeCloseTo(wanted / (16 * Math.LN2), 4)
    expect(nats).toBeCloseTo(wanted, 3)
    disposeState(start)
    disposeState(next)
  })
  it('clips the joint norm of the gradients and reports it from before', async () => {
    const start = { step: 0, params: randomParams(moons.bijector, key(7)), moments: [] }
    const x = moonBatch()(0)
    const moved = async (clip: number) => {
      const [next, { gradientNorm }] = await trainStep(moons, {
        optimiser: descent,
        learningRate: constantRate(1),
        clip,
      })(start, x)
      const [a, b] = [numbers(next.params).flat(), numbers(start.params).flat()]
      disposeState(next)
      return { length: Math.hypot(...a.map((v, i) => v - b[i]!)), gradientNorm }
    }
    const free = await moved(1e6)
    expect(free.length).toBeCloseTo(free.gradientNorm, 4)
    const clipped = await moved(free.gradientNorm / 4)
    expect(clipped.length).toBeCloseTo(free.gradientNorm / 4, 4)
    expect(clipped.gradientNorm).toBe(free.gradientNorm)
    disposeState(start)
    unwrap(x).dispose()
  })
  it('clips at 100 and holds scales with 5e-5 unless told, and counts rates from 0, an optimiser’s steps from 1', async () => {
    const start = { step: 0, params: randomParams(moons.bijector, key(7)), moments: [] }
    const [near, far] = [moonBatch()(0), trust<readonly ['N', 2]>(tf.mul(unwrap(moonBatch()(0)), 1e3))]
    const asked: number[] = []
    const noted = (n: number, rate: number) => {
      asked.push(n)
      return rate
    }
    const optimiser = { ...descent, rates: (n: number, rate: number) => [noted(n, rate)] }
    const learningRate = (n: number) => noted(n, 1)
    for (const x of [near, far]) {
      const [[next], [told, { gradientNorm }]] = [
        await trainStep(moons, { optimiser, learningRate })(start, x),
        await trainStep(moons, { optimiser, learningRate, clip: 100, l2: 5e-5 })(start, x),
      ]
      expect(stateBits(next)).toEqual(stateBits(told))
      expect(gradientNorm > 100).toBe(x === far)
      for (const state of [next, told]) disposeState(state)
    }
    expect(asked).toEqual(Array.from({ length: 4 }, () => [0, 1]).flat())
    tf.dispose([unwrap(near), unwrap(far)])
    disposeState(start)
  })
  it('answers figures that are not finite for bad data, and the state that came in is still good', async () => {
    const start = await startTraining(moons, options.optimiser, key(0), moonBatch()(0))
    const before = stateBits(start)
    const [next, metrics] = await trainStep(moons, options)(start, trust(tf.fill([4, 2], Number.NaN)))
    expect(metrics.bitsPerDim).toBeNaN()
    expect(stateBits(start)).toEqual(before)
    disposeState(start)
    disposeState(next)
  })

  // Smooth nets, because a central difference across the kink of a ReLU is no derivative.
  const smooth = flow(
    compose(
      input([2]),
      coupling(halves('first'), mlp({ hidden: [4], activation: 'tanh' })),
      batchNorm({ momentum: 0.5 }),
      actNorm,
      coupling(halves('second'), mlp({ hidden: [4], activation: 'tanh' })),
    ),
    standardNormal,
  )
  const picture = flow(
    compose(input([2, 2, 1]), coupling(checkerboard(), convNet({ hidden: [], weightNorm: true })), actNorm),
    standardNormal,
  )
  it.each([
    ['in the plane', () => [smooth, moonBatch(32)(3)] as const],
    [
      'on pictures, with weight norm',
      () => [picture, trust<readonly ['N', 2, 2, 1]>(tf.tensor(normalArray(key(8), 64), [16, 2, 2, 1]))] as const,
    ],
  ])('follows the gradient of the whole loss, by central differences of every leaf, %s', async (_, make) => {
    const [f, x] = make() as unknown as readonly [Flow<Shape, Latents>, BatchOf<Shape>]
    const dimensions = f.bijector.domain.reduce((a, b) => a * b, 1)
    const l2 = 0.3
    const start: TrainState = { step: 0, params: randomParams(f.bijector, key(9)), moments: [] }
    const scales = specs(f).map(([, { role }]) => role === 'scale')
    const loss = (params: Params): number => {
      const logProb = values(f.train(params)(x)[0])
      const squares = numbers(params).map((v, i) => (scales[i] ? v.reduce((a, b) => a + b * b, 0) : 0))
      const penalty = squares.reduce((a, b) => a + b, 0)
      return (-logProb.reduce((a, b) => a + b, 0) / logProb.length + l2 * penalty) / dimensions
    }
    const clip = Number.POSITIVE_INFINITY
    const [next] = await trainStep(f, { optimiser: descent, learningRate: constantRate(1), clip, l2 })(start, x)
    const [from, to] = [numbers(start.params), numbers(next.params)]
    const epsilon = 1e-2
    specs(f).forEach(([path, { role, shape }], i) => {
      if (role === 'statistic') return
      const place = Math.floor(normalArray(foldIn(key(10), i), 1)[0]! ** 2 * 7) % from[i]!.length
      const nudged = (by: number): Params =>
        mapLeaves(start.params, (leaf, at) => {
          const own = values(leaf)
          return at === path
            ? trust<Shape>(
                tf.tensor(
                  own.map((v, j) => (j === place ? v + by : v)),
                  [...shape],
                ),
              )
            : leaf
        }) as Params
      const slope = (loss(nudged(epsilon)) - loss(nudged(-epsilon))) / (2 * epsilon)
      const gradient = from[i]![place]! - to[i]![place]!
      expect(Math.abs(gradient - slope), `${path}: ${gradient}, ${slope}`).toBeLessThan(2e-3 + 5e-3 * Math.abs(slope))
    })
    disposeState(start)
    disposeState(next)
  })
})

describe('states', () => {
  it('start from the key, with ActNorm set by the first batch', async () => {
    const begin = () => startTraining(moons, options.optimiser, key(1), moonBatch()(0))
    const [a, b] = [await begin(), await begin()]
    expect(stateBits(a!)).toEqual(stateBits(b!))
    expect(a!.step).toBe(0)
    const started = leaves(a!.params).filter(([path]) => path.endsWith('started'))
    expect(started.map(([, leaf]) => values(leaf))).toEqual([[1]])
    disposeState(a!)
    disposeState(b!)
  })
  it('are copied into tensors of their own and freed whole', async () => {
    const state = await startTraining(moons, averaged(adam()), key(1), moonBatch()(0))
    const before = stateBits(state)
    let copy = state
    expect(
      await grown(() => {
        copy = copyState(state)
        disposeState(state)
      }),
    ).toBe(0)
    expect(stateBits(copy)).toEqual(before)
    disposeState(copy)
  })
  it('have no average where the optimiser keeps none: the compiler says so', async () => {
    const state = await startTraining(moons, adam(), key(1), moonBatch()(0))
    // @ts-expect-error Adam's second moments are no average
    expect(() => averageParams(moons, adam(), state)).toThrow()
    expect(() => averageParams(moons, averaged(adam()), state)).toThrow(
      'averageParams: expected 3 lists of moments, got 2; pass the optimiser that made the state',
    )
    disposeState(state)
  })
  it('borrow the average of the trained parameters, and keep the statistics', async () => {
    const optimiser = averaged(adam())
    const state = await startTraining(tiny, optimiser, key(1), await tinyBatch(0))
    const [next] = await trainStep(tiny, { ...options, optimiser })(state, await tinyBatch(0))
    const average = averageParams(tiny, optimiser, next)
    const roles = specs(tiny).map(([, { role }]) => role)
    const own = treeBits(next.params)
    const bits = treeBits(average)
    expect(bits.map(([path]) => path)).toEqual(own.map(([path]) => path))
    expect(bits.filter((_, i) => roles[i] === 'statistic')).toEqual(own.filter((_, i) => roles[i] === 'statistic'))
    const kept = next.moments.at(-1)!.map((m) => [...m.dataSync()])
    expect(numbers(average).filter((_, i) => roles[i] !== 'statistic')).toEqual(kept)
    disposeState(state)
    disposeState(next)
  })
})
