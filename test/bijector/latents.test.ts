/** The shape that the compiler finds for a composition is the shape that it has when it runs. */
import {
  actNorm,
  type Bijector,
  channelwise,
  checkerboard,
  compose,
  coupling,
  describeError,
  factorOut,
  flatten,
  halves,
  input,
  type Latents,
  type Layer,
  logit,
  mlp,
  on,
  realNvp,
  reshapeTo,
  resnet,
  reverse,
  type Shape,
  type ShapeFn,
  squeeze,
  squeezeOrdered,
} from 'diffeo'
import * as E from 'fp-ts/lib/Either.js'
import { pipe } from 'fp-ts/lib/function.js'
import { describe, expect, it } from 'vitest'

const net = resnet({ width: 2, blocks: 1 })
const scale = compose(coupling(checkerboard(), net), actNorm, squeeze, coupling(channelwise(), net), factorOut)

// `Bijector` is invariant, so the right side has exactly the type that the compiler found.
const agree = <A extends Shape, B extends Latents>(name: string, b: Bijector<A, B>, codomain: NoInfer<B>) =>
  it(name, () => expect(b.codomain).toEqual(codomain))

describe('latents', () => {
  agree('no layer', compose(input([32, 32, 3])), [32, 32, 3])
  agree('one block', compose(input([32, 32, 3]), scale), [
    [16, 16, 6],
    [16, 16, 6],
  ])
  agree('two blocks', compose(input([28, 28, 1]), logit(), scale, scale), [
    [14, 14, 2],
    [7, 7, 4],
    [7, 7, 4],
  ])
  agree('six blocks', compose(input([128, 128, 3]), scale, scale, scale, scale, scale, scale), [
    [64, 64, 6],
    [32, 32, 12],
    [16, 16, 24],
    [8, 8, 48],
    [4, 4, 96],
    [2, 2, 192],
    [2, 2, 192],
  ])
  agree('a bijector among layers', compose(compose(input([8, 8, 2]), factorOut), squeeze, on([4, 4, 4], factorOut)), [
    [8, 8, 1],
    [4, 4, 2],
    [4, 4, 2],
  ])
  agree('a vector at the end', on([8, 8, 2], compose(squeezeOrdered, factorOut, flatten, coupling(halves(), mlp()))), [
    [4, 4, 4],
    [64],
  ])
  agree('another form', on([784], reshapeTo([28, 28, 1])), [28, 28, 1])
  agree('reversed', reverse(on([8, 8, 2], squeeze)), [8, 8, 2])
  agree('premade', on([32, 32, 3], realNvp({ scales: 3, width: 2, blocks: 1 })), [
    [16, 16, 6],
    [8, 8, 12],
    [8, 8, 12],
  ])
})

describe('what the compiler cannot know is refused when it runs, in the same words', () => {
  const refused = (layer: Layer<ShapeFn>, shape: Shape) => pipe(layer.at(shape), E.mapLeft(describeError))
  it.each<[string, Layer<ShapeFn>, Shape, string]>([
    [
      'second squeeze',
      compose(squeeze, actNorm, squeeze),
      [30, 30, 3],
      'squeeze: expected an even height, got 15 in 15×15×12',
    ],
    ['block', compose(scale, scale, scale), [28, 28, 1], 'squeeze: expected an even height, got 7 in 7×7×4'],
    ['vector', scale, [784], 'coupling: expected height×width×channels, got 784'],
    [
      'channels',
      compose(coupling(channelwise(), net)),
      [4, 4, 3],
      'coupling: expected an even number of channels, got 3 in 4×4×3',
    ],
    [
      'bijector',
      compose(squeeze, on([32, 32, 3], actNorm)),
      [14, 14, 4],
      'compose: expected 32×32×3, got 7×7×16 from the layer before',
    ],
    [
      'own form',
      compose(flatten, reshapeTo([4, 4, 1])),
      [4, 4, 3],
      'reshape: expected 48 elements to fit 48, got 16 in 4×4×1',
    ],
    ['reversed', reverse(coupling(halves(), mlp())), [4, 4, 3], 'coupling: expected a vector, got 4×4×3'],
    ['premade', realNvp({ scales: 4 }), [28, 28, 1], 'squeeze: expected an even height, got 7 in 7×7×4'],
  ])('%s', (_, layer, shape, sentence) => expect(refused(layer, shape)).toEqual(E.left(sentence)))
})
