import { mkdirSync, truncateSync, writeFileSync } from 'node:fs'
import { firstIndices } from 'diffeo/data'
import { loadData, loadNpy, openNpy, orThrow, parseNpy } from 'diffeo/fp'
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
      /nan\.npy: expected unsigned bytes, '\|u1', got '<f4'; replace the values that are not finite, then save it with numpy\.save\('images\.npy', \(255 \* x\)\.round\(\)\.astype/,
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
      /expected a header of at most 10000 bytes, got 30218 bytes/,
    ],
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
    for (let i = 0; i < 20; i++) await set.read(firstIndices(64).map((n) => n * 15_000 + i))
    const after = process.memoryUsage()
    expect(set.count).toBe(1_000_000)
    expect(after.rss - before.rss).toBeLessThan(2 ** 28)
  })
})

/** A file of a version, with a header as it is, padded as NumPy pads it. */
const file = (text: string, data: Uint8Array, version = 1): Uint8Array => {
  const [pre, bytes] = [version === 1 ? 10 : 12, Buffer.from(text, version === 3 ? 'utf8' : 'latin1')]
  const padding = 63 - ((pre + bytes.length) % 64)
  const length = Buffer.alloc(version === 1 ? 2 : 4)
  if (version === 1) length.writeUInt16LE(bytes.length + padding + 1)
  else length.writeUInt32LE(bytes.length + padding + 1)
  const magic = Buffer.from(`\x93NUMPY${String.fromCharCode(version)}\x00`, 'latin1')
  return Buffer.concat([magic, length, bytes, Buffer.from(`${' '.repeat(padding)}\n`), data])
}
const parsed = (bytes: Uint8Array) => parseNpy('f', bytes.length)(bytes)

describe('a header that NumPy reads', () => {
  it.each([
    ["{'descr': '|u1', 'fortran_order': False, 'shape': (2L, 3L, 4L), }"],
    ["{'descr': '|u1', 'fortran_order': False, 'shape': (2 L, 0x3, 4)}"],
    ['{"descr": "|u1", "fortran_order": False, "shape": (2, 3, 4), }'],
    ["{'shape': (2, 3, 4), 'fortran_order': False, 'descr': '|u1'}"],
    ["{ 'shape' :(2,3,4,) ,\n'fortran_order':False,\t'descr' : '|u1' , }"],
    ["  {'descr': u'|u1', u'fortran_order': False, 'shape': ((2), +3, 4)}  # a comment"],
    ["{'descr': '|' 'u1', 'fortran_order': False, 'shape': (2, 3, 4)}"],
    ["{'descr': '''|u1''', 'fortran_order': False, 'shape': (2, 3, 4)}"],
    ["{'descr': r'|u1', 'fortran_order': False, 'shape': (2, 3, 0_4)}".replace('0_4', '4')],
    ["{'descr': '\\x7cu\\x31', 'fortran_order': False, 'shape': (2, 3, 4)}"],
    ...['B', '|B', 'u1', '<u1', '>u1', '=u1', 'uint8', 'ubyte'].map((type) => [
      `{'descr': '${type}', 'fortran_order': False, 'shape': (2, 3, 4), }`,
    ]),
  ])('is read: %s', (text) => {
    for (const version of [1, 2, 3])
      expect(parsed(file(text, numbered(24), version))).toMatchObject({ right: { shape: [2, 3, 4] } })
  })
  it('may be padded to ten thousand bytes', () => {
    const text = "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3, 4), }"
    expect(E.isRight(parsed(file(text.padEnd(9900), numbered(24))))).toBe(true)
    expect(E.isRight(parsed(file(text.padEnd(11_000), numbered(24))))).toBe(false)
  })
  it('may have the first dimension fastest', async () => {
    // numpy.arange(24, dtype='uint8').reshape(2, 2, 2, 3), saved after numpy.asfortranarray
    const bytes = [0, 12, 6, 18, 3, 15, 9, 21, 1, 13, 7, 19, 4, 16, 10, 22, 2, 14, 8, 20, 5, 17, 11, 23]
    const path = put('fortran.npy', '2, 2, 2, 3', Uint8Array.from(bytes), '|u1', 'True')
    const set = orThrow(await openNpy(path)())
    expect([set.count, ...set.shape]).toEqual([2, 2, 2, 3])
    expect(await set.read(firstIndices(2))).toEqual(numbered(24))
    expect(parsed(file(header('2, 2, 2, 3', '|u1', 'True'), Uint8Array.from(bytes)))).toMatchObject({
      right: { firstFastest: true },
    })
  })
  it.each([
    ['nothing', ''],
    ['no dictionary', "('descr', '|u1')"],
    ['a key too few', "{'descr': '|u1', 'shape': (2, 3, 4), }"],
    ['a name', "{'descr': '|u1', 'fortran_order': false, 'shape': (2, 3, 4), }"],
    ['an open bracket', "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3, 4, "],
    ['an open string', "{'descr': '|u1, 'fortran_order': False, 'shape': (2, 3, 4), }"],
    ['two commas', "{'descr': '|u1',, 'fortran_order': False, 'shape': (2, 3, 4), }"],
    ['no comma', "{'descr': '|u1' 'fortran_order': False, 'shape': (2, 3, 4), }"],
    ['a fraction', "{'descr': '|u1', 'fortran_order': False, 'shape': (2.0, 3, 4), }"],
    ['a negative size', "{'descr': '|u1', 'fortran_order': False, 'shape': (-2, -3, 4), }"],
    ['one number', "{'descr': '|u1', 'fortran_order': False, 'shape': (24), }"],
    ['more behind it', "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3, 4), } x"],
    ['brackets without end', '('.repeat(5000)],
  ])('is told from one that it does not read: %s', (_, text) =>
    expect(parsed(file(text, numbered(24)))).toMatchObject({ left: { _tag: 'FormatError', op: 'f' } }),
  )
  it('is not one of a later version, nor of invalid UTF-8', () => {
    const later = Buffer.from(file(header('2, 3, 4'), numbered(24)))
    later[6] = 4
    expect(parsed(later)).toMatchObject({ left: { expected: 'version 1.0, 2.0 or 3.0 of .npy', got: '4.0' } })
    const invalid = Buffer.from(file(header('2, 3, 4'), numbered(24), 3))
    invalid[20] = 0xff
    expect(E.isLeft(parsed(invalid))).toBe(true)
  })
})

const floats = (...values: readonly number[]) => new Uint8Array(Float32Array.from(values).buffer)
const doubles = (...values: readonly number[]) => new Uint8Array(Float64Array.from(values).buffer)
const longs = (...values: readonly number[]) => new Uint8Array(BigInt64Array.from(values.map(BigInt)).buffer)
const swapped = (bytes: Uint8Array, size: number) =>
  Uint8Array.from(bytes, (_, i) => bytes[i - (i % size) + size - 1 - (i % size)]!)

describe('an array that is not bytes is refused with the line that makes it bytes', () => {
  const ones = "(255 * x).round().astype('uint8')"
  it.each([
    ['float32 in 0…1', '<f4', floats(0, 0.5, 1, 0.25), ones],
    ['float64 in 0…1', '<f8', doubles(0, 0.5, 1, 0.25), ones],
    ['float64, most significant byte first', '>f8', swapped(doubles(0, 0.5, 1, 0.25), 8), ones],
    ['float16 in 0…1', '<f2', Uint8Array.of(0, 0, 0, 0x38, 0, 0x3c, 0, 0x34), ones],
    ['a name for float32', 'float32', floats(0, 0.5, 1, 0.25), ones],
    ['floats a little above 1', '<f4', floats(0, 0.5, 1.0001, 0.25), ones],
    ['floats in 0…255', '<f4', floats(0, 12.5, 255, 3), "x.round().astype('uint8')"],
    [
      'floats in 0…255, most significant byte first',
      '>f4',
      swapped(floats(0, 12.5, 255, 3), 4),
      "x.round().astype('uint8')",
    ],
    ['floats in −1…1', '<f4', floats(-1, 1, 0, 0.5), "(127.5 * (x + 1)).round().astype('uint8')"],
    [
      'standardised floats',
      '<f4',
      floats(-3, 2.5, 0, 0.5),
      "numpy.interp(x, (x.min(), x.max()), (0, 255)).round().astype('uint8')",
    ],
    ['int64 in 0…255', '<i8', longs(0, 255, 7, 9), "x.astype('uint8')"],
    ['int64, most significant byte first', '>i8', swapped(longs(0, 255, 7, 9), 8), "x.astype('uint8')"],
    ['masks', '<i8', longs(0, 1, 1, 0), "(255 * x).astype('uint8')"],
    ['uint16', '<u2', new Uint8Array(Uint16Array.of(0, 65535, 256, 9).buffer), "(x / 257).round().astype('uint8')"],
    ['int8', '|i1', Uint8Array.of(0, 128, 7, 9), 'numpy.interp(x, (x.min(), x.max()), (0, 255))'],
    ['bool', '|b1', Uint8Array.of(0, 1, 1, 0), "(255 * x).astype('uint8')"],
    ['complex', '<c8', floats(0, 1, 1, 0, 0, 1, 1, 0), 'take its magnitude, x = abs(x)'],
    ['objects', '|O', Uint8Array.of(0x80, 4, 0x4e, 0x2e), 'x = numpy.stack(list(x))'],
    ['text', '<U1', floats(0, 1, 1, 0), 'make it an array of numbers'],
  ])('%s', async (_, descr, data, line) => {
    const said1 = await said(openNpy(put('kinds.npy', '1, 2, 2', data, descr)))
    expect(said1).toContain(`kinds.npy: expected unsigned bytes, '|u1', got '${descr}'; `)
    expect(said1).toContain(line)
    // 'x.round()' is in '(255 * x).round()', too
    if (line.startsWith('x')) expect(said1).not.toContain('255 * x')
  })
  it('a structured type, by its field', async () => {
    writeFileSync(
      at('fields.npy'),
      npyBytes(
        "{'descr': [('pixels', '|u1'), ('label', '<i8')], 'fortran_order': False, 'shape': (4,), }",
        numbered(36),
      ),
    )
    expect(await said(openNpy(at('fields.npy')))).toMatch(
      /got a structured type; take the field that holds the images, x = x\['pixels'\]/,
    )
  })
  it('whatever lies before the last value', async () => {
    const values = new Float32Array(300_000)
    values[299_999] = 254
    const path = put('late.npy', '3, 100, 1000', new Uint8Array(values.buffer), '<f4')
    expect(await said(openNpy(path))).toContain(
      "x.round().astype('uint8')), where x is the array, whose values are 0 to 254",
    )
  })
  it('channels first, too', async () => {
    expect(await said(openNpy(put('nchw.npy', '2, 3, 2, 2', numbered(24))))).toMatch(
      /expected a shape N×H×W or N×H×W×C with 1 or 3 channels, got 2×3×2×2; save it with numpy.save\('images.npy', x\.transpose\(0, 2, 3, 1\)\)/,
    )
    expect(await said(openNpy(put('nchw.npy', '1, 3, 1, 2', floats(0, 0.5, 1, 0, 0, 0), '<f4')))).toContain(
      "(255 * x).round().astype('uint8').transpose(0, 2, 3, 1))",
    )
    for (const [shape, size, line] of [
      ['2, 1, 4, 4', 32, 'x.transpose(0, 2, 3, 1))'],
      ['2, 4, 2, 2', 32, 'x[:, :3].transpose(0, 2, 3, 1))'],
      ['2, 2, 2, 4', 32, 'x[..., :3])'],
      ['2, 784', 1568, 'x.reshape(-1, 28, 28))'],
      ['2, 3', 6, 'x[None])'],
      ['2, 2, 2, 2, 2', 32, 'x), where x is the array, brought to N×H×W or N×H×W×C'],
    ] as const)
      expect(await said(openNpy(put('shapes.npy', shape, numbered(size))))).toContain(line)
  })
  it('an archive of arrays', async () => {
    expect(await said(loadNpy('a.npz'))).toContain('expected a .npy file, got a .npz archive')
    put('UPPER.NPY', '2, 2, 2', numbered(8))
    expect(await said(loadNpy(at('UPPER.NPY')))).toBe('accepted')
  })
})

describe('a folder of .npy files', () => {
  it('holds a tenth out for the test, and then the validation, by the seed', async () => {
    mkdirSync(at('one'))
    put('one/train.npy', '50, 1, 1', numbered(50))
    const load = async (seed: number) => {
      const data = orThrow(await loadData({ name: 'npy', folder: at('one'), validation: 7, seed })())
      return Promise.all(
        [data.train, data.validation, data.test].map(async (s) => [...(await s.read(firstIndices(s.count)))]),
      )
    }
    const parts = await load(3)
    expect(parts.map((p) => p.length)).toEqual([38, 7, 5])
    expect(parts.flat().sort((a, b) => a - b)).toEqual([...firstIndices(50)])
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
