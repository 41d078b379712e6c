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
  reshapeTo,
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

export const registry: Record<string, Entry> = {
  input: { make: () => input([3]) as AnyBijector, ...real },
  'coupling halves': { make: () => on([4], coupling(halves(), net)) as AnyBijector, ...vector },
  'coupling halves second, odd': { make: () => on([5], coupling(halves('second'), net)) as AnyBijector, ...vector },
  'coupling own mask': {
    make: () =>
      on(
        [3],
        coupling(
          mask([3], ([i]) => i === 1),
          net,
        ),
      ) as AnyBijector,
    ...vector,
  },
  additiveCoupling: { make: () => on([4], additiveCoupling(halves(), net)) as AnyBijector, ...vector },
  affine: { make: () => on([2, 2, 3], affine) as AnyBijector, ...real },
  actNorm: { make: () => on([2, 2, 3], actNorm) as AnyBijector, ...real },
  batchNorm: { make: () => on([2, 2, 3], batchNorm()) as AnyBijector, ...real },
  squeeze: { make: () => on([4, 2, 2], squeeze) as AnyBijector, ...real },
  squeezeOrdered: { make: () => on([4, 2, 2], squeezeOrdered) as AnyBijector, ...real },
  ordered: { make: () => on([2, 1, 8], ordered) as AnyBijector, ...real },
  factorOut: { make: () => on([2, 2, 4], factorOut) as AnyBijector, ...real },
  permute: { make: () => on([2, 3], permute([2, 0, 1])) as AnyBijector, ...real },
  flip: { make: () => on([2, 3], flip) as AnyBijector, ...real },
  reshape: { make: () => on([2, 3], reshapeTo([3, 2, 1])) as AnyBijector, ...real },
  flatten: { make: () => on([2, 2, 2], flatten) as AnyBijector, ...real },
  sigmoid: { make: () => on([3], sigmoid) as AnyBijector, ...real },
  'reverse sigmoid': { make: () => on([3], reverse(sigmoid)) as AnyBijector, ...unit },
  logit: { make: () => on([2, 2, 1], logit()) as AnyBijector, low: 0, high: 256, tolerance: 1e-4 },
  exponentialCdf: { make: () => on([3], exponentialCdf(1.5)) as AnyBijector, low: 0.05, high: 2, tolerance: 1e-4 },
  uniformCdf: { make: () => on([3], uniformCdf(-1, 3)) as AnyBijector, ...unit },
  logisticCdf: { make: () => on([3], logisticCdf(0.5, 2)) as AnyBijector, ...real },
  // tfjs approximates erf to 1e-7 absolute, which the tails' small densities magnify
  normalCdf: { make: () => on([3], normalCdf(0.5, 2)) as AnyBijector, ...real, tolerance: 2e-3 },
  'reverse normalCdf': { make: () => on([3], reverse(normalCdf(0.5, 2))) as AnyBijector, ...unit, tolerance: 2e-3 },
  'multi-scale composition': {
    make: () =>
      compose(input([4, 4, 1]), affine, squeeze, actNorm, ordered, factorOut, batchNorm(), affine) as AnyBijector,
    ...real,
  },
  'vector flow': {
    make: () =>
      compose(input([4]), coupling(halves(), net), flip, actNorm, coupling(halves('second'), net)) as AnyBijector,
    ...real,
  },
}
void [channelwise, checkerboard]
