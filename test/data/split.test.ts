import fc from 'fast-check'
import * as E from 'fp-ts/lib/Either.js'
import { describe, expect, it } from 'vitest'
import { batchIndices, gather, holdOut, stepsPerEpoch } from '../../src/data/split.js'
import { describeError, orThrow } from '../../src/error.js'
import { key } from '../../src/tensor/random.js'

const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i)

const arbSizes = fc
  .integer({ min: 1, max: 60 })
  .chain((count) => fc.tuple(fc.constant(count), fc.integer({ min: 1, max: count })))

describe('holdOut', () => {
  it('shares out all the examples, those of training in order', () =>
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 2, max: 100 }), fc.nat(), (seed, count, v) => {
        const validation = 1 + (v % (count - 1))
        const parts = orThrow(holdOut(key(seed), validation, count))
        expect(parts.validation.length).toBe(validation)
        expect([...parts.train, ...parts.validation].sort((a, b) => a - b)).toEqual(range(count))
        expect(parts.train).toEqual(parts.train.slice().sort())
      }),
    ))
  it('mixes what it holds out: of ten classes in order, 50 at a time are like all', () => {
    const { validation } = orThrow(holdOut(key(3), 500, 10_000))
    for (let first = 0; first < 500; first += 50)
      expect(new Set(validation.slice(first, first + 50).map((i) => Math.floor(i / 1000))).size).toBeGreaterThan(6)
  })
  it('follows the key', () => {
    expect(holdOut(key(1), 10, 100)).toEqual(holdOut(key(1), 10, 100))
    expect(holdOut(key(1), 10, 100)).not.toEqual(holdOut(key(2), 10, 100))
  })
  it.each([0, 100, 101, 2.5, Number.NaN])('refuses to hold out %s of 100', (n) =>
    expect(E.match(describeError, () => '')(holdOut(key(0), n, 100))).toBe(
      `validation: expected 1 to 99 of 100 examples to hold out, got ${n}; hold out fewer`,
    ),
  )
})

describe('batchIndices', () => {
  it('never repeats an example within an epoch', () =>
    fc.assert(
      fc.property(fc.nat(), arbSizes, fc.nat(3), (seed, [count, size], epoch) => {
        const batch = orThrow(batchIndices(key(seed), size, count))
        const perEpoch = stepsPerEpoch(size, count)
        const seen = range(perEpoch).flatMap((i) => [...batch(epoch * perEpoch + i)])
        expect(seen.length).toBe(perEpoch * size)
        expect(new Set(seen).size).toBe(seen.length)
        expect(seen.every((i) => i < count)).toBe(true)
      }),
    ))
  it('is a function of the step: asked backwards or afresh, the answers are the same', () => {
    const steps = range(40)
    const batch = orThrow(batchIndices(key(3), 7, 50))
    const forwards = steps.map(batch)
    expect([...steps].reverse().map(batch).reverse()).toEqual(forwards)
    expect(steps.map((s) => orThrow(batchIndices(key(3), 7, 50))(s))).toEqual(forwards)
  })
  it('is not spoilt by a caller that writes into a batch', () => {
    const batch = orThrow(batchIndices(key(3), 7, 50))
    const before = [...batch(0)]
    batch(0).fill(0)
    expect([...batch(0)]).toEqual(before)
  })
  it('has another order in each epoch and for each key', () => {
    const batch = orThrow(batchIndices(key(1), 50, 50))
    expect(batch(0)).not.toEqual(batch(1))
    expect(batch(0)).not.toEqual(orThrow(batchIndices(key(2), 50, 50))(0))
  })
  it.each([0, 51, 1.5])('refuses a batch of %s of 50', (size) =>
    expect(E.match(describeError, () => '')(batchIndices(key(0), size, 50))).toBe(
      `batch size: expected an integer from 1 to 50, the number of examples, got ${size}`,
    ),
  )
})

describe('gather', () => {
  it('takes whole examples, in the order asked for, in the type they came in', () => {
    expect(gather(Uint8Array.of(0, 1, 10, 11, 20, 21), 2)([2, 0, 2])).toEqual(Uint8Array.of(20, 21, 0, 1, 20, 21))
    expect(gather(Float32Array.of(0.5, 1.5), 1)(Uint32Array.of(1))).toEqual(Float32Array.of(1.5))
  })
})
