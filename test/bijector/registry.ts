/** Every bijector by name, at a small shape, with the domain it is drawn from. A new bijector is one line here. */
import {
  type AnyBijector,
  actNorm,
  additiveCoupling,
  affine,
  batchNorm,
  channelwise,
  checkerboard,
  compose,
  convNet,
  coupling,
  exponentialCdf,
  factorOut,
  flatten,
  flip,
  halves,
  input,
  logisticCdf,
  logit,
  mask,
  mlp,
  normalCdf,
  on,
  ordered,
  permute,
  realNvp,
  realNvpVector,
  repeat,
  reshapeTo,
  resnet,
  reverse,
  sigmoid,
  squeeze,
  squeezeOrdered,
  uniformCdf,
} from 'diffeo'

export interface Entry {
  readonly make: () => AnyBijector
  /** Where inputs are drawn from: uniform on [low, high]. */
  readonly low: number
  readonly high: number
  /** Relative error allowed. */
  readonly tolerance: number
}
const real = { low: -2, high: 2, tolerance: 1e-4 }
const unit = { low: 0.05, high: 0.95, tolerance: 1e-4 }
const net = mlp({ hidden: [8], activation: 'tanh' })
const vector = { ...real }
const withNorm = (norm: 'batch' | 'instance' | 'none') => resnet({ width: 3, blocks: 1, norm })
const smooth = withNorm('none')
// several nets with ReLU: round-off grows with their slopes
const kinked = { ...real, tolerance: 5e-4 }

export const registry: Record<string, Entry> = {
  input: { make: () => input([3]), ...real },
  'coupling halves': { make: () => on([4], coupling(halves(), net)), ...vector },
  'coupling halves second, odd': { make: () => on([5], coupling(halves('second'), net)), ...vector },
  'coupling own mask': {
    make: () =>
      on(
        [3],
        coupling(
          mask([3], ([i]) => i === 1),
          net,
        ),
      ),
    ...vector,
  },
  additiveCoupling: { make: () => on([4], additiveCoupling(halves(), net)), ...vector },
  affine: { make: () => on([2, 2, 3], affine), ...real },
  actNorm: { make: () => on([2, 2, 3], actNorm), ...real },
  batchNorm: { make: () => on([2, 2, 3], batchNorm()), ...real },
  squeeze: { make: () => on([4, 2, 2], squeeze), ...real },
  squeezeOrdered: { make: () => on([4, 2, 2], squeezeOrdered), ...real },
  ordered: { make: () => on([2, 1, 8], ordered), ...real },
  factorOut: { make: () => on([2, 2, 4], factorOut), ...real },
  permute: { make: () => on([2, 3], permute([2, 0, 1])), ...real },
  flip: { make: () => on([2, 3], flip), ...real },
  reshape: { make: () => on([2, 3], reshapeTo([3, 2, 1])), ...real },
  flatten: { make: () => on([2, 2, 2], flatten), ...real },
  sigmoid: { make: () => on([3], sigmoid), ...real },
  'reverse sigmoid': { make: () => on([3], reverse(sigmoid)), ...unit },
  logit: { make: () => on([2, 2, 1], logit()), low: 0, high: 256, tolerance: 1e-4 },
  exponentialCdf: { make: () => on([3], exponentialCdf(1.5)), low: 0.05, high: 2, tolerance: 1e-4 },
  uniformCdf: { make: () => on([3], uniformCdf(-1, 3)), ...unit },
  logisticCdf: { make: () => on([3], logisticCdf(0.5, 2)), ...real },
  normalCdf: { make: () => on([3], normalCdf(0.5, 2)), ...real },
  'reverse normalCdf': { make: () => on([3], reverse(normalCdf(0.5, 2))), ...unit },
  'multi-scale composition': {
    make: () => compose(input([4, 4, 1]), affine, squeeze, actNorm, ordered, factorOut, batchNorm(), affine),
    ...real,
  },
  repeat: { make: () => on([4], repeat(3, compose(coupling(halves(), net), flip))), ...kinked },
  'vector flow': {
    make: () => compose(input([4]), coupling(halves(), net), flip, actNorm, coupling(halves('second'), net)),
    ...real,
  },
  'coupling checkerboard, resnet': { make: () => on([2, 4, 1], coupling(checkerboard(), smooth)), ...real },
  'coupling checkerboard, instance norm': {
    make: () => on([2, 3, 2], coupling(checkerboard(), withNorm('instance'))),
    ...kinked,
  },
  'coupling checkerboard, convNet': {
    make: () => on([3, 2, 2], coupling(checkerboard(), convNet({ hidden: [4] }))),
    ...kinked,
  },
  'coupling checkerboard odd, batch norm': {
    make: () => on([2, 2, 2], coupling(checkerboard('odd'), withNorm('batch'))),
    ...kinked,
  },
  'coupling channelwise, instance norm': {
    make: () => on([2, 2, 2], coupling(channelwise(), withNorm('instance'))),
    ...kinked,
  },
  'coupling channelwise, batch norm': {
    make: () => on([2, 2, 2], coupling(channelwise(), withNorm('batch'))),
    ...kinked,
  },
  'coupling channelwise second, resnet': {
    make: () => on([1, 2, 4], coupling(channelwise('second'), smooth)),
    ...real,
  },
  'coupling own mask of an image': {
    make: () =>
      on(
        [2, 2, 2],
        coupling(
          mask([2, 2, 2], ([h]) => h === 0),
          smooth,
        ),
      ),
    ...real,
  },
  'coupling channelwise second, convNet': {
    make: () => on([2, 2, 2], coupling(channelwise('second'), convNet({ hidden: [4] }))),
    ...kinked,
  },
  'additiveCoupling checkerboard': { make: () => on([2, 2, 2], additiveCoupling(checkerboard(), smooth)), ...real },
  'additiveCoupling channelwise': { make: () => on([2, 2, 2], additiveCoupling(channelwise(), smooth)), ...real },
  'additiveCoupling checkerboard odd, instance norm': {
    make: () => on([2, 4, 1], additiveCoupling(checkerboard('odd'), withNorm('instance'))),
    ...kinked,
  },
  'additiveCoupling channelwise second, convNet': {
    make: () => on([2, 1, 4], additiveCoupling(channelwise('second'), convNet({ hidden: [4], weightNorm: true }))),
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
  realNvp: {
    make: () => on([4, 4, 1], realNvp({ scales: 2, width: 2, blocks: 1, norm: 'none' })),
    low: 20,
    high: 230,
    tolerance: 1e-3,
  },
  'realNvp, batch norm everywhere': {
    make: () => on([2, 2, 2], realNvp({ scales: 2, width: 2, blocks: 1, norm: 'batch', path: 'batchNorm' })),
    low: 20,
    high: 230,
    tolerance: 1e-3,
  },
  realNvpVector: { make: () => on([3], realNvpVector({ couplings: 4, hidden: [8] })), ...kinked },
}
