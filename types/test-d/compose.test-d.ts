// The shapes that `compose` infers, as users write it.

import { expectError, expectType } from 'tsd'
import type { Tensor } from '../../dist/src/entry/tensor.js'
import {
  actNorm,
  atShape,
  type Bijector,
  channelwise,
  checkerboard,
  compose,
  coupling,
  factorOut,
  flatten,
  flow,
  halves,
  input,
  key,
  logit,
  mlp,
  repeat,
  resnet,
  reverse,
  squeeze,
  standardNormal,
} from '../../dist/src/index.js'

const net = resnet({ width: 32, blocks: 4 })
const mask = checkerboard()

// the main use: `compose` infers the codomain
expectType<Bijector<readonly [32, 32, 3], readonly [readonly [16, 16, 6], readonly [16, 16, 6]]>>(
  compose(input([32, 32, 3]), coupling(mask, net), squeeze, coupling(channelwise(), net), factorOut),
)

// a block of layers is itself a layer
const scale = compose(
  coupling(mask, net),
  actNorm,
  coupling(checkerboard('odd'), net),
  squeeze,
  coupling(channelwise(), net),
  factorOut,
)
const twoScales = compose(input([32, 32, 3]), logit(), scale, scale, coupling(mask, net))
expectType<readonly [readonly [16, 16, 6], readonly [8, 8, 12], readonly [8, 8, 12]]>(twoScales.codomain)
expectType<readonly [32, 32, 3]>(twoScales.domain)
expectType<readonly [readonly [14, 14, 2], readonly [7, 7, 4], readonly [7, 7, 4]]>(
  compose(input([28, 28, 1]), scale, scale).codomain,
)

// after a factor-out, layers act on the last latent
expectType<readonly [readonly [16, 16, 6], readonly [8, 8, 12], readonly [4, 4, 48]]>(
  compose(twoScales, squeeze).codomain,
)
expectType<readonly [readonly [16, 16, 6], readonly [8, 8, 12], readonly [768]]>(compose(twoScales, flatten).codomain)

// a bijector is a layer that accepts one shape
const tail = atShape([16, 16, 12], compose(factorOut, squeeze))
expectType<readonly [readonly [16, 16, 6], readonly [8, 8, 24]]>(compose(input([32, 32, 3]), squeeze, tail).codomain)
expectType<Bijector<readonly [16, 16, 12], readonly [readonly [16, 16, 6], readonly [8, 8, 24]]>>(tail)

// associativity: nesting does not change the latents
const flat = compose(input([64, 64, 3]), squeeze, factorOut, squeeze, factorOut, squeeze)
expectType<typeof flat>(compose(input([64, 64, 3]), compose(squeeze, factorOut), compose(squeeze, factorOut, squeeze)))
expectType<typeof flat>(
  compose(input([64, 64, 3]), compose(compose(squeeze, compose(factorOut, squeeze)), factorOut, squeeze)),
)
expectType<typeof flat>(compose(compose(input([64, 64, 3]), squeeze, factorOut), squeeze, factorOut, squeeze))
expectType<typeof flat>(atShape([64, 64, 3], compose(squeeze, factorOut, squeeze, factorOut, squeeze)))

// `repeat`: a layer that keeps the shape keeps its type; other layers are applied n times
expectType<Bijector<readonly [28, 28, 1], readonly [7, 7, 16]>>(atShape([28, 28, 1], repeat(2, squeeze)))
expectType<typeof twoScales.codomain>(compose(input([32, 32, 3]), repeat(2, scale)).codomain)
expectType<Bijector<readonly [6], readonly [6]>>(compose(input([6]), repeat(8, atShape([6], actNorm))))
expectError(atShape([28, 28, 1], repeat(3, squeeze)))
expectError(repeat(0, squeeze))
expectError(repeat(-1, actNorm))
expectError(repeat(1.5, actNorm))

// six scales of large images
const six = compose(input([128, 128, 3]), logit(), scale, scale, scale, scale, scale, scale)
expectType<
  readonly [
    readonly [64, 64, 6],
    readonly [32, 32, 12],
    readonly [16, 16, 24],
    readonly [8, 8, 48],
    readonly [4, 4, 96],
    readonly [2, 2, 192],
    readonly [2, 2, 192],
  ]
>(six.codomain)
expectType<readonly [49152]>(compose(input([128, 128, 3]), flatten).codomain)

// no layers, one layer
expectType<Bijector<readonly [2], readonly [2]>>(compose(input([2])))
expectType<Bijector<readonly [4, 4, 1], readonly [2, 2, 4]>>(atShape([4, 4, 1], squeeze))

// batches in both directions
const diffeo = twoScales.bind(twoScales.init(key(0)))
declare const images: Tensor<readonly ['N', 32, 32, 3]>
const [z, logDet] = diffeo.forward(images)
expectType<
  readonly [Tensor<readonly ['N', 16, 16, 6]>, Tensor<readonly ['N', 8, 8, 12]>, Tensor<readonly ['N', 8, 8, 12]>]
>(z)
expectType<Tensor<readonly ['N']>>(logDet)
expectType<Tensor<readonly ['N', 32, 32, 3]>>(diffeo.inverse(z)[0])
expectError(diffeo.inverse(z[2]))
expectError(diffeo.forward(z[0]))

// reversal exchanges domain and codomain
const squeezed = atShape([32, 32, 3], squeeze)
expectType<Bijector<readonly [16, 16, 12], readonly [32, 32, 3]>>(reverse(squeezed))
expectType<Bijector<readonly [32, 32, 3], readonly [32, 32, 3]>>(compose(squeezed, reverse(squeezed)))
expectType<typeof squeezed>(reverse(reverse(squeezed)))
expectError(reverse(twoScales))
expectError(reverse(squeeze))
expectError(reverse(compose(actNorm, squeeze)))
const step = compose(actNorm, coupling(halves(), mlp()))
expectType<typeof step>(repeat(32, step))
expectType<Bijector<readonly [2], readonly [2]>>(compose(input([2]), reverse(step)))
expectError(compose(input([4, 4, 1]), reverse(step)))

// a flow is over the domain of its bijector
const model = flow(twoScales, standardNormal)
const params = model.init(key(0))
expectType<Tensor<readonly ['N']>>(model.logProb(params)(images))
expectType<Tensor<readonly ['N', 32, 32, 3]>>(model.sample(params)(key(1), 4))
expectError(model.logProb(params)(z[0]))
expectError(flow(scale, standardNormal))
