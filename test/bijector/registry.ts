/** Every bijector by name, at a small shape, with the domain it is drawn from. A new bijector is one line here. */
import {
  type AnyBijector,
  actNorm,
  additiveCoupling,
  affine,
  ascending,
  atShape,
  autoregressiveOf,
  batchNorm,
  channelwise,
  checkerboard,
  cnf,
  columns,
  compose,
  continuous,
  convNet,
  coupling,
  couplingOf,
  dct,
  elementwiseOf,
  exp,
  expm1,
  exponentialCdf,
  exponentialLinear,
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
  repeat,
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
  stickBreaking,
  sylvester,
  type Transformer,
  Transformers,
  tanh,
  transpose,
  uniformCdf,
  vit,
  weibullCdf,
} from 'diffeo'
import { splineThrough, standardise } from 'diffeo/data'
import type { LawOptions } from 'diffeo/laws'

export interface Entry extends Omit<LawOptions, 'runs' | 'seed'> {
  readonly make: () => AnyBijector
  readonly domain: readonly [low: number, high: number]
  readonly tolerance: number
  /** Why the tolerance is what it is. */
  readonly because: string
  /** Whether it takes every real number, so that it may stand after any other. */
  readonly anywhere: boolean
}
const fine = { tolerance: 1e-4, because: 'a few dozen roundings of 6e-8, with slopes up to some tens' }
const real = { ...fine, domain: [-2, 2], anywhere: true, edges: [-30, -2, 0, 2, 30] } as const
const unit = { ...fine, domain: [0.05, 0.95], anywhere: false, edges: [0, 2 ** -24, 0.5, 1 - 2 ** -24, 1] } as const
const positiveOnly = { ...fine, domain: [0.1, 3], anywhere: false, edges: [0, 2 ** -24, 1, 80] } as const
const simplex = { ...fine, domain: [0.05, 0.3], anywhere: false, edges: [0, 2 ** -24, 0.1, 1 / 3] } as const
const pixels = { domain: [0, 256], anywhere: false, edges: [0, 2 ** -10, 255, 255.999, 256] } as const
const angles = { domain: [-3, 3], anywhere: false, edges: [-Math.PI, -3, 0, 3, Math.PI] } as const
/** Without a closed inverse: fewer edges, as each costs many evaluations. */
const roots = { edges: [-30, 0, 30] } as const
const moved = { ...real, permutes: true }
const net = mlp({ hidden: [8], activation: 'tanh' })
const vector = { ...real }
const withNorm = (norm: 'batch' | 'instance' | 'none') => resnet({ width: 3, blocks: 1, norm })
const smooth = withNorm('none')
const kinked = { ...real, tolerance: 5e-4, because: 'several nets with ReLU: round-off grows with their slopes' }
const deep = { ...pixels, tolerance: 1e-3, because: 'ten couplings and a logit whose inverse has slopes up to 1400' }
/** A family of elementwise bijections, in each of the three conditioners. A new family is one line below. */
const family = (
  name: string,
  transformer: Transformer,
  options: Partial<Omit<Entry, 'make'>> = {},
): Record<string, Entry> => {
  const like = { ...real, ...options }
  return {
    [`${name} coupling`]: {
      make: () => atShape([4], couplingOf(transformer)(halves(), net)),
      ...like,
      keeps: (i) => i < 2,
    },
    [`${name} coupling of an image`]: {
      make: () => atShape([2, 2, 1], couplingOf(transformer)(checkerboard(), smooth)),
      ...like,
    },
    [`${name} autoregressive`]: {
      make: () => atShape([3], autoregressiveOf(transformer)({ hidden: [7, 6], activation: 'tanh' })),
      ...like,
    },
    [`${name} elementwise`]: { make: () => atShape([2, 2, 1], elementwiseOf(transformer)), ...like },
  }
}
const wholeLine = { mass: [-30, 30] } as const

export const registry: Record<string, Entry> = {
  input: { make: () => input([3]), ...moved, keeps: () => true },
  'coupling halves': { make: () => atShape([4], coupling(halves(), net)), ...vector, keeps: (i) => i < 2 },
  'coupling halves second, odd': {
    make: () => atShape([5], coupling(halves('second'), net)),
    ...vector,
    keeps: (i) => i >= 2,
  },
  'coupling own mask': {
    make: () =>
      atShape(
        [3],
        coupling(
          mask([3], ([i]) => i === 1),
          net,
        ),
      ),
    ...vector,
  },
  'coupling, free log scale': {
    make: () => atShape([4], coupling(halves('second'), net, { logScale: 'free' })),
    ...vector,
    keeps: (i) => i >= 2,
  },
  additiveCoupling: { make: () => atShape([4], additiveCoupling(halves(), net)), ...vector, keeps: (i) => i < 2 },
  splineCoupling: { make: () => atShape([4], splineCoupling(halves(), net)), ...vector, keeps: (i) => i < 2 },
  ...family('affine', Transformers.affine()),
  ...family('affine, free log scale', Transformers.affine({ logScale: 'free' })),
  ...family('additive', Transformers.additive()),
  ...family('spline', Transformers.spline()),
  ...family('circularSpline', Transformers.circularSpline({ bins: 4 }), angles),
  ...family('mixture', Transformers.mixture({ components: 2 }), roots),
  ...family('linearSpline', Transformers.linearSpline({ bins: 4 }), { kinks: [-3, -1.5, 0, 1.5, 3] }),
  ...family('quadraticSpline', Transformers.quadraticSpline({ bins: 4 })),
  ...family('bernstein', Transformers.bernstein({ degree: 4 }), roots),
  ...family('sumOfSquares', Transformers.sumOfSquares({ polynomials: 2, degree: 2 }), roots),
  ...family('sigmoidal', Transformers.sigmoidal({ units: 2 }), roots),
  ...family('monotoneNet', Transformers.monotoneNet({ hidden: 2, points: 8 }), roots),
  'autoregressive, one variable': {
    make: () => atShape([1], autoregressiveOf(Transformers.affine())({ hidden: [4], activation: 'tanh' })),
    ...real,
  },
  'inverse autoregressive': {
    make: () => atShape([3], reverse(autoregressiveOf(Transformers.affine())({ hidden: [8], activation: 'tanh' }))),
    ...real,
  },
  affine: { make: () => atShape([2, 2, 3], affine), ...real },
  luLinear: { make: () => atShape([2, 1, 5], luLinear({ seed: 1 })), ...real },
  exponentialLinear: { make: () => atShape([3], exponentialLinear()), ...real },
  rotation: { make: () => atShape([1, 2, 3], rotation()), ...real },
  householder: { make: () => atShape([3], householder({ reflections: 2 })), ...real },
  lowRankLinear: { make: () => atShape([2, 1, 4], lowRankLinear({ rank: 2 })), ...real },
  planar: { make: () => atShape([3], planar), ...real },
  radial: { make: () => atShape([3], radial), ...real },
  sylvester: { make: () => atShape([4], sylvester({ rank: 3 })), ...real },
  'sylvester, one dimension': { make: () => atShape([1], sylvester()), ...real, ...wholeLine },
  continuous: {
    make: () => atShape([3], continuous({ hidden: [5, 4], steps: 4 })),
    ...real,
    tolerance: 1e-3,
    because: 'the two directions are methods of order 4 with four steps',
  },
  'continuous, one hidden layer': {
    make: () => atShape([2], continuous({ hidden: [5], steps: 4 })),
    ...real,
    tolerance: 1e-3,
    because: 'the two directions are methods of order 4 with four steps',
  },
  residual: {
    make: () => atShape([3], residual({ hidden: [6, 5], coefficient: 0.6 })),
    ...real,
  },
  'residual, one dimension': { make: () => atShape([1], residual({ hidden: [6], coefficient: 0.6 })), ...real },
  haar: { make: () => atShape([2, 4, 2], haar), ...real },
  dct: { make: () => atShape([3, 2, 2], dct), ...real },
  shuffle: { make: () => atShape([2, 5], shuffle(3)), ...moved },
  actNorm: { make: () => atShape([2, 2, 3], actNorm), ...real, normalises: true },
  'actNorm of a vector': { make: () => atShape([4], actNorm), ...real, normalises: true },
  batchNorm: { make: () => atShape([2, 2, 3], batchNorm({ momentum: 0.1 })), ...real, normalises: true },
  squeeze: { make: () => atShape([4, 2, 2], squeeze), ...moved },
  ordered: { make: () => atShape([2, 1, 8], ordered), ...moved },
  factorOut: { make: () => atShape([2, 2, 4], factorOut), ...moved },
  permute: { make: () => atShape([2, 3], permute([2, 0, 1])), ...moved },
  flip: { make: () => atShape([2, 3], flip), ...moved },
  reshape: { make: () => atShape([2, 3], reshapeTo([3, 2, 1])), ...moved },
  transpose: { make: () => atShape([2, 3, 2], transpose([2, 0, 1])), ...moved },
  splitInto: { make: () => atShape([2, 6], splitInto([1, 2, 3])), ...moved },
  flatten: { make: () => atShape([2, 2, 2], flatten), ...moved },
  sigmoid: { make: () => atShape([3], sigmoid), ...real },
  'reverse sigmoid': { make: () => atShape([3], reverse(sigmoid)), ...unit },
  logit: { make: () => atShape([2, 2, 1], logit()), ...fine, ...pixels },
  'logit without a margin': {
    make: () => atShape([2, 2, 1], logit({ alpha: 0 })),
    ...fine,
    ...pixels,
    domain: [10, 246],
    edges: [0, 1e-30, 2 ** -10, 255.999, 256],
  },
  exponentialCdf: {
    make: () => atShape([3], exponentialCdf(1.5)),
    ...unit,
    domain: [0.05, 2],
    edges: [0, 2 ** -24, 2, 80],
  },
  'reverse exponentialCdf': {
    make: () => atShape([3], reverse(exponentialCdf(1.5))),
    ...unit,
    edges: [0, 1e-30, 2 ** -24, 0.5, 1],
  },
  uniformCdf: { make: () => atShape([3], uniformCdf(-1, 3)), ...unit, domain: [-0.9, 2.9], edges: [-1, 0, 3] },
  'reverse uniformCdf': { make: () => atShape([3], reverse(uniformCdf(-0.1, 0.7))), ...unit },
  logisticCdf: { make: () => atShape([3], logisticCdf(0.5, 2)), ...real },
  normalCdf: { make: () => atShape([3], normalCdf(0.5, 2)), ...real },
  'reverse normalCdf': { make: () => atShape([3], reverse(normalCdf(0.5, 2))), ...unit },
  leakyRelu: { make: () => atShape([3], leakyRelu(0.2)), ...real, kinks: [0] },
  softplus: { make: () => atShape([3], softplus), ...real },
  'reverse softplus': { make: () => atShape([3], reverse(softplus)), ...positiveOnly },
  softsign: { make: () => atShape([3], softsign), ...real, kinks: [0] },
  'reverse softsign': {
    make: () => atShape([3], reverse(softsign)),
    ...unit,
    domain: [-0.9, 0.9],
    edges: [-1, 0.5, 1],
    kinks: [0],
  },
  tanh: { make: () => atShape([3], tanh), ...real },
  'reverse tanh': { make: () => atShape([3], reverse(tanh)), ...unit, domain: [-0.9, 0.9], edges: [-1, 0, 1] },
  sinhArcsinh: { make: () => atShape([3], sinhArcsinh(-0.3, 1.4)), ...real },
  power: { make: () => atShape([3], power(2.5)), ...positiveOnly },
  'power, negative': { make: () => atShape([3], power(-0.5)), ...positiveOnly },
  exp: { make: () => atShape([3], exp), ...real, edges: [-100, -2, 0, 2, 100] },
  'reverse exp': { make: () => atShape([3], reverse(exp)), ...positiveOnly },
  expm1: { make: () => atShape([3], expm1), ...real, edges: [-100, -2, 0, 2, 100] },
  'reverse expm1': { make: () => atShape([3], reverse(expm1)), ...positiveOnly, edges: [-1, 0, 3, 1e30] },
  scaleBy: { make: () => atShape([3], scaleBy(-2.5)), ...real },
  gumbelCdf: { make: () => atShape([3], gumbelCdf(0.5, 2)), ...real },
  'reverse gumbelCdf': { make: () => atShape([3], reverse(gumbelCdf(0.5, 2))), ...unit },
  weibullCdf: { make: () => atShape([3], weibullCdf(1.7, 2)), ...positiveOnly },
  'reverse weibullCdf': { make: () => atShape([3], reverse(weibullCdf(0.8, 2))), ...unit },
  kumaraswamyCdf: { make: () => atShape([3], kumaraswamyCdf(1.5, 2.5)), ...unit },
  'reverse kumaraswamyCdf': { make: () => atShape([3], reverse(kumaraswamyCdf(0.8, 1.3))), ...unit },
  softmaxCentered: { make: () => atShape([3], softmaxCentered), ...real },
  'reverse softmaxCentered': { make: () => atShape([3], reverse(softmaxCentered)), ...simplex },
  'reverse softmaxCentered, two dimensions': {
    make: () => atShape([2], reverse(softmaxCentered)),
    ...simplex,
    mass: [0, 1],
  },
  stickBreaking: { make: () => atShape([2, 3], stickBreaking), ...real },
  'reverse stickBreaking': { make: () => atShape([3], reverse(stickBreaking)), ...simplex },
  'columns, two of three share a layer': {
    make: () =>
      atShape(
        [3],
        columns({ rate: leakyRelu(0.5), share: standardise({ mean: 0.3, deviation: 2 }), size: leakyRelu(0.5) }),
      ),
    ...real,
    kinks: [0],
  },
  'columns with parameters, out of order': {
    make: () => {
      const own = coupling(halves(), net)
      return atShape([4], columns({ a: own, b: affine, c: own, d: affine }))
    },
    ...real,
  },
  standardise: { make: () => atShape([3], standardise({ mean: [1, -2, 0], deviation: [2, 0.5, 3] })), ...real },
  'standardise, one for all': { make: () => atShape([2, 2, 1], standardise({ mean: 1, deviation: 2 })), ...real },
  splineThrough: {
    make: () =>
      atShape(
        [3],
        splineThrough([
          [-1.5, -2],
          [-0.5, -1],
          [0, 0.2],
          [2, 1.5],
        ]),
      ),
    ...real,
    kinks: [-2, -1.5, -1, -0.5, 0, 0.2, 1.5, 2],
  },
  ascending: { make: () => atShape([2, 3], ascending), ...real },
  'ascending, one element': { make: () => atShape([1], ascending), ...real },
  'multi-scale composition': {
    make: () => compose(input([4, 4, 1]), affine, squeeze, actNorm, ordered, factorOut, batchNorm(), affine),
    ...real,
  },
  repeat: { make: () => atShape([4], repeat(3, compose(coupling(halves(), net), flip))), ...kinked },
  'vector flow': {
    make: () => compose(input([4]), coupling(halves(), net), flip, actNorm, coupling(halves('second'), net)),
    ...real,
  },
  'coupling checkerboard, resnet': { make: () => atShape([2, 4, 1], coupling(checkerboard(), smooth)), ...real },
  'coupling checkerboard, free log scale': {
    make: () => atShape([2, 2, 2], coupling(checkerboard(), smooth, { logScale: 'free' })),
    ...real,
  },
  'coupling checkerboard, instance norm': {
    make: () => atShape([2, 3, 2], coupling(checkerboard(), withNorm('instance'))),
    ...kinked,
  },
  'coupling checkerboard, convNet': {
    make: () => atShape([3, 2, 2], coupling(checkerboard(), convNet({ hidden: [4] }))),
    ...kinked,
  },
  'coupling checkerboard odd, batch norm': {
    make: () => atShape([2, 2, 2], coupling(checkerboard('odd'), withNorm('batch'))),
    ...kinked,
  },
  'coupling channelwise, instance norm': {
    make: () => atShape([2, 2, 2], coupling(channelwise(), withNorm('instance'))),
    ...kinked,
  },
  'coupling channelwise, batch norm': {
    make: () => atShape([2, 2, 2], coupling(channelwise(), withNorm('batch'))),
    ...kinked,
  },
  'coupling channelwise second, resnet': {
    make: () => atShape([1, 2, 4], coupling(channelwise('second'), smooth)),
    ...real,
  },
  'coupling own mask of an image': {
    make: () =>
      atShape(
        [2, 2, 2],
        coupling(
          mask([2, 2, 2], ([h]) => h === 0),
          smooth,
        ),
      ),
    ...real,
  },
  'coupling channelwise second, convNet': {
    make: () => atShape([2, 2, 2], coupling(channelwise('second'), convNet({ hidden: [4] }))),
    ...kinked,
  },
  'additiveCoupling checkerboard': {
    make: () => atShape([2, 2, 2], additiveCoupling(checkerboard(), smooth)),
    ...real,
  },
  'additiveCoupling channelwise': { make: () => atShape([2, 2, 2], additiveCoupling(channelwise(), smooth)), ...real },
  'additiveCoupling checkerboard odd, instance norm': {
    make: () => atShape([2, 4, 1], additiveCoupling(checkerboard('odd'), withNorm('instance'))),
    ...kinked,
  },
  'additiveCoupling channelwise second, convNet': {
    make: () => atShape([2, 1, 4], additiveCoupling(channelwise('second'), convNet({ hidden: [4], weightNorm: true }))),
    ...kinked,
  },
  'multi-scale with couplings': {
    make: () =>
      compose(
        input([4, 4, 1]),
        coupling(checkerboard(), smooth),
        actNorm,
        squeeze,
        coupling(channelwise(), smooth),
        ordered,
        factorOut,
        coupling(checkerboard('odd'), smooth),
      ),
    ...kinked,
  },
  'multi-scale with couplings and batch norm': {
    make: () =>
      compose(
        input([4, 4, 2]),
        coupling(checkerboard(), withNorm('batch')),
        batchNorm(),
        squeeze,
        coupling(channelwise('second'), withNorm('instance')),
        ordered,
        factorOut,
        coupling(checkerboard(), convNet({ hidden: [4] })),
      ),
    ...kinked,
  },
  'coupling channelwise, vit': {
    make: () => atShape([2, 2, 2], coupling(channelwise(), vit({ width: 4, depth: 1, heads: 2 }))),
    ...real,
  },
  jet: { make: () => atShape([4, 4, 1], jet({ squeezes: 1, couplings: 4, width: 4, depth: 1, heads: 2 })), ...deep },
  realNvp: {
    make: () => atShape([4, 4, 1], realNvp({ scales: 2, width: 2, blocks: 1, norm: 'none' })),
    ...deep,
  },
  'realNvp, batch norm everywhere': {
    make: () => atShape([2, 2, 2], realNvp({ scales: 2, width: 2, blocks: 1, norm: 'batch', path: 'batchNorm' })),
    ...deep,
  },
  'realNvp, nothing on the path, plain order, free log scales, random start': {
    make: () =>
      atShape(
        [4, 2, 2],
        realNvp({ width: 2, blocks: 1, norm: 'none', path: 'none', order: 'plain', logScale: 'free', init: 'random' }),
      ),
    ...deep,
  },
  realNvpVector: { make: () => atShape([3], realNvpVector({ couplings: 4, hidden: [8] })), ...kinked },
  'realNvpVector, splines': {
    make: () => atShape([2], realNvpVector({ couplings: 2, hidden: [4], transformer: 'spline' })),
    ...kinked,
  },
  maf: { make: () => atShape([3], maf({ layers: 2, hidden: [6], activation: 'tanh' })), ...real },
  iaf: { make: () => atShape([3], iaf({ layers: 2, hidden: [6], activation: 'tanh' })), ...real },
  nsf: {
    make: () =>
      atShape([3], nsf({ layers: 2, hidden: [4], activation: 'tanh', transformer: Transformers.spline({ bins: 3 }) })),
    ...kinked,
  },
  'nsf, autoregressive': {
    make: () => atShape([3], nsf({ layers: 1, hidden: [6], activation: 'tanh', autoregressive: true })),
    ...kinked,
  },
  gaussianization: {
    make: () => atShape([3], gaussianization({ layers: 1, transformer: Transformers.spline({ bins: 3 }) })),
    ...kinked,
  },
  naf: {
    make: () => atShape([3], naf({ layers: 2, units: 2, depth: 1, hidden: [6], activation: 'tanh' })),
    ...real,
    ...roots,
  },
  cnf: {
    make: () => atShape([2], cnf({ hidden: [5], steps: 4 })),
    ...real,
    tolerance: 1e-3,
    because: 'the two directions are methods of order 4 with four steps',
  },
  residualFlow: {
    make: () => atShape([2], residualFlow({ layers: 2, hidden: [4], coefficient: 0.5 })),
    ...real,
    ...roots,
  },
  flowPlusPlus: {
    make: () => atShape([2, 2, 1], flowPlusPlus({ checkers: 1, components: 2, width: 2, blocks: 1 })),
    ...deep,
  },
  glow: { make: () => atShape([4, 4, 1], glow({ steps: 1, width: 2 })), ...deep },
  'affine, one dimension': { make: () => atShape([1], affine), ...real, ...wholeLine },
  'actNorm, one dimension': { make: () => atShape([1], actNorm), ...real, ...wholeLine, normalises: true },
  'batchNorm, one dimension': {
    make: () => atShape([1], batchNorm({ momentum: 0.1 })),
    ...real,
    ...wholeLine,
    normalises: true,
  },
  'reverse normalCdf, one dimension': { make: () => atShape([1], reverse(normalCdf(0.5, 2))), ...unit, mass: [0, 1] },
  'reverse logisticCdf, one dimension': {
    make: () => atShape([1], reverse(logisticCdf(0.5, 2))),
    ...unit,
    mass: [0, 1],
  },
  'logit, one dimension': {
    make: () => atShape([1], logit()),
    ...fine,
    ...pixels,
    // σ⁻¹ of 0 and 1, where the margins would end
    mass: [(-0.05 / 0.9) * 256, (0.95 / 0.9) * 256],
  },
  'exponentialCdf and reverse normalCdf, one dimension': {
    make: () => compose(input([1]), exponentialCdf(2), reverse(normalCdf())),
    ...unit,
    domain: [0.05, 2],
    edges: [0, 2 ** -24, 2, 80],
    mass: [0, 20],
  },
  'uniformCdf and reverse normalCdf, one dimension': {
    make: () => compose(input([1]), uniformCdf(-1, 3), reverse(normalCdf())),
    ...unit,
    domain: [-0.9, 2.9],
    edges: [-1, 0, 3],
    mass: [-1, 3],
  },
  'coupling, two dimensions': { make: () => atShape([2], coupling(halves(), net)), ...real, mass: [-12, 12] },
  'vector flow, two dimensions': {
    make: () => compose(input([2]), coupling(halves(), net), flip, coupling(halves('second'), net)),
    ...real,
    mass: [-12, 12],
  },
}
