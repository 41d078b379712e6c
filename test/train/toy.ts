/** Flows small enough to train in a test, with their batches and the bits of their states. */
import * as tf from '@tensorflow/tfjs-core'
import {
  actNorm,
  batchNorm,
  checkerboard,
  compose,
  coupling,
  flow,
  halves,
  input,
  key,
  logit,
  mlp,
  resnet,
  standardNormal,
} from 'diffeo'
import { inMemory, trainBatches, twoMoons } from 'diffeo/data'
import { type BatchOf, batch, foldIn, leaves, type Params, permutation, unwrap } from 'diffeo/tensor'
import type { FitEvent, Optimiser, TrainState } from 'diffeo/train'

/** θ ← θ − η·g: a step that shows the gradient, where Adam would make a whole step of the rounding of a 0. */
export const descent: Optimiser = {
  init: () => [],
  rates: (_, learningRate) => [learningRate],
  update: (grads, _, params, [rate]) => [params.map((p, i) => tf.sub(p, tf.mul(grads[i]!, rate!))), []],
}

/** A Real NVP of the plane. */
export const plane = (width: number) => {
  const net = mlp({ hidden: [width] })
  return flow(
    compose(input([2]), coupling(halves('first'), net), coupling(halves('second'), net), actNorm),
    standardNormal,
  )
}
export const moons = plane(6)
/** The batch of a step, by key and step alone. */
export const moonBatch =
  (size = 16, seed = 1) =>
  (step: number): BatchOf<readonly [2]> =>
    batch([2], twoMoons().sample(foldIn(key(seed), step), size))

const shape = [4, 4, 1] as const
/** Batch norm inside the net and on the path, and ActNorm: every kind of statistic. */
export const tiny = flow(
  compose(
    input(shape),
    logit(),
    coupling(checkerboard(), resnet({ width: 2, blocks: 1, norm: 'batch' })),
    batchNorm(),
    actNorm,
    coupling(checkerboard('odd'), resnet({ width: 2, blocks: 1, norm: 'batch' })),
  ),
  standardNormal,
)
export const images = inMemory({
  name: 'tiny',
  shape,
  images: Uint8Array.from(permutation(key(3), 320), (n) => n % 256),
})
export const tinyBatch = trainBatches(images, key(4), 8)

export const bitsOf = (t: tf.Tensor): readonly number[] => [...new Uint32Array(Float32Array.from(t.dataSync()).buffer)]
/** Names, shapes and bits of a tree. */
export const treeBits = (params: Params) =>
  leaves(params).map(([path, leaf]) => [path, unwrap(leaf as never).shape, bitsOf(unwrap(leaf as never))] as const)
/** All of a state, comparable with `toEqual`. */
export const stateBits = ({ step, params, moments }: TrainState) => ({
  step,
  params: treeBits(params),
  moments: moments.map((list) => list.map((m) => [m.shape, bitsOf(m)] as const)),
})

export const collect = async (events: AsyncIterable<FitEvent>): Promise<FitEvent[]> => {
  const all: FitEvent[] = []
  for await (const event of events) all.push(event)
  return all
}

/** How many tensors there are more after `f` than before. */
export const grown = async (f: () => unknown): Promise<number> => {
  const before = tf.memory().numTensors
  await f()
  return tf.memory().numTensors - before
}
