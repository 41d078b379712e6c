/**
 * Nets over images: a plain stack of convolutions, and the residual network of Real NVP with skip connections to the
 * output (Dinh et al. 2016, §3.6): h₀ = conv(x); hᵢ = hᵢ₋₁ + block(hᵢ₋₁); y = conv₁ₓ₁(relu(norm(Σ skipᵢ(hᵢ)))). By
 * default the last convolution starts at zero, so that a coupling starts as the identity.
 *
 * @module
 */
import * as E from 'fp-ts/lib/Either.js'
import type { Shape } from '../../types/shape.js'
import { type DiffeoError, shapeError } from '../error.js'
import { add, relu, tidy } from '../tensor/ops.js'
import { count, counts, type Option, oneOf, wrongOption } from '../tensor/options.js'
import { branch, type Params, type Spec } from '../tensor/params.js'
import { show } from '../tensor/shape.js'
import type { AnyTensor } from '../tensor/tensor.js'
import { conv, convSpec, NORMS, type Norm, normalise, normSpec } from './conv.js'
import { module } from './module.js'
import type { Module, Net } from './net.js'

export interface ResnetOptions {
  /** Hidden channels. Default: 32 */
  readonly width?: number
  /** Residual blocks of two 3×3 convolutions. Default: 2 */
  readonly blocks?: number
  readonly norm?: Norm
  readonly weightNorm?: boolean
  /** Whether the last convolution starts at zero, or at random as the others. Default: true */
  readonly zeroInit?: boolean
}

export interface ConvNetOptions {
  /** Channels of the hidden layers. Default: [32, 32] */
  readonly hidden?: readonly number[]
  readonly weightNorm?: boolean
}

const images = (
  op: string,
  options: readonly Option[],
  from: Shape,
  to: Shape,
): E.Either<DiffeoError, readonly [inC: number, outC: number]> => {
  const wrong = wrongOption(op, options)
  return wrong !== undefined
    ? E.left(wrong)
    : from.length !== 3
      ? E.left(shapeError(op, 'height×width×channels', show(from)))
      : to.length !== 3 || to[0] !== from[0] || to[1] !== from[1]
        ? E.left(shapeError(op, `${from[0]}×${from[1]}×channels as output`, show(to)))
        : E.right([from[2]!, to[2]!])
}

const resnetOptions = (width: number, blocks: number, norm: Norm): readonly Option[] => [
  count('hidden channels', width),
  count('blocks', blocks, { least: 0 }),
  oneOf('norm', norm, NORMS),
]

/** Collects the next parameters of the normalisations that a pass goes through. */
const pass = (params: Params, norm: Norm, train: boolean) => {
  const next: Record<string, Params> = {}
  return {
    next: (): Params => ({ ...params, ...next }),
    conv: (name: string) => conv(branch(params, name)),
    activate: (name: string) => (x: AnyTensor) => {
      const [y, after] = normalise(norm, branch(params, name), train)(x)
      if (norm !== 'none') next[name] = after
      return relu(y)
    },
  }
}

/**
 * The residual network of Real NVP.
 *
 * @example
 * coupling(checkerboard(), resnet({ width: 32, blocks: 4 }))
 */
export const resnet = ({
  width = 32,
  blocks = 2,
  norm = 'batch',
  weightNorm = true,
  zeroInit = true,
}: ResnetOptions = {}): Net<'image'> => ({
  kind: 'image',
  name: `resnet(${width}, ${blocks})`,
  at: (from, to, context = 0) =>
    E.Functor.map(images('resnet', resnetOptions(width, blocks, norm), from, to), ([inC, outC]): Module => {
      const inner = (size: number, i: number, o: number) => convSpec(size, i, o, { weightNorm })
      const spec: Spec = Object.fromEntries<Spec>([
        ['in', convSpec(3, inC, width, { weightNorm, context })],
        ['skip', inner(1, width, width)],
        ...Array.from({ length: blocks }, (_, i): [string, Spec][] => [
          [`norm${i}a`, normSpec(norm, width)],
          [`conv${i}a`, inner(3, width, width)],
          [`norm${i}b`, normSpec(norm, width)],
          [`conv${i}b`, inner(3, width, width)],
          [`skip${i}`, inner(1, width, width)],
        ]).flat(),
        ['norm', normSpec(norm, width)],
        ['out', convSpec(1, width, outC, { zero: zeroInit, weightNorm })],
      ])
      return module('resnet', spec, (params, x, train) =>
        tidy(() => {
          const p = pass(params, norm, train)
          let h = p.conv('in')(x)
          let out = p.conv('skip')(h)
          for (let i = 0; i < blocks; i++) {
            const inside = p.conv(`conv${i}a`)(p.activate(`norm${i}a`)(h))
            h = add(p.conv(`conv${i}b`)(p.activate(`norm${i}b`)(inside)))(h)
            out = add(p.conv(`skip${i}`)(h))(out)
          }
          return [p.conv('out')(p.activate('norm')(out)), p.next()]
        }),
      )
    }),
})

/**
 * A stack of 3×3 convolutions with ReLU between them, without normalisation.
 *
 * @example
 * coupling(checkerboard(), convNet({ hidden: [32, 32] }))
 */
export const convNet = ({ hidden = [32, 32], weightNorm = false }: ConvNetOptions = {}): Net<'image'> => ({
  kind: 'image',
  name: `convNet(${hidden})`,
  at: (from, to, context = 0) =>
    E.Functor.map(images('convNet', [counts('hidden widths', hidden)], from, to), ([inC, outC]): Module => {
      const widths = [inC, ...hidden, outC]
      const spec: Spec = Object.fromEntries(
        widths
          .slice(1)
          .map((o, i) => [
            `conv${i}`,
            convSpec(3, widths[i]!, o, { zero: i === hidden.length, weightNorm, context: i === 0 ? context : 0 }),
          ]),
      )
      return module('convNet', spec, (params, x, train) =>
        tidy(() => {
          const p = pass(params, 'none', train)
          const y = hidden.reduce<AnyTensor>((h, _, i) => relu(p.conv(`conv${i}`)(h)), x)
          return [p.conv(`conv${hidden.length}`)(y), params]
        }),
      )
    }),
})
