/** What the premade flows besides Real NVP are made of, and how they start, sample and refuse. */
import * as tf from '@tensorflow/tfjs-core'
import {
  type AnyBijector,
  atShape,
  cnf,
  describeError,
  flowPlusPlus,
  gaussianization,
  glow,
  iaf,
  key,
  type Layer,
  maf,
  naf,
  nsf,
  residualFlow,
  type Shape,
  type ShapeFn,
  Transformers,
} from 'diffeo'
import { randomBatch } from 'diffeo/laws'
import { leaves, type Param, type Params } from 'diffeo/tensor'
import * as E from 'fp-ts/lib/Either.js'
import { pipe } from 'fp-ts/lib/function.js'
import { describe, expect, it } from 'vitest'
import { randomParams, values } from '../support.js'

const names = ({ parts = [] }: AnyBijector): string => parts.map(({ name }) => name).join(' ')

describe.each<[string, AnyBijector, string]>([
  ['maf', atShape([3], maf({ layers: 2 })), 'affineAutoregressive actNorm flip affineAutoregressive actNorm'],
  [
    'iaf',
    atShape([3], iaf({ layers: 2, transformer: Transformers.spline() })),
    'reverse(splineAutoregressive) actNorm flip reverse(splineAutoregressive) actNorm',
  ],
  [
    'naf',
    atShape([3], naf({ layers: 2, units: 1 })),
    'sigmoidalAutoregressive actNorm flip sigmoidalAutoregressive actNorm',
  ],
  ['cnf', atShape([3], cnf()), 'actNorm continuous'],
  ['residualFlow', atShape([3], residualFlow({ layers: 2 })), 'actNorm residual actNorm residual actNorm'],
  [
    'flowPlusPlus',
    atShape([4, 4, 1], flowPlusPlus({ checkers: 1, width: 2, blocks: 1 })),
    [
      'logit actNorm luLinear mixtureCoupling mixtureCoupling squeeze',
      'actNorm luLinear mixtureCoupling actNorm luLinear mixtureCoupling',
      'actNorm luLinear mixtureCoupling mixtureCoupling',
    ].join(' '),
  ],
  ['nsf', atShape([3], nsf({ layers: 2 })), 'actNorm luLinear splineCoupling actNorm luLinear splineCoupling'],
  [
    'autoregressive nsf',
    atShape([3], nsf({ layers: 1, autoregressive: true })),
    'actNorm luLinear splineAutoregressive',
  ],
  [
    'gaussianization',
    atShape([3], gaussianization({ layers: 1 })),
    'actNorm splineElementwise rotation actNorm splineElementwise',
  ],
  [
    'glow',
    atShape([8, 8, 1], glow({ steps: 2, width: 2 })),
    [
      'logit squeeze actNorm luLinear coupling actNorm luLinear coupling factorOut',
      'squeeze actNorm luLinear coupling actNorm luLinear coupling',
    ].join(' '),
  ],
])('%s', (_, b, path) => {
  it('is this path', () => expect(names(b)).toBe(path))
  it('normalises its first batch and starts as a volume change by constants', () => {
    tf.tidy(() => {
      const [x, other] = [1, 2].map((seed) => randomBatch(b.domain, [3, 7], 16, key(seed)))
      const [, , params] = b.start(b.init(key(0)))(x as never)
      const [z, logDet] = b.bind(params).forward(x as never)
      const all = values(z)
      expect(Math.abs(all.reduce((sum, v) => sum + v, 0) / all.length)).toBeLessThan(0.2)
      if (b.domain.length > 1) return // the logit's slopes are not constant
      const volumes = [...values(logDet), ...values(b.bind(params).forward(other as never)[1])]
      for (const v of volumes) expect(v).toBeCloseTo(volumes[0]!, 4)
    })
  })
})

it('a layer of iaf is a layer of maf in the other direction', () => {
  tf.tidy(() => {
    const options = { layers: 1, hidden: [7], activation: 'tanh' } as const
    const [forth, back] = [atShape([4], maf(options)), atShape([4], iaf(options))]
    const random = Object.entries(randomParams(forth, key(1)))
    const net = random.find(([name]) => name.includes('Autoregressive'))![1]
    const withNet = (b: AnyBijector): Params =>
      Object.fromEntries(
        Object.entries(b.init(key(0))).map(([name, own]) => [name, name.includes('Autoregressive') ? net : own]),
      )
    const [plain, shared] = [withNet(forth), withNet(back)]
    const x = randomBatch([4], [-2, 2], 5, key(2))
    const [y, logDet] = forth.bind(plain).forward(x as never)
    const [z, opposite] = back.bind(shared).forward(y as never)
    for (const [i, v] of values(z).entries()) expect(v).toBeCloseTo(values(x)[i]!, 5)
    for (const [i, v] of values(opposite).entries()) expect(v).toBeCloseTo(-values(logDet)[i]!, 5)
    expect(values(back.bind(shared).inverse(x as never)[0])).toEqual(values(y))
  })
})

it('glow mixes channels in another way at each step', () => {
  tf.tidy(() => {
    const b = atShape([8, 8, 1], glow({ scales: 1, steps: 6, width: 2 }))
    const event = tf.tile(tf.reshape(tf.range(0, 4), [1, 1, 1, 4]), [1, 4, 4, 1])
    const orders = (b.parts ?? []).flatMap((part) => {
      if (part.name !== 'luLinear') return []
      const { values: y } = part.runs.forward({ params: part.init(key(0)), values: [event as never] })
      return [values(y[0]).slice(0, 4).join()]
    })
    expect(orders).toHaveLength(6)
    expect(new Set(orders).size).toBeGreaterThan(3)
  })
})

it('glow squeezes at every scale, and its nets are as wide as asked', () => {
  const b = atShape([8, 8, 3], glow({ scales: 3, steps: 1, width: 5 }))
  expect(b.codomain).toEqual([
    [4, 4, 6],
    [2, 2, 12],
    [1, 1, 48],
  ])
  const widths = leaves<Param>(b.spec).flatMap(([path, { shape }]) => (path.endsWith('conv1/kernel') ? [shape] : []))
  for (const shape of widths) expect(shape.slice(-2)).toEqual([5, 5])
})

const said = (of: Layer<ShapeFn>, shape: Shape) => pipe(of.at(shape), E.mapLeft(describeError))
it.each<[Layer<ShapeFn>, Shape, string]>([
  [maf({ layers: 0 }), [2], 'maf: expected a whole number of layers from 1, got 0'],
  [iaf({ layers: 1.5 }), [2], 'iaf: expected a whole number of layers from 1, got 1.5'],
  [nsf({ layers: -1 }), [2], 'nsf: expected a whole number of layers from 1, got -1'],
  [maf({ hidden: [0] }), [2], 'affineAutoregressive: expected a list of hidden widths, whole numbers from 1, got 0'],
  [gaussianization({ layers: 0 }), [2], 'gaussianization: expected a whole number of layers from 1, got 0'],
  [naf({ layers: 0 }), [2], 'naf: expected a whole number of layers from 1, got 0'],
  [naf({ units: 0 }), [2], 'sigmoidalAutoregressive: expected a whole number of units from 1, got 0'],
  [residualFlow({ layers: 0 }), [2], 'residualFlow: expected a whole number of layers from 1, got 0'],
  [cnf({ steps: 0 }), [2], 'continuous: expected a whole number of steps from 1, got 0'],
  [flowPlusPlus({ blocks: 0 }), [4, 4, 1], 'flowPlusPlus: expected a whole number of blocks from 1, got 0'],
  [flowPlusPlus({ components: 0 }), [4, 4, 1], 'mixtureCoupling: expected a whole number of components from 1, got 0'],
  [glow({ scales: 0 }), [4, 4, 1], 'glow: expected a whole number of scales from 1, got 0'],
  [glow({ steps: 0 }), [4, 4, 1], 'glow: expected a whole number of steps from 1, got 0'],
  [glow({ width: 0 }), [4, 4, 1], 'glow: expected a whole number of hidden channels from 1, got 0'],
])('refuses wrong options: %#', (layer, shape, sentence) => expect(said(layer, shape)).toEqual(E.left(sentence)))
