/**
 * Real NVP (Dinh et al. 2016) for images and for vectors, made only of public parts.
 *
 * @module
 */
import type { Apply, FactorOut, Latents, SameVector, Shape, ShapeError, ShapeFn, Squeeze } from '../../types/shape.js'
import { coupling, splineCoupling } from '../bijector/coupling.js'
import { type LogitOptions, logit } from '../bijector/elementwise.js'
import type { Layer } from '../bijector/layer.js'
import { channelwise, checkerboard, halves } from '../bijector/mask.js'
import { actNorm, batchNorm } from '../bijector/norm.js'
import { withOptions } from '../bijector/options.js'
import { factorOut, ordered, squeeze } from '../bijector/rearrange.js'
import type { AffineOptions } from '../bijector/transformers/affine.js'
import type { Norm } from '../nn/conv.js'
import { mlp } from '../nn/mlp.js'
import { resnet } from '../nn/resnet.js'
import { count, oneOf } from '../tensor/options.js'
import { type AnyLayer, stack } from './stack.js'

/** The latents of `N` scales: at each but the last, squeeze and factor out half. */
type ScaleLatents<
  S,
  N extends number,
  Left extends readonly Shape[] = readonly [],
  Done extends readonly unknown[] = readonly [unknown],
> = number extends N
  ? Latents
  : Done['length'] extends N
    ? S extends Shape
      ? Left extends readonly []
        ? S
        : readonly [...Left, S]
      : never
    : Apply<Squeeze, S> extends infer Q
      ? Q extends ShapeError<string>
        ? Q
        : Apply<FactorOut, Q> extends readonly [infer Z extends Shape, infer H]
          ? ScaleLatents<H, N, readonly [...Left, Z], readonly [...Done, unknown]>
          : Apply<FactorOut, Q>
      : never
/** H×W×C → (H/2×W/2×2C, H/4×W/4×4C, …): one latent for each of `N` scales */
export interface MultiScale<N extends number> extends ShapeFn {
  readonly out: ScaleLatents<this['in'], N>
}

export interface RealNvpOptions<N extends number> {
  /** How often the image is squeezed and half of it factored out, plus one. Default: 2 */
  readonly scales?: N
  /** Hidden channels at the first scale; they double at each. Default: 32 */
  readonly width?: number
  /** Residual blocks of each net. Default: 4 */
  readonly blocks?: number
  /** Normalisation inside the nets. Default: batch */
  readonly norm?: Norm
  /** Normalisation on the path, after each coupling. Default: actNorm */
  readonly path?: 'actNorm' | 'batchNorm' | 'none'
  /**
   * Which channels a scale factors out: `ordered`, one colour of the checkerboard as the authors' code has it, or
   * `plain`, the first half after the squeeze (all of red and the top row of green, of a colour image). Default: ordered
   */
  readonly order?: 'ordered' | 'plain'
  /** How the log scales of the couplings are bounded: see {@link AffineOptions}. Default: tanh */
  readonly logScale?: AffineOptions['logScale']
  /** Whether each coupling starts as the identity, or each net at random. Default: identity */
  readonly init?: 'identity' | 'random'
  readonly logit?: LogitOptions
}

const alternate = (n: number, make: (first: boolean) => readonly AnyLayer[]): readonly AnyLayer[] =>
  Array.from({ length: n }, (_, i) => make(i % 2 === 0)).flat()

/**
 * The multi-scale Real NVP of images with pixels in [0, 256): logit; per scale 3 checkerboard couplings, squeeze,
 * 3 channel couplings, factor out in the authors' order; at the last scale 4 checkerboard couplings. Its options are
 * what the paper and its readers vary; `npm run reproduce -- --rows ablations` measures each.
 *
 * @example
 * const model = atShape([28, 28, 1], realNvp({ scales: 2, width: 16, blocks: 2 })) // Bijector<[28, 28, 1], [[14, 14, 2], [14, 14, 2]]>
 */
export const realNvp = <const N extends number = 2>({
  scales = 2 as N,
  width = 32,
  blocks = 4,
  norm = 'batch',
  path = 'actNorm',
  order = 'ordered',
  logScale = 'tanh',
  init = 'identity',
  logit: logitOptions = {},
}: RealNvpOptions<N> = {}): Layer<MultiScale<N>> => {
  const norms = { actNorm: [actNorm], batchNorm: [batchNorm()], none: [] }
  const net = (scale: number) => resnet({ width: width * 2 ** scale, blocks, norm, zeroInit: init === 'identity' })
  const checks = (n: number, scale: number) =>
    alternate(n, (first) => [coupling(checkerboard(first ? 'even' : 'odd'), net(scale), { logScale }), ...norms[path]])
  const channels = (n: number, scale: number) =>
    alternate(n, (first) => [
      coupling(channelwise(first ? 'first' : 'second'), net(scale), { logScale }),
      ...norms[path],
    ])
  const options = [
    count('scales', scales),
    oneOf('path', path, Object.keys(norms)),
    oneOf('order', order, ['ordered', 'plain']),
    oneOf('init', init, ['identity', 'random']),
  ]
  return withOptions('realNvp', options, () =>
    stack<MultiScale<N>>([
      logit(logitOptions),
      ...Array.from({ length: scales - 1 }, (_, scale) => [
        ...checks(3, scale),
        squeeze,
        ...channels(3, scale + 1),
        ...(order === 'ordered' ? [ordered] : []),
        factorOut,
      ]).flat(),
      ...checks(4, scales - 1),
    ]),
  )
}

export interface RealNvpVectorOptions {
  /** Affine couplings over alternating halves; an odd number is rounded up. Default: 8 */
  readonly couplings?: number
  /** Widths of the hidden layers of each net. Default: [64, 64] */
  readonly hidden?: readonly number[]
  /** How a coupling changes its half: affine, or a rational-quadratic spline on [−3, 3] (Durkan et al. 2019). Default: affine */
  readonly transformer?: 'affine' | 'spline'
}

/**
 * Real NVP for vectors: couplings over alternating halves, ActNorm after each pair. With splines it is a neural spline
 * flow, which bends where affine couplings only scale, and takes twice as long for a step. Splines live on [−3, 3] and round
 * to 3·10⁻⁷ there: data in a much smaller unit need an ActNorm before, `compose(input([2]), actNorm, realNvpVector(…))`.
 *
 * @example
 * const moons = flow(atShape([2], realNvpVector({ couplings: 8, hidden: [64, 64] })), standardNormal)
 */
export const realNvpVector = ({
  couplings = 8,
  hidden = [64, 64],
  transformer = 'affine',
}: RealNvpVectorOptions = {}): Layer<SameVector> => {
  const transformers = { affine: coupling, spline: splineCoupling }
  const options = [count('couplings', couplings), oneOf('transformer', transformer, Object.keys(transformers))]
  return withOptions('realNvpVector', options, () => {
    const net = mlp({ hidden })
    const over = (half: 'first' | 'second') => transformers[transformer](halves(half), net)
    const pair = [over('first'), over('second'), actNorm]
    return stack<SameVector>(Array.from({ length: Math.ceil(couplings / 2) }, () => pair).flat())
  })
}
