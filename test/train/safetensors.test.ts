import fc from 'fast-check'
import * as E from 'fp-ts/lib/Either.js'
import { describe, expect, it, vi } from 'vitest'
import { describeError, orThrow } from '../../src/error.js'
import { decodeSafetensors, encodeSafetensors, type RawTensor, type Safetensors } from '../../src/train/safetensors.js'

const encode = (contents: Safetensors): Uint8Array => orThrow(encodeSafetensors(contents))
const words = ({ data }: RawTensor) => [...new Uint32Array(data.buffer, data.byteOffset, data.length)]
const plain = ({ tensors, metadata }: Safetensors) => ({
  metadata: Object.entries(metadata),
  tensors: [...tensors].map(([name, tensor]) => [name, tensor.shape, words(tensor)]),
})

/** A file from a header's text, or its bytes, and the size of its data. */
const file = (header: string | Uint8Array, size = 0, length?: bigint): Uint8Array => {
  const text = typeof header === 'string' ? new TextEncoder().encode(header) : header
  const bytes = new Uint8Array(8 + text.length + size)
  new DataView(bytes.buffer).setBigUint64(0, length ?? BigInt(text.length), true)
  bytes.set(text, 8)
  return bytes
}
const entry = (shape: unknown, begin: unknown, end: unknown, dtype = 'F32') =>
  JSON.stringify({ dtype, shape, data_offsets: [begin, end] })
const sentence = (bytes: Uint8Array): string => E.match(describeError, () => 'accepted')(decodeSafetensors('f')(bytes))

// Any 32 bits, so that NaNs with payloads, infinities, −0 and denormals are among them.
const bits = (size: number) =>
  fc
    .array(fc.oneof(fc.nat(0xffffffff), fc.constantFrom(0x7fc00001, 0xff800000, 0x80000000, 1)), {
      minLength: size,
      maxLength: size,
    })
    .map((ws) => new Float32Array(Uint32Array.from(ws).buffer))
const rawTensor: fc.Arbitrary<RawTensor> = fc
  .array(fc.nat(3), { maxLength: 4 })
  .chain((shape) => bits(shape.reduce((a, b) => a * b, 1)).map((data) => ({ shape, data })))
const names = fc
  .oneof(fc.string({ unit: 'binary', maxLength: 8 }), fc.constantFrom('7', '0', '__proto__', 'a"b\\', 'constructor'))
  .filter((name) => name !== '__metadata__')
const contents: fc.Arbitrary<Safetensors> = fc.record({
  tensors: fc
    .uniqueArray(fc.tuple(names, rawTensor), { selector: ([name]) => name, maxLength: 5 })
    .map((l) => new Map(l)),
  metadata: fc.uniqueArray(fc.tuple(names, fc.string({ unit: 'binary' })), { selector: ([n]) => n, maxLength: 3 }).map(
    // Names that look like numbers come first in an object, so the order is what the object makes of it.
    (l) => Object.fromEntries(l),
  ),
})

describe('encodeSafetensors and decodeSafetensors', () => {
  it('are inverse, bit for bit', () =>
    fc.assert(
      fc.property(contents, (all) => {
        const read = plain(orThrow(decodeSafetensors('f')(encode(all))))
        const wrote = plain(all)
        expect(read.metadata).toEqual(wrote.metadata)
        // Empty tensors have no place of their own in the data.
        const filled = (list: typeof read.tensors) => list.filter(([, , w]) => (w as number[]).length > 0)
        expect(filled(read.tensors)).toEqual(filled(wrote.tensors))
        expect(new Set(read.tensors.map((x) => JSON.stringify(x)))).toEqual(
          new Set(wrote.tensors.map((x) => JSON.stringify(x))),
        )
      }),
      { numRuns: 300 },
    ))
  it('write the bytes of the format', () => {
    const header = '{"__metadata__":{"a":"b"},"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}'
    const bytes = encode({
      tensors: new Map([['w', { shape: [2], data: Float32Array.of(1, -2) }]]),
      metadata: { a: 'b' },
    })
    expect([...bytes]).toEqual([
      ...[80, 0, 0, 0, 0, 0, 0, 0],
      ...new TextEncoder().encode(header.padEnd(80, ' ')),
      ...[0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0],
    ])
  })
  it('align the data to 8 bytes whatever the names', () =>
    fc.assert(
      fc.property(fc.string({ maxLength: 20 }), (name) => {
        const bytes = encode({
          tensors: new Map([[`w${name}`, { shape: [], data: Float32Array.of(1) }]]),
          metadata: {},
        })
        expect((bytes.length - 4) % 8).toBe(0)
      }),
    ))
  it('read from the middle of a larger buffer, and share no memory with it, a Buffer included', () => {
    const bytes = encode({ tensors: new Map([['w', { shape: [2], data: Float32Array.of(1, 2) }]]), metadata: {} })
    const larger = Buffer.from([9, 9, 9, ...bytes])
    const { tensors } = orThrow(decodeSafetensors('f')(larger.subarray(3)))
    larger.fill(0)
    expect([...tensors.get('w')!.data]).toEqual([1, 2])
  })
  it('write views of larger arrays', () => {
    const data = Float32Array.of(9, 1, 2, 9).subarray(1, 3)
    const bytes = encode({ tensors: new Map([['w', { shape: [2], data }]]), metadata: {} })
    expect([...orThrow(decodeSafetensors('f')(bytes)).tensors.get('w')!.data]).toEqual([1, 2])
  })
  it('have the same file on a machine whose bytes are the other way round', async () => {
    const contents = { tensors: new Map([['w', { shape: [2], data: Float32Array.of(1, -2) }]]), metadata: {} }
    // what is seen as the host's order of bytes is asked of Uint16Array alone
    class Reversed extends Uint16Array {
      static override of = (value: number) => Uint16Array.from([value << 8])
    }
    vi.resetModules()
    vi.stubGlobal('Uint16Array', Reversed)
    const other = await import('../../src/train/safetensors.js')
    vi.unstubAllGlobals()
    const here = encode(contents)
    const there = orThrow(other.encodeSafetensors(contents))
    // this host's bytes, turned as that one would turn its own
    expect([...there.subarray(-8)]).toEqual([0x3f, 0x80, 0, 0, 0xc0, 0, 0, 0])
    expect(there.subarray(0, -8)).toEqual(here.subarray(0, -8))
    expect([...orThrow(other.decodeSafetensors('f')(there)).tensors.get('w')!.data]).toEqual([1, -2])
  })
  it('refuse what has no file', () => {
    const of = (name: string, shape: number[]) =>
      E.match(
        describeError,
        () => 'accepted',
      )(encodeSafetensors({ tensors: new Map([[name, { shape, data: Float32Array.of(1) }]]), metadata: {} }))
    expect(of('w', [2])).toBe('safetensors: expected 2 values of w, got 1')
    expect(of('__metadata__', [1])).toBe('safetensors: expected another name for a tensor, got __metadata__')
  })
})

describe('a hostile file', () => {
  const two = (a: string, b: string) => `{"a":${a},"b":${b}}`
  it.each<[string, Uint8Array, string]>([
    [
      'no bytes',
      new Uint8Array(),
      'f: expected a safetensors file, of 8 bytes at least, got 0 bytes; check that it is',
    ],
    ['a length only', file('', 0, 5n), 'f: expected a header of 5 bytes, got 0 bytes; check'],
    ['a header longer than the file', file('{}', 0, 1000n), 'f: expected a header of 1000 bytes, got 2 bytes; check'],
    [
      'a header of 100 MB and one',
      file('{}', 0, 100_000_001n),
      'whose header has at most 100000000 bytes, got 100000001',
    ],
    ['a header of 2⁶⁴ − 1', file('{}', 0, 2n ** 64n - 1n), 'at most 100000000 bytes, got 18446744073709551615; check'],
    ['no header', file(''), 'f: expected a header in JSON, got ""; check'],
    ['not UTF-8', file(Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x7d)), 'f: expected a header in UTF-8, got other bytes'],
    ['not JSON', file('{"a":'), 'f: expected a header in JSON, got "{\\"a\\":"; check'],
    ['a byte order mark', file('\ufeff{}'), 'f: expected a header in JSON, got'],
    ['an array', file('[]'), 'f: expected a header that is a JSON object, got []; check'],
    ['null', file('null'), 'f: expected a header that is a JSON object, got null; check'],
    ['deep JSON', file('['.repeat(1e6)), 'f: expected a header in JSON, got'],
    ['deep and valid JSON', file(`{"a":${'['.repeat(1e5)}${']'.repeat(1e5)}}`), 'got [a list]; check'],
    [
      'a name twice',
      file(`{"a":${entry([1], 0, 4)},"a":${entry([1], 0, 4)}}`, 4),
      'expected each name once, got a twice',
    ],
    ['a name twice in two spellings', file('{"__metadata__":{"a":"","\\u0061":""}}'), 'each name once, got a twice'],
    [
      'a number for an entry',
      file('{"a":3}'),
      'f: expected a to be an object with dtype, shape and data_offsets, got 3',
    ],
    ['a number for __proto__', file('{"__proto__":3}'), 'f: expected __proto__ to be an object with dtype, shape and'],
    [
      'no offsets',
      file('{"a":{"dtype":"F32","shape":[1]}}', 4),
      'expected a.data_offsets to be two offsets: integers from 0, got nothing',
    ],
    [
      'three offsets',
      file('{"a":{"dtype":"F32","shape":[],"data_offsets":[0,4,5]}}', 4),
      'expected a.data_offsets to be two offsets: integers from 0, got [0, 4, 5]',
    ],
    ['a negative size', file(`{"a":${entry([-1], 0, 4)}}`, 4), 'a.shape.0 to be a size: an integer from 0, got -1'],
    ['half a size', file(`{"a":${entry([0.5], 0, 2)}}`, 2), 'a.shape.0 to be a size: an integer from 0, got 0.5'],
    [
      'a text for a size',
      file(`{"a":${entry(['1'], 0, 4)}}`, 4),
      'a.shape.0 to be a size: an integer from 0, got "1"; check',
    ],
    [
      'a negative offset',
      file(`{"a":${entry([1], -4, 0)}}`, 4),
      'a.data_offsets to be two offsets: integers from 0, got [-4, 0]',
    ],
    [
      'a size of 2⁵³',
      file(`{"a":${entry([2 ** 53], 0, 4)}}`, 4),
      'a.shape.0 to be a size: an integer from 0, got 9007',
    ],
    [
      'a huge shape',
      file(`{"a":${entry([2 ** 52, 2 ** 52], 0, 4)}}`, 4),
      'bytes for a of shape 4503599627370496×45035',
    ],
    [
      'an infinite shape times 0',
      file(`{"a":${entry([...Array(30).fill(2 ** 52), 0], 0, 0)}}`),
      'bytes for a of shape 4503',
    ],
    ['metadata of numbers', file('{"__metadata__":{"a":1}}'), 'expected __metadata__.a to be string, got 1'],
    ['metadata of text', file('{"__metadata__":"a"}'), 'expected __metadata__ to be an object of strings, got'],
    ['another type', file(`{"a":${entry([2], 0, 4, 'F16')}}`, 4), 'f: expected a to be F32, got "F16"; check'],
    [
      'a shape that does not fit',
      file(`{"a":${entry([2], 0, 4)}}`, 4),
      'expected 8 bytes for a of shape 2, got 4; check',
    ],
    [
      'an end before its begin',
      file(`{"a":${entry([0], 4, 0)}}`, 4),
      'expected the data of a to begin at 0, without gap',
    ],
    [
      'a gap',
      file(two(entry([1], 0, 4), entry([1], 8, 12)), 12),
      'the data of b to begin at 4, without gap or overlap, got 8',
    ],
    [
      'an overlap',
      file(two(entry([2], 0, 8), entry([1], 4, 8)), 8),
      'the data of b to begin at 8, without gap or overlap, got 4',
    ],
    ['one place for two', file(two(entry([1], 0, 4), entry([1], 0, 4)), 4), 'the data of b to begin at 4, without gap'],
    [
      'data cut short',
      file(`{"a":${entry([2], 0, 8)}}`, 7),
      'f: expected at least 8 bytes of data, for a, got 7 bytes; check',
    ],
    ['data left over', file(`{"a":${entry([2], 0, 8)}}`, 9), 'f: expected 8 bytes of data, got 9 bytes; check'],
    [
      'a name for the terminal',
      file(`{"\\u001b[31m\\u009b":3}`),
      'f: expected "\\u001b[31m?" to be an object with dtype',
    ],
    ['a name of a megabyte', file(`{"${'x'.repeat(1e6)}":3}`), `f: expected "${'x'.repeat(59)}… to be an object with`],
    [
      'a value of a megabyte',
      file(`{"${'x'.repeat(1e6)}`),
      `f: expected a header in JSON, got "{\\"${'x'.repeat(56)}…; check`,
    ],
  ])('%s is refused in one sentence', (_, bytes, words) => {
    expect(sentence(bytes)).toContain(words)
    expect(sentence(bytes).length).toBeLessThan(400)
    expect(sentence(bytes)).toMatch(/^f: expected [^\n]*; check that it is the file you mean, or copy it again$/)
  })

  it('accepts __proto__ as a name like any other, and pollutes nothing', () => {
    const read = orThrow(decodeSafetensors('f')(file(`{"__proto__":${entry([1], 0, 4)}}`, 4)))
    expect([...read.tensors.keys()]).toEqual(['__proto__'])
    expect(({} as Record<string, unknown>)['dtype']).toBeUndefined()
  })

  const accepted = (bytes: Uint8Array): void => {
    const read = decodeSafetensors('f')(bytes)
    if (E.isLeft(read)) return
    const sizes = [...read.right.tensors.values()].map(({ shape, data }) => {
      expect(data.length).toBe(shape.reduce((a, b) => a * b, 1))
      return data.byteLength
    })
    expect(sizes.reduce((a, b) => a + b, 0)).toBeLessThanOrEqual(bytes.length)
  }
  it('never throws, and never answers more than the file holds, whatever the bytes', () =>
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array({ maxLength: 64 }),
          fc.tuple(fc.json(), fc.nat(32)).map(([json, size]) => file(json, size)),
        ),
        accepted,
      ),
      { numRuns: 2000 },
    ))
  it('never throws on a good file with some bytes changed, cut or added', () =>
    fc.assert(
      fc.property(
        contents,
        fc.array(fc.tuple(fc.nat(400), fc.nat(255)), { maxLength: 4 }),
        fc.integer({ min: -40, max: 40 }),
        (all, changes, more) => {
          const good = encode(all)
          const bytes = new Uint8Array(Math.max(0, good.length + more))
          bytes.set(good.subarray(0, bytes.length))
          for (const [at, byte] of changes) if (at < bytes.length) bytes[at] = byte
          accepted(bytes)
          if (changes.length === 0 && more !== 0) expect(E.isLeft(decodeSafetensors('f')(bytes))).toBe(true)
        },
      ),
      { numRuns: 3000 },
    ))
  it('never throws on a header with other numbers and words in it', () => {
    const word = fc.oneof(
      fc.constantFrom('-1', '0', '4', '8', '1e400', '9007199254740993', 'null', '[]', '{}', '"F32"', '0.5', '""'),
      fc.json({ maxDepth: 1 }),
    )
    fc.assert(
      fc.property(fc.array(word, { minLength: 6, maxLength: 6 }), fc.nat(16), ([d, s, b, e, m, extra], size) =>
        accepted(
          file(`{"a":{"dtype":${d},"shape":[${s}],"data_offsets":[${b},${e}],"x":${extra}},"__metadata__":${m}}`, size),
        ),
      ),
      { numRuns: 2000 },
    )
  })
  it('allocates no more than a copy for a lie', () => {
    const before = process.memoryUsage().arrayBuffers
    for (let i = 0; i < 100; i++) sentence(file(`{"a":${entry([2 ** 30], 0, 2 ** 32)}}`, 4))
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1e6)
  })
  it('takes a second at most for a header of 20 MB', () => {
    const start = performance.now()
    const bytes = file(`{"a":"${'\\"'.repeat(1e7)}"}`)
    expect(sentence(bytes)).toContain('expected a to be an object')
    expect(performance.now() - start).toBeLessThan(5000)
  })
})
