import fc from 'fast-check'
import * as E from 'fp-ts/lib/Either.js'
import { describe, expect, it } from 'vitest'
import { parseIdx } from '../../src/data/idx.js'
import { describeError } from '../../src/error.js'

const idx = (shape: readonly number[], data: ArrayLike<number>): Uint8Array => {
  const bytes = new Uint8Array(4 + 4 * shape.length + data.length)
  bytes.set([0, 0, 8, shape.length])
  const view = new DataView(bytes.buffer)
  shape.forEach((n, i) => {
    view.setUint32(4 + 4 * i, n)
  })
  bytes.set(data, 4 + 4 * shape.length)
  return bytes
}

const sentence = (bytes: Uint8Array): string => E.match(describeError, () => 'accepted')(parseIdx('some-file')(bytes))

describe('parseIdx', () => {
  it('reads what was written', () =>
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 5 }), { minLength: 1, maxLength: 4 }), fc.nat(255), (shape, v) => {
        const data = new Uint8Array(shape.reduce((a, b) => a * b, 1)).fill(v)
        expect(parseIdx('f')(idx(shape, data))).toEqual(E.right({ shape, data }))
      }),
    ))
  it('reads from the middle of a larger buffer', () => {
    const bytes = Uint8Array.from([9, 9, 9, ...idx([2], [7, 8])]).subarray(3)
    expect(parseIdx('f')(bytes)).toEqual(E.right({ shape: [2], data: Uint8Array.of(7, 8) }))
  })
  it('never throws, and what it accepts fits its shape', () =>
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array({ maxLength: 64 }),
          // Starts like an IDX file, so that the fuzz gets past the magic number.
          fc.tuple(fc.nat(255), fc.uint8Array({ maxLength: 64 })).map(([d, xs]) => Uint8Array.of(0, 0, 8, d, ...xs)),
        ),
        (bytes) => {
          const parsed = parseIdx('f')(bytes)
          if (E.isRight(parsed)) expect(parsed.right.data.length).toBe(parsed.right.shape.reduce((a, b) => a * b, 1))
        },
      ),
      { numRuns: 5000 },
    ))
  it.each([
    ['one byte short', idx([2, 2], [1, 2, 3]), 'some-file: expected 16 bytes for its shape 2×2, got 15 bytes'],
    ['one byte over', idx([2], [1, 2, 3]), 'some-file: expected 10 bytes for its shape 2, got 11 bytes; download'],
    ['a lying header', idx([0xffffffff, 0xffffffff], []), 'for its shape 4294967295×4294967295, got 12 bytes'],
    [
      'sizes the wrong way round',
      Uint8Array.of(0, 0, 8, 1, 2, 0, 0, 0, 7, 8),
      'some-file: expected 33554440 bytes for its shape 33554432, got 10 bytes; download',
    ],
    ['a magic number the wrong way round', Uint8Array.of(1, 8, 0, 0, 2, 0, 0, 0, 7, 8), 'got 01080000; check'],
    ['a cut header', Uint8Array.of(0, 0, 8, 3, 0), 'some-file: expected a header of 16 bytes, got 5 bytes; download'],
    ['empty', new Uint8Array(), 'which starts with 000008, got nothing; check'],
    ['floats', Uint8Array.of(0, 0, 0x0d, 1, 0, 0, 0, 0), 'got 00000d01; check'],
    ['no dimensions', Uint8Array.of(0, 0, 8, 0, 1), 'got 00000800; check'],
    ['gzip', Uint8Array.of(0x1f, 0x8b, 8, 0), "expected an IDX file, got a gzip file; unpack it: gunzip 'some-file'"],
  ])('says what is wrong: %s', (_, bytes, words) => expect(sentence(bytes)).toContain(words))
})
