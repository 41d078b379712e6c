/** Wrong options and wrong arguments are refused in a sentence: options where a layer is put at a shape. */
import {
  type AnyBijector,
  affine,
  atShape,
  type Base,
  batchNorm,
  channelwise,
  checkerboard,
  compiled,
  compose,
  convNet,
  coupling,
  couplingOf,
  describeError,
  elementwiseOf,
  exponentialCdf,
  type Flow,
  flow,
  gumbelCdf,
  halves,
  input,
  kumaraswamyCdf,
  type Layer,
  leakyRelu,
  logisticCdf,
  logit,
  mask,
  mlp,
  normalCdf,
  permute,
  power,
  realNvp,
  realNvpVector,
  repeat,
  reshapeTo,
  resnet,
  reverse,
  type Shape,
  type ShapeFn,
  scaleBy,
  sinhArcsinh,
  splineCoupling,
  standardNormal,
  Transformers,
  uniformCdf,
  weibullCdf,
} from 'diffeo'
import * as E from 'fp-ts/lib/Either.js'
import { pipe } from 'fp-ts/lib/function.js'
import { describe, expect, it } from 'vitest'

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
  [exponentialCdf(1e-50), 'exponentialCdf: expected a rate above 0, from 1.2e-38 to 8.5e37, got 1e-50'],
  [exponentialCdf(1e50), 'exponentialCdf: expected a rate above 0, from 1.2e-38 to 8.5e37, got 1e+50'],
  [normalCdf(0, 1e-39), 'normalCdf: expected a deviation above 0, from 1.2e-38 to 8.5e37, got 1e-39'],
  [logisticCdf(1e39), 'logisticCdf: expected a finite mean of at most 3.4e38, got 1e+39'],
  [uniformCdf(0, 1e-60), 'uniformCdf: expected a distance of low and high that float32 holds, got 1e-60'],
  [uniformCdf(1, 1 + 2 ** -30), `uniformCdf: expected a distance of low and high that float32 holds, got ${2 ** -30}`],
  [uniformCdf(-3e38, 3e38), 'uniformCdf: expected a distance of low and high that float32 holds, got 6e+38'],
  ...(
    [
      ['circularSpline', Transformers.circularSpline({ period: 0, from: 0 }), 'a period above 0, got 0'],
      ['circularSpline', Transformers.circularSpline({ from: 1 }), 'a from between minus the period and 0, got 1'],
      ['circularSpline', Transformers.circularSpline({ from: -7 }), 'a from between minus the period and 0, got -7'],
      ['circularSpline', Transformers.circularSpline({ bins: 0 }), 'a whole number of bins from 1 to 99, got 0'],
      ['mixture', Transformers.mixture({ components: 0 }), 'a whole number of components from 1, got 0'],
      ['linearSpline', Transformers.linearSpline({ bins: 100 }), 'a whole number of bins from 1 to 99, got 100'],
      ['linearSpline', Transformers.linearSpline({ bound: -1 }), 'a bound above 0, got -1'],
      ['quadraticSpline', Transformers.quadraticSpline({ bins: 1 }), 'a whole number of bins from 2 to 99, got 1'],
      ['quadraticSpline', Transformers.quadraticSpline({ bound: 0 }), 'a bound above 0, got 0'],
      ['bernstein', Transformers.bernstein({ degree: 50 }), 'a whole number of degrees from 1 to 49, got 50'],
      ['bernstein', Transformers.bernstein({ bound: 0 }), 'a bound above 0, got 0'],
      ['sumOfSquares', Transformers.sumOfSquares({ polynomials: 0 }), 'a whole number of polynomials from 1, got 0'],
      ['sumOfSquares', Transformers.sumOfSquares({ degree: 20 }), 'a whole number of degrees from 1 to 19, got 20'],
      ['sumOfSquares', Transformers.sumOfSquares({ bound: 0 }), 'a bound above 0, got 0'],
      ['sigmoidal', Transformers.sigmoidal({ units: 0 }), 'a whole number of units from 1, got 0'],
      ['sigmoidal', Transformers.sigmoidal({ layers: 0 }), 'a whole number of layers from 1, got 0'],
      ['monotoneNet', Transformers.monotoneNet({ hidden: 0 }), 'a whole number of hidden units from 1, got 0'],
      ['monotoneNet', Transformers.monotoneNet({ points: 1 }), 'a whole number of points from 2 to 200, got 1'],
      ['monotoneNet', Transformers.monotoneNet({ bound: 0 }), 'a bound above 0, got 0'],
    ] as const
  ).map(([name, family, wrong]): [Layer<ShapeFn>, string] => [
    elementwiseOf(family),
    `${name}Elementwise: expected ${wrong}`,
  ]),
  [leakyRelu(0), 'leakyRelu: expected a slope above 0, got 0'],
  [leakyRelu(-1), 'leakyRelu: expected a slope above 0, got -1'],
  [sinhArcsinh(Number.NaN), 'sinhArcsinh: expected a finite skew, got NaN'],
  [sinhArcsinh(0, 0), 'sinhArcsinh: expected a tail above 0, got 0'],
  [power(0), 'power: expected a finite p other than 0, got 0'],
  [power(Number.POSITIVE_INFINITY), 'power: expected a finite p other than 0, got Infinity'],
  [scaleBy(0), 'scaleBy: expected a finite factor other than 0, got 0'],
  [gumbelCdf(0, 0), 'gumbelCdf: expected a scale above 0, got 0'],
  [gumbelCdf(Number.NaN), 'gumbelCdf: expected a finite mode, got NaN'],
  [weibullCdf(0), 'weibullCdf: expected a shape above 0, got 0'],
  [weibullCdf(1, -1), 'weibullCdf: expected a scale above 0, got -1'],
  [kumaraswamyCdf(0), 'kumaraswamyCdf: expected a parameter a above 0, got 0'],
  [kumaraswamyCdf(1, 0), 'kumaraswamyCdf: expected a parameter b above 0, got 0'],
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

describe('options from plain JavaScript', () => {
  // what the compiler would refuse
  const any = <A>(value: unknown): A => value as A
  const image = [4, 4, 2] as const
  const at = (mask: ReturnType<typeof checkerboard>, net = convNet({ hidden: [2] })) => coupling(mask, net)
  const masked = (shape: unknown, keeps: unknown) => coupling(mask(any<[3]>(shape), any(keeps)), mlp())
  const hidden = (value: unknown) => coupling(halves(), mlp({ hidden: any(value) }))
  it.each<[Layer<ShapeFn>, Shape, string]>([
    [coupling(halves(any('third')), mlp()), [2], 'halves: expected part "first" or "second", got "third"'],
    [coupling(halves(any(null)), mlp()), [2], 'halves: expected part "first" or "second", got null'],
    [at(checkerboard(any('odds'))), image, 'checkerboard: expected parity "even" or "odd", got "odds"'],
    [at(any(channelwise(any(1)))), image, 'channelwise: expected part "first" or "second", got 1'],
    [
      coupling(halves(), mlp({ activation: any('gelu') })),
      [2],
      'mlp: expected activation "relu" or "tanh", got "gelu"',
    ],
    [hidden(64), [2], 'mlp: expected a list of hidden widths, whole numbers from 1, got 64'],
    [hidden([8, 0]), [2], 'mlp: expected a list of hidden widths, whole numbers from 1, got 0'],
    [hidden([2.5]), [2], 'mlp: expected a list of hidden widths, whole numbers from 1, got 2.5'],
    [
      at(checkerboard(), convNet({ hidden: any([-1]) })),
      image,
      'convNet: expected a list of hidden widths, whole numbers from 1, got -1',
    ],
    [
      at(checkerboard(), resnet({ norm: any('layer') })),
      image,
      'resnet: expected norm "batch" or "instance" or "none", got "layer"',
    ],
    [
      at(checkerboard(), resnet({ width: 0.5 })),
      image,
      'resnet: expected a whole number of hidden channels from 1, got 0.5',
    ],
    [at(checkerboard(), resnet({ blocks: -1 })), image, 'resnet: expected a whole number of blocks from 0, got -1'],
    [coupling(halves(), mlp(), { logScale: any('x') }), [2], 'coupling: expected logScale "tanh" or "free", got "x"'],
    [
      realNvp({ path: any('layerNorm') }),
      image,
      'realNvp: expected path "actNorm" or "batchNorm" or "none", got "layerNorm"',
    ],
    [realNvp({ order: any('x') }), image, 'realNvp: expected order "ordered" or "plain", got "x"'],
    [realNvp({ init: any('x') }), image, 'realNvp: expected init "identity" or "random", got "x"'],
    [realNvp({ logScale: any('x') }), image, 'coupling: expected logScale "tanh" or "free", got "x"'],
    [
      realNvpVector({ transformer: any('x') }),
      [2],
      'realNvpVector: expected transformer "affine" or "spline", got "x"',
    ],
    [batchNorm({ momentum: Number.NaN }), [2], 'batchNorm: expected a momentum from 0 to 1, got NaN'],
    [batchNorm({ momentum: 2 }), [2], 'batchNorm: expected a momentum from 0 to 1, got 2'],
    [batchNorm({ momentum: any(true) }), [2], 'batchNorm: expected a momentum from 0 to 1, got true'],
    [logit({ alpha: any('0') }), [2], 'logit: expected an alpha from 0 to below 0.5, got "0"'],
    [permute(any('01')), [2], 'permute: expected a permutation of 0…1 for 2, got "01"'],
    [permute(any(undefined)), [2], 'permute: expected a permutation of 0…1 for 2, got undefined'],
    [reshapeTo(any<[5]>(5)), [5], 'reshape: expected a shape of whole numbers, got 5'],
    [reshapeTo([-5, -1]), [5], 'reshape: expected a shape of whole numbers, got [-5, -1]'],
    [reshapeTo([2.5, 2]), [5], 'reshape: expected a shape of whole numbers, got [2.5, 2]'],
    [masked(3, () => true), [3], 'mask: expected a shape of whole numbers, got 3'],
    [masked([3], 5), [3], 'mask: expected a function from an index to true or false, got 5'],
    [batchNorm({ epsilon: -1 }), [2], 'batchNorm: expected a finite epsilon of at least 0, got -1'],
  ])('are refused: %#', (layer, shape, sentence) => expect(said(layer, shape)).toEqual(E.left(sentence)))

  const [layer, half, net] = [affine, halves(), mlp()]
  const shift = couplingOf({ name: 'shift', width: 1, spec: () => ({}), at: () => any(undefined) })
  it.each<[() => unknown, string]>([
    [() => compose(input([2]), any<Layer<ShapeFn>>(half)), 'compose: expected a layer, got a mask'],
    [() => compose(any<Layer<ShapeFn>>(net)), 'compose: expected a layer, got a net'],
    [
      () => compose(any<Layer<ShapeFn>>(logit)),
      'compose: expected a layer, got a function; did you forget to call it?',
    ],
    [() => compose(input([2]), any<Layer<ShapeFn>>(undefined)), 'compose: expected a layer, got undefined'],
    [() => compose(any<Layer<ShapeFn>>([layer])), 'compose: expected a layer, got a list'],
    [() => input(any<[2]>('x')), 'input: expected a shape of whole numbers, got "x"'],
    [() => input([-1]), 'input: expected a shape of whole numbers, got [-1]'],
    [() => input([1.5]), 'input: expected a shape of whole numbers, got [1.5]'],
    [() => atShape(any<[2]>(undefined), layer), 'atShape: expected a shape of whole numbers, got undefined'],
    [() => atShape([Number.NaN], layer), 'atShape: expected a shape of whole numbers, got [NaN]'],
    [
      () => compiled(any<Flow<[2], [2]>>({})),
      'compiled: expected a density, got an object; make one: flow(bijector, base)',
    ],
    [() => compiled(any<Flow<[2], [2]>>(atShape([2], layer))), 'compiled: expected a density, got a bijector'],
    [() => atShape([2], any<Layer<ShapeFn>>(half)), 'atShape: expected a layer, got a mask'],
    [() => reverse(any<Layer<ShapeFn>>(standardNormal)), 'reverse: expected a layer, got a base'],
    [() => repeat(2, any<Layer<ShapeFn>>('affine')), 'repeat: expected a layer, got "affine"'],
    [() => coupling(any<typeof half>(net), net), 'coupling: expected a mask, got a net; pass the mask first'],
    [() => coupling(half, any<typeof net>(half)), 'coupling: expected a net, got a mask; pass the mask first'],
    [
      () => coupling(any<typeof half>(halves), net),
      'coupling: expected a mask, got a function; did you forget to call it?',
    ],
    [
      () => coupling(half, any<typeof net>(mlp)),
      'coupling: expected a net, got a function; did you forget to call it?',
    ],
    [() => shift(any<typeof half>(layer), net), 'shiftCoupling: expected a mask, got a layer'],
    [() => splineCoupling(half, any<typeof net>(null)), 'splineCoupling: expected a net, got null'],
    [
      () => flow(any<AnyBijector>(layer), standardNormal),
      'flow: expected a bijector, got a layer; put a layer at a shape',
    ],
    [() => flow(atShape([2], layer), any<Base>(undefined)), 'flow: expected a base, got undefined'],
    [
      () => flow(atShape([2], layer), any<Base>(flow(atShape([2], layer), standardNormal))),
      'flow: expected a base, got a density',
    ],
  ])('so are arguments: %#', (call, sentence) => expect(call).toThrow(sentence))
})
