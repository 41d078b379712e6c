// The codomain of every bijector and of the premade flows.
import { expectError, expectType } from 'tsd'
import { splineThrough, standardise } from '../../dist/src/entry/data.js'
import type { AnyTensor, Tensor } from '../../dist/src/entry/tensor.js'
import * as T from '../../dist/src/entry/tensor.js'
import {
  actNorm,
  additiveCoupling,
  affine,
  ascending,
  atShape,
  autoregressiveOf,
  type Batch,
  type Bijector,
  batchNorm,
  type Conditional,
  type ConditionalFlow,
  channelwise,
  checkerboard,
  cnf,
  columns,
  compose,
  conditional,
  continuous,
  convNet,
  coupling,
  couplingOf,
  Diffeo,
  dct,
  density,
  dequantise,
  elementwiseOf,
  embed,
  exp,
  expm1,
  exponentialCdf,
  exponentialLinear,
  type Flow,
  factorOut,
  flatten,
  flip,
  flowPlusPlus,
  gaussianization,
  glow,
  gumbelCdf,
  haar,
  halves,
  householder,
  iaf,
  input,
  jet,
  key,
  kumaraswamyCdf,
  leakyRelu,
  logisticCdf,
  logit,
  lowRankLinear,
  luLinear,
  maf,
  mask,
  mlp,
  naf,
  normalCdf,
  nsf,
  ordered,
  permute,
  planar,
  power,
  radial,
  realNvp,
  realNvpVector,
  reshapeTo,
  residual,
  residualFlow,
  resnet,
  reverse,
  rotation,
  scaleBy,
  shuffle,
  sigmoid,
  sinhArcsinh,
  softmaxCentered,
  softplus,
  softsign,
  splineCoupling,
  splitInto,
  squeeze,
  standardNormal,
  stickBreaking,
  sylvester,
  type Theta,
  Transformers,
  tanh,
  transpose,
  uniformCdf,
  vit,
  weibullCdf,
} from '../../dist/src/index.js'

type Image = Bijector<readonly [8, 6, 4], readonly [8, 6, 4]>
type Vector = Bijector<readonly [5], readonly [5]>

// conditional ones
type Posterior = Conditional<readonly [2], readonly [10], readonly [2]>
const posterior = compose(input([2], { given: [10] }), coupling(halves(), mlp()), coupling(halves('second'), mlp()))
expectType<Posterior>(posterior)
expectType<Posterior>(atShape([2], realNvpVector(), { given: [10] }))
expectType<Posterior>(embed([10], mlp(), atShape([2], realNvpVector(), { given: [4] })))
expectType<Posterior>(
  conditional({
    name: 'same',
    domain: [2],
    codomain: [2],
    given: [10],
    spec: {},
    forward: (_, x) => [x, T.zeroPerExample(x)],
    inverse: (_, z) => [z, T.zeroPerExample(z)],
  }),
)
expectType<Bijector<readonly [2], readonly [2]>>(posterior.given({} as Tensor<Batch<readonly [10]>>))
expectType<Conditional<readonly [4, 4, 2], readonly [3], readonly [readonly [2, 2, 4], readonly [2, 2, 4]]>>(
  compose(input([4, 4, 2], { given: [3] }), coupling(checkerboard(), convNet()), compose(squeeze, factorOut)),
)
expectType<Flow<readonly [2], readonly [2]>>(density([2], realNvpVector()))
expectType<ConditionalFlow<readonly [2], readonly [10], readonly [2]>>(
  density([2], realNvpVector(), standardNormal, { given: [10] }),
)

// element by element, at any shape
expectType<Image>(atShape([8, 6, 4], sigmoid))
expectType<Image>(atShape([8, 6, 4], logit({ alpha: 0.01 })))
expectType<Image>(atShape([8, 6, 4], affine))
expectType<Image>(atShape([8, 6, 4], normalCdf()))
expectType<Vector>(atShape([5], exponentialCdf(2)))
expectType<Vector>(atShape([5], uniformCdf(-1, 1)))
expectType<Vector>(atShape([5], logisticCdf()))
expectType<Vector>(atShape([5], reverse(normalCdf())))
expectType<Bijector<readonly [], readonly []>>(atShape([], sigmoid))
expectType<Image>(atShape([8, 6, 4], leakyRelu(0.2)))
expectType<Image>(atShape([8, 6, 4], softplus))
expectType<Image>(atShape([8, 6, 4], softsign))
expectType<Image>(atShape([8, 6, 4], tanh))
expectType<Vector>(atShape([5], sinhArcsinh(0.5, 1.2)))
expectType<Vector>(atShape([5], power(2)))
expectType<Vector>(atShape([5], exp))
expectType<Vector>(atShape([5], expm1))
expectType<Vector>(atShape([5], scaleBy(-1)))
expectType<Vector>(atShape([5], softmaxCentered))
expectType<Vector>(atShape([5], reverse(stickBreaking)))
expectType<Image>(atShape([8, 6, 4], ascending))
expectType<Vector>(atShape([5], gumbelCdf()))
expectType<Vector>(atShape([5], weibullCdf(2, 3)))
expectType<Vector>(atShape([5], kumaraswamyCdf(2, 3)))

// normalisation
expectType<Image>(atShape([8, 6, 4], actNorm))
expectType<Image>(atShape([8, 6, 4], batchNorm({ momentum: 0.1 })))
expectType<Vector>(atShape([5], actNorm))

// columns of a table
expectType<Vector>(
  atShape([5], columns({ a: affine, b: actNorm, c: affine, d: affine, e: standardise({ mean: 1, deviation: 2 }) })),
)
expectType<Image>(atShape([8, 6, 4], standardise({ mean: 0, deviation: [1, 2, 3, 4] })))
expectType<Image>(
  atShape(
    [8, 6, 4],
    splineThrough([
      [0, 0],
      [1, 2],
    ]),
  ),
)
expectError(atShape([8, 6, 4], columns({ a: affine })))

// linear maps of the last axis
expectType<Image>(atShape([8, 6, 4], luLinear({ seed: 3 })))
expectType<Vector>(atShape([5], luLinear()))
expectType<Vector>(atShape([5], exponentialLinear()))
expectType<Image>(atShape([8, 6, 4], rotation({ start: 'identity' })))
expectType<Vector>(atShape([5], householder({ reflections: 5 })))
expectType<Image>(atShape([8, 6, 4], lowRankLinear({ rank: 2 })))
expectType<Vector>(atShape([5], shuffle(1)))
expectType<Bijector<readonly [8, 6, 4], readonly [4, 3, 16]>>(atShape([8, 6, 4], haar))
expectType<Image>(atShape([8, 6, 4], dct))
expectError(rotation({ start: 'zero' }))
expectError(atShape([7, 6, 4], haar))
expectError(atShape([5], dct))

// one map of all variables
expectType<Vector>(atShape([5], planar))
expectType<Vector>(atShape([5], radial))
expectType<Vector>(atShape([5], sylvester({ rank: 2 })))
expectType<Vector>(atShape([5], residual({ coefficient: 0.97 })))
expectType<Posterior>(atShape([2], residual(), { given: [10] }))
expectType<Vector>(atShape([5], continuous({ hidden: [8, 8] })))
expectType<Posterior>(atShape([2], continuous(), { given: [10] }))
expectError(atShape([8, 6, 4], continuous()))
expectError(atShape([8, 6, 4], planar))

// couplings
expectType<Image>(atShape([8, 6, 4], coupling(checkerboard(), resnet())))
expectType<Image>(atShape([8, 6, 4], coupling(channelwise('second'), convNet())))
expectType<Image>(atShape([8, 6, 4], coupling(checkerboard(), resnet({ zeroInit: false }), { logScale: 'free' })))
expectType<Image>(atShape([8, 6, 4], additiveCoupling(channelwise(), resnet())))
expectType<Vector>(atShape([5], coupling(halves(), mlp())))
expectType<Vector>(atShape([5], additiveCoupling(halves('second'), mlp())))
expectType<Image>(atShape([8, 6, 4], splineCoupling(channelwise(), convNet(), { bins: 4 })))
expectType<Bijector<readonly [32, 32, 3], readonly [16, 16, 12]>>(
  compose(input([32, 32, 3]), coupling(checkerboard()), squeeze, coupling(channelwise())),
)
expectType<Vector>(atShape([5], autoregressiveOf(Transformers.spline())()))
expectError(atShape([8, 6, 4], autoregressiveOf(Transformers.affine())()))
expectType<Image>(atShape([8, 6, 4], elementwiseOf(Transformers.spline())))
expectType<Vector>(atShape([5], autoregressiveOf(Transformers.additive())()))
expectType<Vector>(atShape([5], autoregressiveOf(Transformers.circularSpline({ bins: 4, period: 24, from: 0 }))()))
expectType<Vector>(atShape([5], autoregressiveOf(Transformers.mixture({ components: 2 }))()))
expectType<Vector>(atShape([5], autoregressiveOf(Transformers.linearSpline())()))
expectType<Vector>(atShape([5], autoregressiveOf(Transformers.quadraticSpline({ bound: 2 }))()))
expectType<Vector>(atShape([5], autoregressiveOf(Transformers.bernstein({ degree: 3 }))()))
expectType<Vector>(atShape([5], autoregressiveOf(Transformers.sumOfSquares({ polynomials: 2, degree: 2 }))()))
expectType<Vector>(atShape([5], autoregressiveOf(Transformers.sigmoidal({ units: 2, layers: 3 }))()))
expectType<Vector>(atShape([5], autoregressiveOf(Transformers.monotoneNet({ hidden: 2, points: 30 }))()))
expectError(Transformers.mixture({ units: 2 }))
const shift = {
  name: 'shift',
  width: 1,
  spec: () => ({}),
  at: (_: object, { numbers, project }: Theta) => {
    const t = project(numbers()[0]!)
    return {
      forward: (x: AnyTensor) => [T.add(t)(x), T.zeroPerExample(x)] as const,
      inverse: (y: AnyTensor) => [T.sub(t)(y), T.zeroPerExample(y)] as const,
    }
  },
}
expectType<Image>(atShape([8, 6, 4], couplingOf(shift)(checkerboard(), resnet())))
expectError(couplingOf(shift)(checkerboard(), mlp()))
expectType<Vector>(
  atShape(
    [5],
    coupling(
      mask([5], ([i]) => i === 0),
      mlp(),
    ),
  ),
)
expectType<Image>(
  atShape(
    [8, 6, 4],
    coupling(
      mask([8, 6, 4], ([row]) => row === 0),
      resnet(),
    ),
  ),
)
expectError(coupling(checkerboard(), mlp()))
expectError(coupling(checkerboard(), resnet(), { logScale: 'wild' }))
expectType<Bijector<readonly [32, 32, 3], readonly [8, 8, 48]>>(atShape([32, 32, 3], jet({ couplings: 4 })))
expectError(atShape([30, 30, 3], jet()))
expectError(coupling(halves(), vit()))
expectError(coupling(halves(), convNet()))
expectError(atShape([8, 6, 3], coupling(channelwise(), resnet())))
expectError(
  atShape(
    [4],
    coupling(
      mask([5], ([i]) => i === 0),
      mlp(),
    ),
  ),
)

// rearrangements
expectType<Bijector<readonly [8, 6, 4], readonly [4, 3, 16]>>(atShape([8, 6, 4], squeeze))
expectType<Image>(atShape([8, 6, 4], ordered))
expectType<Image>(atShape([8, 6, 4], flip))
expectType<Vector>(atShape([5], permute([4, 0, 1, 2, 3])))
expectType<Bijector<readonly [8, 6, 4], readonly [readonly [8, 6, 2], readonly [8, 6, 2]]>>(
  atShape([8, 6, 4], factorOut),
)
expectType<Bijector<readonly [6], readonly [readonly [3], readonly [3]]>>(atShape([6], factorOut))
expectType<Bijector<readonly [8, 6, 4], readonly [192]>>(atShape([8, 6, 4], flatten))
expectType<Bijector<readonly [], readonly [1]>>(atShape([], flatten))
expectType<Bijector<readonly [8, 6, 4], readonly [16, 12]>>(atShape([8, 6, 4], reshapeTo([16, 12])))
expectType<Bijector<readonly [12], readonly [12]>>(compose(input([12]), reshapeTo([2, 6]), reshapeTo([12])))
expectType<Bijector<readonly [8, 6, 4], readonly [4, 8, 6]>>(atShape([8, 6, 4], transpose([2, 0, 1])))
expectError(atShape([8, 6, 4], transpose([1, 0])))
expectType<Bijector<readonly [5], readonly [readonly [2], readonly [3]]>>(atShape([5], splitInto([2, 3])))
expectType<Bijector<readonly [8, 12], readonly [readonly [8, 2], readonly [8, 3], readonly [8, 7]]>>(
  compose(input([8, 12]), splitInto([2, 3, 7])),
)
expectType<readonly [readonly [2], readonly [3]]>(compose(input([5]), splitInto([2, 3]), flip).codomain)
expectError(atShape([8, 6, 4], splitInto([1, 2])))
expectError(splitInto([4]))
expectError(atShape([7, 6, 4], squeeze))
expectError(atShape([8, 7, 4], squeeze))
expectError(atShape([8, 6, 3], factorOut))
expectError(atShape([], factorOut))
expectError(atShape([8, 6, 4], reshapeTo([16, 13])))

// premade flows
expectType<Bijector<readonly [28, 28, 1], readonly [readonly [14, 14, 2], readonly [14, 14, 2]]>>(
  atShape([28, 28, 1], realNvp()),
)
expectType<readonly [readonly [16, 16, 6], readonly [8, 8, 12], readonly [8, 8, 12]]>(
  atShape([32, 32, 3], realNvp({ scales: 3, width: 8 })).codomain,
)
expectType<Bijector<readonly [28, 28, 1], readonly [28, 28, 1]>>(atShape([28, 28, 1], realNvp({ scales: 1 })))
expectType<Bijector<readonly [28, 28, 1], readonly [readonly [14, 14, 2], readonly [14, 14, 2]]>>(
  atShape([28, 28, 1], realNvp({ path: 'none', order: 'plain', logScale: 'free', init: 'random' })),
)
expectError(realNvp({ order: 'reversed' }))
expectError(realNvp({ init: 'zero' }))
expectType<Bijector<readonly [2], readonly [2]>>(atShape([2], realNvpVector()))
expectError(atShape([28, 28, 1], realNvp({ scales: 4 })))
expectError(atShape([28, 28, 1], realNvpVector()))

expectType<Bijector<readonly [28, 28, 1], readonly [readonly [14, 14, 2], readonly [7, 7, 8]]>>(
  atShape([28, 28, 1], glow()),
)
expectType<readonly [readonly [16, 16, 6], readonly [8, 8, 12], readonly [4, 4, 48]]>(
  atShape([32, 32, 3], glow({ scales: 3, steps: 4, width: 8 })).codomain,
)
expectType<Bijector<readonly [28, 28, 1], readonly [14, 14, 4]>>(atShape([28, 28, 1], glow({ scales: 1 })))
expectError(atShape([28, 28, 1], glow({ scales: 3 })))
expectType<Vector>(atShape([5], maf({ layers: 2, transformer: Transformers.spline() })))
expectType<Vector>(atShape([5], iaf({ hidden: [8] })))
expectType<Vector>(atShape([5], naf({ units: 8 })))
expectType<Vector>(atShape([5], cnf({ steps: 4 })))
expectType<Vector>(atShape([5], residualFlow({ layers: 2 })))
expectType<Bijector<readonly [32, 32, 3], readonly [16, 16, 12]>>(atShape([32, 32, 3], flowPlusPlus()))
expectError(atShape([5], flowPlusPlus()))
expectType<Vector>(atShape([5], nsf({ autoregressive: true })))
expectType<Posterior>(atShape([2], maf(), { given: [10] }))
expectError(atShape([28, 28, 1], maf()))
expectType<Vector>(atShape([5], gaussianization({ layers: 3 })))
expectType<Image>(atShape([8, 6, 4], gaussianization()))

// `Diffeo`: bijections of values, with bound parameters
type Squeezed = Diffeo.Diffeo<Tensor<readonly ['N', 4, 4, 1]>, Tensor<readonly ['N', 2, 2, 4]>>
type Pixels = Tensor<Batch<readonly [4, 4, 1]>>
const squeezed: Squeezed = atShape([4, 4, 1], squeeze).bind({})
declare const pixels: Pixels
expectType<Diffeo.Diffeo<Pixels, Pixels>>(dequantise<readonly [4, 4, 1]>(key(0)))
expectType<Diffeo.Diffeo<Pixels, Pixels>>(Diffeo.andThen(Diffeo.reverse(squeezed))(squeezed))
expectType<Diffeo.Diffeo<Pixels, Pixels>>(Diffeo.id<Pixels>())
expectType<Diffeo.Diffeo<readonly [Pixels, number], readonly [Tensor<readonly ['N', 2, 2, 4]>, number]>>(
  Diffeo.both(squeezed, Diffeo.id<number>()),
)
expectType<Squeezed>(Diffeo.diffeo(squeezed.forward, squeezed.inverse))
expectType<Diffeo.Diffeo<Pixels, Pixels>>(Diffeo.fromForward<Pixels, Pixels>(T.neg, T.neg, T.zeroPerExample))
expectType<Tensor<readonly ['N']>>(Diffeo.logDetJacobian(squeezed)(pixels))
expectType<Tensor<readonly ['N']>>(Diffeo.inverseLogDetJacobian(squeezed)(T.spaceToDepth(pixels)))
expectType<Tensor<readonly ['N']>>(
  Diffeo.logDetJacobian(Diffeo.Category.compose(squeezed, Diffeo.Category.id<Pixels>()))(pixels),
)
expectType<'diffeo/Diffeo'>(Diffeo.URI)
expectError(Diffeo.andThen(squeezed)(squeezed))
expectError(Diffeo.logDetJacobian(squeezed)(T.spaceToDepth(pixels)))
