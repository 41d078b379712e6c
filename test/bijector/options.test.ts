/** Options that no bijector has are refused where it is put at a shape, in a sentence. */
import {
  describeError,
  exponentialCdf,
  halves,
  type Layer,
  logisticCdf,
  logit,
  mlp,
  normalCdf,
  realNvp,
  realNvpVector,
  type Shape,
  type ShapeFn,
  splineCoupling,
  uniformCdf,
} from 'diffeo'
import * as E from 'fp-ts/lib/Either.js'
import { pipe } from 'fp-ts/lib/function.js'
import { expect, it } from 'vitest'

const said = (of: Layer<ShapeFn>, shape: Shape) => pipe(of.at(shape), E.mapLeft(describeError))
const spline = (options: Parameters<typeof splineCoupling>[2]) =>
  splineCoupling(halves(), mlp({ hidden: [2] }), options)

it.each<[Layer<ShapeFn>, string]>([
  [spline({ bins: 100 }), 'splineCoupling: expected a whole number of bins from 1 to 99, got 100'],
  [spline({ bins: 0 }), 'splineCoupling: expected a whole number of bins from 1 to 99, got 0'],
  [spline({ bins: 2.5 }), 'splineCoupling: expected a whole number of bins from 1 to 99, got 2.5'],
  [spline({ bound: 0 }), 'splineCoupling: expected a bound above 0, got 0'],
  [logit({ alpha: 0.5 }), 'logit: expected an alpha from 0 to below 0.5, got 0.5'],
  [logit({ alpha: -0.1 }), 'logit: expected an alpha from 0 to below 0.5, got -0.1'],
  [logit({ bins: 0 }), 'logit: expected a number of bins above 0, got 0'],
  [exponentialCdf(0), 'exponentialCdf: expected a rate above 0, got 0'],
  [exponentialCdf(Number.POSITIVE_INFINITY), 'exponentialCdf: expected a rate above 0, got Infinity'],
  [exponentialCdf(-1), 'exponentialCdf: expected a rate above 0, got -1'],
  [uniformCdf(1, 0), 'uniformCdf: expected a finite high above low, 1, got 0'],
  [uniformCdf(Number.NEGATIVE_INFINITY, 0), 'uniformCdf: expected a finite low, got -Infinity'],
  [logisticCdf(0, 0), 'logisticCdf: expected a scale above 0, got 0'],
  [normalCdf(0, -1), 'normalCdf: expected a deviation above 0, got -1'],
  [normalCdf(Number.NaN), 'normalCdf: expected a finite mean, got NaN'],
  [realNvpVector({ couplings: 0 }), 'realNvpVector: expected a whole number of couplings from 1, got 0'],
])('is refused: %#', (layer, sentence) => expect(said(layer, [2])).toEqual(E.left(sentence)))

it.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY])('realNvp is refused %d scales', (scales: number) =>
  expect(said(realNvp({ scales }), [4, 4, 1])).toEqual(
    E.left(`realNvp: expected a whole number of scales from 1, got ${scales}`),
  ),
)

it.each<[string, Layer<ShapeFn>]>([
  ['99 bins', spline({ bins: 99 })],
  ['1 bin', spline({ bins: 1 })],
  ['1 coupling', realNvpVector({ couplings: 1 })],
  ['a small rate', exponentialCdf(1e-30)],
  ['no margin', logit({ alpha: 0 })],
])('the least and the most that there is stay: %s', (_, layer) => expect(E.isRight(layer.at([2]))).toBe(true))
