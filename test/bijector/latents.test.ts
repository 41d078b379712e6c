/** The shape that the compiler finds for a composition is the shape that it has when it runs. */
import {
  type AnyBijector,
  actNorm,
  atShape,
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
  key,
  type Latents,
  type Layer,
  logit,
  mlp,
  realNvp,
  realNvpVector,
  reshapeTo,
  resnet,
  reverse,
  type Shape,
  type ShapeFn,
  squeeze,
} from 'diffeo'
import { randomBatch, randomParams } from 'diffeo/laws'
import { countParams, leaves } from 'diffeo/tensor'
import * as E from 'fp-ts/lib/Either.js'
import { pipe } from 'fp-ts/lib/function.js'
import { describe, expect, it } from 'vitest'
import { values } from '../support.js'

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
  agree(
    'a bijector among layers',
    compose(compose(input([8, 8, 2]), factorOut), squeeze, atShape([4, 4, 4], factorOut)),
    [
      [8, 8, 1],
      [4, 4, 2],
      [4, 4, 2],
    ],
  )
  agree('a vector at the end', atShape([8, 8, 2], compose(squeeze, factorOut, flatten, coupling(halves(), mlp()))), [
    [4, 4, 4],
    [64],
  ])
  agree('another form', atShape([784], reshapeTo([28, 28, 1])), [28, 28, 1])
  agree('reversed', reverse(atShape([8, 8, 2], squeeze)), [8, 8, 2])
  agree('premade', atShape([32, 32, 3], realNvp({ scales: 3, width: 2, blocks: 1 })), [
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
      compose(squeeze, atShape([32, 32, 3], actNorm)),
      [14, 14, 4],
      'compose: expected 32×32×3, got 7×7×16 from the layer before',
    ],
    [
      'own form',
      compose(flatten, reshapeTo([4, 4, 1])),
      [4, 4, 3],
      'reshape: expected 48 elements to fit 48, got 16 in 4×4×1',
    ],
    ['halves', coupling(halves(), mlp()), [1], 'halves: expected a vector of at least 2, got 1'],
    ['reversed', reverse(coupling(halves(), mlp())), [4, 4, 3], 'coupling: expected a vector, got 4×4×3'],
    ['premade', realNvp({ scales: 4 }), [28, 28, 1], 'squeeze: expected an even height, got 7 in 7×7×4'],
  ])('%s', (_, layer, shape, sentence) => expect(refused(layer, shape)).toEqual(E.left(sentence)))
})

describe('the premade flows', () => {
  const names = ({ parts = [] }: Pick<AnyBijector, 'parts'>) => parts.map(({ name }) => name).join(' ')
  const steps = (n: number) => Array.from({ length: n }, () => 'coupling actNorm').join(' ')
  const coupled = (w: number, blocks: number, kept: number, changed: number) =>
    9 * kept * w +
    2 * w +
    (w * w + 2 * w) +
    blocks * (19 * w * w + 10 * w) +
    2 * w +
    w * 2 * changed +
    4 * changed +
    changed

  it('are of the layers and sizes that the options say by default', () => {
    const image = atShape([4, 4, 1], realNvp())
    expect(names(image)).toBe(`logit ${steps(3)} squeeze ${steps(3)} ordered factorOut ${steps(4)}`)
    const norms = 3 * 2 + 3 * 8 + 4 * 4
    expect(countParams(image.spec)).toBe(
      3 * coupled(32, 4, 1, 1) + 3 * coupled(64, 4, 2, 2) + 4 * coupled(64, 4, 2, 2) + norms,
    )
    const vector = atShape([2], realNvpVector())
    expect(names(vector)).toBe(Array.from({ length: 4 }, () => 'coupling coupling actNorm').join(' '))
    expect(countParams(vector.spec)).toBe(8 * (64 + 64 + (64 * 64 + 64) + (64 * 2 + 2) + 1) + 4 * 4)
  })
  it('pass their options on, and begin with the even positions', () => {
    const b = atShape([4, 4, 1], realNvp({ width: 2, blocks: 1, logScale: 'free', init: 'random', logit: { bins: 4 } }))
    expect(leaves(b.spec).filter(([path]) => path.endsWith('scale'))).toEqual([])
    const gains = leaves(b.init(key(0))).filter(([path]) => path.endsWith('out/gain'))
    expect(gains.every(([, gain]) => values(gain).every((v) => v === 1))).toBe(true)
    const x = randomBatch([4, 4, 1], [0, 4], 1, key(1))
    const [scaled, first] = b.parts as [AnyBijector, AnyBijector]
    expect(values(scaled.bind({}).forward(x)[0])).toEqual(
      values(
        atShape([4, 4, 1], logit({ bins: 4 }))
          .bind({})
          .forward(x as never)[0],
      ),
    )
    const kept = values(first.bind(randomParams(first.spec, key(2))).forward(x)[0]).map((v, i) => v === values(x)[i])
    expect(kept.slice(0, 5)).toEqual([true, false, true, false, false])
  })
})
