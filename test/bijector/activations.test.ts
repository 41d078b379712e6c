/** Fixed functions of one variable against their formulas in doubles: values, slopes, inverses and far tails. */
import * as tf from '@tensorflow/tfjs-core'
import {
  atShape,
  exp,
  expm1,
  gumbelCdf,
  kumaraswamyCdf,
  type Layer,
  leakyRelu,
  power,
  reverse,
  type Same,
  scaleBy,
  sinhArcsinh,
  softplus,
  softsign,
  tanh,
  weibullCdf,
} from 'diffeo'
import { trust } from 'diffeo/tensor'
import { describe, expect, it } from 'vitest'
import { values } from '../support.js'

const through = (layer: Layer<Same>, xs: readonly number[]) =>
  tf.tidy(() => {
    const f = atShape([1], layer).bind({})
    const [y, logDet] = f.forward(trust(tf.tensor2d([...xs], [xs.length, 1])))
    const [back, backLogDet] = f.inverse(y)
    return { y: values(y), logDet: values(logDet), back: values(back), backLogDet: values(backLogDet) }
  })

type Formula = readonly [layer: Layer<Same>, formula: (x: number) => number, low: number, high: number]
const formulas: Readonly<Record<string, Formula>> = {
  leakyRelu: [leakyRelu(0.2), (x) => Math.max(x, 0.2 * x), -30, 30],
  softplus: [softplus, (x) => Math.log1p(Math.exp(x)), -30, 30],
  softsign: [softsign, (x) => x / (1 + Math.abs(x)), -50, 50],
  tanh: [tanh, Math.tanh, -5, 5],
  sinhArcsinh: [sinhArcsinh(-0.4, 1.3), (x) => Math.sinh((Math.asinh(x) - 0.4) * 1.3), -40, 40],
  'sinhArcsinh, light tails': [sinhArcsinh(0.4, 0.6), (x) => Math.sinh((Math.asinh(x) + 0.4) * 0.6), -40, 40],
  power: [power(2.5), (x) => x ** 2.5, 0.01, 50],
  'power, negative': [power(-0.7), (x) => x ** -0.7, 0.01, 50],
  exp: [exp, Math.exp, -20, 20],
  expm1: [expm1, Math.expm1, -5, 20],
  scaleBy: [scaleBy(-3), (x) => -3 * x, -30, 30],
  gumbelCdf: [gumbelCdf(0.5, 2), (x) => Math.exp(-Math.exp(-(x - 0.5) / 2)), -4, 12],
  weibullCdf: [weibullCdf(1.7, 2), (x) => -Math.expm1(-((x / 2) ** 1.7)), 0.01, 5],
  'weibullCdf, falling hazard': [weibullCdf(0.6, 2), (x) => -Math.expm1(-((x / 2) ** 0.6)), 0.01, 20],
  kumaraswamyCdf: [kumaraswamyCdf(2, 3), (x) => 1 - (1 - x ** 2) ** 3, 0.01, 0.95],
  'kumaraswamyCdf, shaped like a U': [kumaraswamyCdf(0.5, 0.7), (x) => 1 - (1 - x ** 0.5) ** 0.7, 0.01, 0.99],
}
describe.each(Object.entries(formulas))('%s', (_, [layer, formula, low, high]) => {
  const xs = Array.from({ length: 101 }, (_, i) => Math.fround(low + ((high - low) * (i + 0.37)) / 101))
  const slope = (x: number): number => {
    const h = 1e-5 * Math.max(Math.abs(x), 1e-2)
    return Math.abs(formula(x + h) - formula(x - h)) / (2 * h)
  }
  it('has the values, slopes and inverse of its formula', () => {
    const got = through(layer, xs)
    xs.forEach((x, i) => {
      const y = formula(x)
      expect(Math.abs(got.y[i]! - y)).toBeLessThan(2e-6 * Math.abs(y) + 2e-7 * Math.min(1, Math.abs(x) * slope(x)))
      const logSlope = Math.log(slope(x))
      expect(Math.abs(got.logDet[i]! - logSlope)).toBeLessThan(1e-5 * (1 + Math.abs(logSlope)) + 1e-4 / (1 + slope(x)))
      // a rounding of y, and of 1 where y is a probability, over the slope
      const rounding = 2 ** -20 * (Math.abs(x) + 1e-3) + (2 ** -23 * (Math.abs(y) + 1e-3)) / slope(x)
      expect(Math.abs(got.back[i]! - x)).toBeLessThan(4 * rounding)
      expect(Math.abs(got.backLogDet[i]! + got.logDet[i]!)).toBeLessThan(1e-3 * (1 + Math.abs(logSlope)))
    })
  })
})

describe('far out', () => {
  it.each<[string, Layer<Same>, x: number, y: number, logDet: number]>([
    ['softplus', softplus, -80, Math.exp(-80), -80],
    ['softplus', softplus, 1e6, 1e6, 0],
    ['softsign', softsign, 1e6, 1, -2 * Math.log(1e6)],
    ['tanh', tanh, -40, -1, Math.log(4) - 80],
    ['exp', exp, 1000, Math.exp(88), 1000],
    ['exp', exp, -1000, 0, -1000],
    ['expm1', expm1, 1000, Math.exp(88), 1000],
    ['gumbelCdf', gumbelCdf(), 50, 1, -50],
    ['gumbelCdf', gumbelCdf(), -3, Math.exp(-Math.exp(3)), 3 - Math.exp(3)],
    ['weibullCdf', weibullCdf(2), 30, 1, Math.log(60) - 900],
    ['leakyRelu', leakyRelu(1e-3), -1e9, -1e6, Math.log(1e-3)],
  ])('%s at its argument %#', (_, layer, x, y, logDet) => {
    const got = through(layer, [x])
    expect(Math.abs(got.y[0]! - y)).toBeLessThanOrEqual(1e-5 * Math.abs(y))
    expect(Math.abs(got.logDet[0]! - logDet)).toBeLessThan(1e-4 * Math.abs(logDet) + 1e-5)
  })
  it.each<[string, Layer<Same>, y: number, x: number]>([
    ['softplus', softplus, 0, Math.log(2 ** -126)],
    ['softsign', softsign, 1, 2 ** 24 - 1],
    ['tanh', tanh, 1, Math.atanh(1 - 2 ** -24)],
    ['exp', exp, 0, Math.log(2 ** -126)],
    ['expm1', expm1, -1, Math.log(2 ** -24)],
    ['gumbelCdf', gumbelCdf(), 1, -Math.log(-Math.log(1 - 2 ** -24))],
    ['weibullCdf', weibullCdf(), 1, Math.log(2 ** 24)],
  ])('the inverse of %s at the end %#', (_, layer, y, x) => {
    expect(through(reverse(layer), [y]).y[0]! / x).toBeCloseTo(1, 5)
  })
})
