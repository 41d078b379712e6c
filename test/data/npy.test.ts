import { mkdirSync, truncateSync, writeFileSync } from 'node:fs'
import { loadData, openNpy, orThrow, parseNpy, range } from 'diffeo'
import fc from 'fast-check'
import * as E from 'fp-ts/lib/Either.js'
import { describe, expect, it } from 'vitest'
import { npyBytes, ownFolder, said } from './files.js'

const at = ownFolder()
const header = (shape: string, descr = '|u1', fortran = 'False') =>
  `{'descr': '${descr}', 'fortran_order': ${fortran}, 'shape': (${shape}), }`
const numbered = (n: number) => Uint8Array.from({ length: n }, (_, i) => i)
const put = (name: string, shape: string, data: Uint8Array, ...rest: readonly string[]): string => {
  writeFileSync(at(name), npyBytes(header(shape, ...rest), data))
  return at(name)
}

describe('a .npy file', () => {
  writeFileSync(at('x.npy'), 'hello hello hello')
  it('is read as it was written', async () => {
    const set = orThrow(await openNpy(put('colour.npy', '5, 2, 1, 3', numbered(30)))())
    expect([set.count, ...set.shape]).toEqual([5, 2, 1, 3])
    expect(await set.read(Uint32Array.of(4, 1))).toEqual(Uint8Array.from([24, 25, 26, 27, 28, 29, 6, 7, 8, 9, 10, 11]))
  })
  it('has one channel if its shape has three sizes', async () =>
    expect(orThrow(await openNpy(put('gray.npy', '2, 3, 4', numbered(24)))()).shape).toEqual([3, 4, 1]))
  it('may have the longer length of later versions', () => {
    const bytes = npyBytes(header('1, 2, 2'), numbered(4))
    const later = Buffer.concat([bytes.subarray(0, 6), Buffer.from([2, 0, 118, 0, 0, 0]), bytes.subarray(10)])
    expect(parseNpy('f', later.length)(later)).toEqual(E.right({ offset: 130, shape: [1, 2, 2] }))
    later[10] = 1
    expect(E.isLeft(parseNpy('f', later.length)(later))).toBe(true)
  })
  it.each([
    [
      'floats',
      () => put('f.npy', '1, 2, 2', numbered(32), '<f8'),
      /expected unsigned bytes, '\|u1', got '<f8'; save it with/,
    ],
    [
      'floats, a NaN among them',
      () => put('nan.npy', '1, 1, 2', new Uint8Array(Float32Array.of(1, Number.NaN).buffer), '<f4'),
      /nan\.npy: expected unsigned bytes, '\|u1', got '<f4'; save it with numpy\.save\('images\.npy', images\.astype/,
    ],
    ['words the wrong way round', () => put('w.npy', '1, 1, 2', numbered(4), '>u2'), /'\|u1', got '>u2'/],
    [
      'a length the wrong way round',
      () => {
        const bytes = npyBytes(header('1, 2, 2'), numbered(4))
        bytes.set([0, 118], 8)
        writeFileSync(at('e.npy'), bytes)
        return at('e.npy')
      },
      /expected a header of at most 4096 bytes, got 30218 bytes/,
    ],
    ['columns first', () => put('c.npy', '1, 2, 2', numbered(4), '|u1', 'True'), /expected rows first/],
    [
      'another rank',
      () => put('r.npy', '4,', numbered(4)),
      /expected a shape N×H×W or N×H×W×C with 1 or 3 channels, got 4;/,
    ],
    ['no image', () => put('z.npy', '0, 2, 2', numbered(0)), /1 or 3 channels, got 0×2×2/],
    ['two channels', () => put('t.npy', '1, 1, 1, 2', numbered(2)), /got 1×1×1×2/],
    [
      'a truncated file',
      () => put('s.npy', '2, 2, 2', numbered(7)),
      /expected 136 bytes for its shape 2×2×2, got 135 bytes/,
    ],
    ['a lying shape', () => put('l.npy', '99999999999, 99999999, 999999', numbered(7)), /for its shape 99999999999×/],
    ['a foreign file', () => at('x.npy'), /expected a .npy file, got something else; save it/],
    ['no file', () => at('none.npy'), /got nothing there/],
  ])('is refused with what to do: %s', async (_, path, sentence) =>
    expect(await said(openNpy(path()))).toMatch(sentence),
  )
  it('never throws on any bytes, and what it accepts fills the file', () => {
    const magic = fc
      .tuple(fc.integer({ min: 1, max: 3 }), fc.uint8Array({ maxLength: 80 }))
      .map(([v, xs]) => Buffer.concat([Buffer.from('\x93NUMPY', 'latin1'), Buffer.from([v, 0]), xs]))
    const text = fc
      .tuple(fc.array(fc.oneof(fc.nat(5), fc.nat(), fc.string()), { maxLength: 5 }), fc.nat(9))
      .map(([shape, n]) => npyBytes(header(shape.join(', ')), numbered(n)))
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 64 }), magic, text), (bytes) => {
        const parsed = parseNpy('f', bytes.length)(bytes)
        if (E.isRight(parsed))
          expect(parsed.right.offset + parsed.right.shape.reduce((a, b) => a * b)).toBe(bytes.length)
      }),
      { numRuns: 3000 },
    )
  })
  it('may be larger than memory: a batch takes what it answers', async () => {
    // sparse, so that it costs no disk
    const path = put('large.npy', '1000000, 64, 64, 3', new Uint8Array())
    truncateSync(path, 128 + 1e6 * 64 * 64 * 3)
    const set = orThrow(await openNpy(path)())
    const before = process.memoryUsage()
    for (let i = 0; i < 20; i++) await set.read(range(64).map((n) => n * 15_000 + i))
    const after = process.memoryUsage()
    expect(set.count).toBe(1_000_000)
    expect(after.rss - before.rss).toBeLessThan(2 ** 28)
  })
})

describe('a folder of .npy files', () => {
  it('holds a tenth out for the test, and then the validation, by the seed', async () => {
    mkdirSync(at('one'))
    put('one/train.npy', '50, 1, 1', numbered(50))
    const load = async (seed: number) => {
      const data = orThrow(await loadData({ name: 'npy', folder: at('one'), validation: 7, seed })())
      return Promise.all([data.train, data.validation, data.test].map(async (s) => [...(await s.read(range(s.count)))]))
    }
    const parts = await load(3)
    expect(parts.map((p) => p.length)).toEqual([38, 7, 5])
    expect(parts.flat().sort((a, b) => a - b)).toEqual([...range(50)])
    expect(await load(3)).toEqual(parts)
    expect(await load(4)).not.toEqual(parts)
  })
  it('takes the test file that is there, of the same images', async () => {
    put('one/test.npy', '3, 1, 1', numbered(3))
    const load = loadData({ name: 'npy', folder: at('one'), validation: 7, seed: 0 })
    expect(orThrow(await load()).test.count).toBe(3)
    put('one/test.npy', '3, 2, 1', numbered(6))
    expect(await said(load)).toMatch(/test.npy: expected images of 1×1×1, as in train.npy, got 2×1×1/)
  })
  it('says what it should hold, and which sizes there are', async () => {
    mkdirSync(at('nothing'))
    const options = { name: 'npy', validation: 1, seed: 0 } as const
    expect(await said(loadData({ ...options, folder: at('nothing') }))).toMatch(
      /name a .npy file, or a folder with train.npy/,
    )
    expect(await said(loadData({ ...options, size: 9 }))).toBe('size: expected no size: npy has its own, got 9')
  })
})
