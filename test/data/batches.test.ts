import { key } from 'diffeo'
import {
  batchIndices,
  evaluationPairs,
  firstIndices,
  inMemory,
  loadData,
  oneHot,
  subset,
  trainBatches,
  trainPairs,
} from 'diffeo/data'
import { evaluationBatches, orThrow } from 'diffeo/fp'
import { foldIn, uniformArray } from 'diffeo/tensor'
import { describe, expect, it } from 'vitest'
import { values } from '../support.js'

const images = inMemory({
  name: 'numbered',
  shape: [2, 3, 2],
  images: Uint8Array.from({ length: 12 * 20 }, (_, i) => i),
  labels: Uint8Array.from(firstIndices(20)),
})
const pixels = async (x: Promise<unknown>) => values(await x).map(Math.floor)

describe('an image set', () => {
  it('answers the images asked for, in that order', async () => {
    expect([...(await images.read(Uint32Array.of(2, 0)))]).toEqual([...firstIndices(36).slice(24), ...firstIndices(12)])
  })
  it('has subsets, and these have subsets, labels too', async () => {
    const some = subset(Uint32Array.of(1, 2))(subset(Uint32Array.of(9, 7, 5))(images))
    expect([some.count, ...some.labels!]).toEqual([2, 7, 5])
    expect(await some.read(firstIndices(2))).toEqual(await images.read(Uint32Array.of(7, 5)))
  })
})

describe('trainBatches', () => {
  it('is a function of key and step', async () => {
    const [batch, again] = [0, 0].map(() => trainBatches(images, key(1), 8, { flips: true }))
    const later = values(await batch!(7))
    await batch!(0)
    expect(values(await again!(7))).toEqual(later)
    expect(values(await again!(8))).not.toEqual(later)
  })
  it('turns about half of the images left to right, channels as they were, if asked', async () => {
    const plain = trainBatches(images, key(2), 20)
    const turning = trainBatches(images, key(2), 20, { flips: true })
    const turned = async (step: number): Promise<readonly boolean[]> => {
      const [own, got] = [await pixels(plain(step)), await pixels(turning(step))]
      return [...firstIndices(20)].map((n) => {
        const [image, now] = [own, got].map((of) => of.slice(12 * n, 12 * n + 12)) as [number[], number[]]
        const mirrored = [4, 5, 2, 3, 0, 1, 10, 11, 8, 9, 6, 7].map((j) => image[j]!)
        expect([String(image), String(mirrored)]).toContain(String(now))
        return String(now) === String(mirrored)
      })
    }
    const first = await turned(0)
    expect(first.filter(Boolean).length).toBeGreaterThan(3)
    expect(first.filter(Boolean).length).toBeLessThan(17)
    expect(await turned(1)).not.toEqual(first)
    const noise = values(await plain(0)).slice(0, 20)
    expect(first).not.toEqual(noise.map((v) => v % 1 < 0.5))
    expect(await images.read(firstIndices(20))).toEqual(Uint8Array.from(firstIndices(240)))
  })
})

it('draws the noise of each batch apart', async () => {
  const black = inMemory({ name: 'black', shape: [1, 3, 2], images: new Uint8Array(48) })
  const [train, { at }] = [trainBatches(black, key(1), 4), orThrow(evaluationBatches(black, key(1), 4))]
  const all = await Promise.all([train(0), train(1), at(0), at(1)])
  expect(new Set(all.map((x) => String(values(x)))).size).toBe(4)
})

it('draws the order and the noise of a run each from a key of its own, the same in every version', async () => {
  const numbered = inMemory({ name: 'numbered', shape: [1, 1, 1], images: Uint8Array.from(firstIndices(20)) })
  const seed = key(5)
  const own = (use: number) => foldIn(seed, use)
  const batch = values(await trainBatches(numbered, seed, 10)(1))
  expect(batch.map(Math.floor)).toEqual([...batchIndices(own(0), 10, 20)(1)])
  const noise = uniformArray(foldIn(own(1), 1), 10)
  batch.forEach((v, i) => {
    expect(v % 1).toBeCloseTo(noise[i]!, 4)
  })
})

describe('evaluationBatches', () => {
  it.each([0, -1, 1.5, Number.NaN])('refuses batches of %s', (size) => {
    expect(evaluationBatches(images, key(0), size)).toMatchObject({
      left: { _tag: 'UsageError', expected: 'an integer from 1', got: `${size}` },
    })
  })
  it('has every image once, the rest in a smaller batch, never turned', async () => {
    const { count, at } = orThrow(evaluationBatches(images, key(0), 16))
    const all = await Promise.all(Array.from({ length: count }, (_, i) => pixels(at(i))))
    expect(all.flat()).toEqual([...firstIndices(240)])
  })
})

describe('loadData', () => {
  it('shares out MNIST by the seed', async () => {
    const [a, b, c] = await Promise.all(
      [0, 0, 1].map(async (seed) => await loadData({ name: 'mnist', validation: 100, seed })),
    )
    expect([a!.train.count, a!.validation.count, a!.test.count]).toEqual([59_900, 100, 10_000])
    expect(a!.summary).toBe(
      'MNIST 28×28×1: 59,900 images to train, 100 to validate, 10,000 to test; the official files by their checksums',
    )
    const first = (data: typeof a) => data!.validation.read(firstIndices(3))
    expect(await first(a)).toEqual(await first(b))
    expect(await first(a)).not.toEqual(await first(c))
  })
})

describe('pairs of images and one-hot labels', () => {
  // the label of an image is its number, and pixel 0 of image n is 12n mod 256
  const labelsIn = (given: unknown): readonly number[] => {
    const rows = values(given)
    return Array.from({ length: rows.length / 20 }, (_, i) => rows.slice(20 * i, 20 * i + 20).indexOf(1))
  }
  const numbersIn = (x: unknown): readonly number[] =>
    values(x).flatMap((v, i) => (i % 12 === 0 ? [Math.floor(v)] : []))
  it('keep the label of each image, in any order, in subsets too', async () => {
    const some = subset(Uint32Array.of(3, 1, 4, 15, 9, 2, 6))(images)
    for (const set of [images, some]) {
      const batch = trainPairs(set, 20, key(1), 5)
      for (const step of [0, 1, 7]) {
        const { x, given } = await batch(step)
        expect(numbersIn(x)).toEqual(labelsIn(given).map((n) => (12 * n) % 256))
        expect(values(x)).toEqual(values(await trainBatches(set, key(1), 5)(step)))
      }
      const { count, at } = evaluationPairs(set, 20, key(2), 3)
      const all: number[] = []
      for (let i = 0; i < count; i++) {
        const { x, given } = await at(i)
        expect(numbersIn(x)).toEqual(labelsIn(given).map((n) => (12 * n) % 256))
        all.push(...labelsIn(given))
      }
      expect(all).toEqual([...set.labels!])
    }
  })
  it('are refused without labels, and with labels of more classes', () => {
    const { labels: _, ...bare } = images
    expect(() => trainPairs(bare, 20, key(0), 4)).toThrow('numbered: expected a set with labels, got one without')
    expect(() => evaluationPairs(images, 10, key(0), 4)).toThrow(
      'numbered: expected labels from 0 to 9, got 10 at image 10',
    )
  })
  it('have rows with a single 1', () => {
    expect([...oneHot([2, 0], 3)]).toEqual([0, 0, 1, 1, 0, 0])
  })
})
