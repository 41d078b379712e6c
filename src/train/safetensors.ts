/**
 * The safetensors format: named tensors in one file that holds no code and that other programs read.
 *
 *   0      the length h of the header, unsigned 64-bit, least significant byte first
 *   8      the header, JSON in UTF-8, filled up with spaces to a multiple of 8:
 *          { name: { "dtype": "F32", "shape": […], "data_offsets": [begin, end] }, …, "__metadata__": { text: text } }
 *   8+h    the elements, last dimension fastest, least significant byte first, without gaps; offsets count from here
 *
 * Only F32 is read and written, bit for bit: a NaN keeps its payload. The bytes are the same on every machine.
 *
 * Source: https://github.com/huggingface/safetensors, section "Format".
 *
 * @module
 */
import * as E from 'fp-ts/lib/Either.js'
import { pipe } from 'fp-ts/lib/function.js'
import * as t from 'io-ts'
import type { Shape } from '../../types/shape.js'
import { guarded, natural } from '../codec.js'
import { type DiffeoError, formatError } from '../error.js'
import { product, show } from '../tensor/shape.js'

// -------------------------------------------------------------------------------------
// model
// -------------------------------------------------------------------------------------

/** A tensor's shape and its values in row-major order. */
export interface RawTensor {
  readonly shape: Shape
  readonly data: Float32Array
}

/** The contents of a safetensors file. */
export interface Safetensors {
  /** By name; in the order of the file. */
  readonly tensors: ReadonlyMap<string, RawTensor>
  readonly metadata: Readonly<Record<string, string>>
}

// What the format's own reader takes.
const LONGEST_HEADER = 100_000_000
const METADATA = '__metadata__'
const AGAIN = 'check that it is the file you mean, or copy it again'

const Size = natural('a size: an integer from 0')
// Not t.tuple, which drops what is too much.
const Offsets = guarded(
  'two offsets: integers from 0',
  (u): u is readonly [number, number] => Array.isArray(u) && u.length === 2 && u.every(Size.is),
)
const Entry = t.type(
  { dtype: t.string, shape: t.array(Size, 'an array of sizes'), data_offsets: Offsets },
  'an object with dtype, shape and data_offsets',
)
type Entry = t.TypeOf<typeof Entry>
const Metadata = t.record(t.string, t.string, 'an object of strings')

// -------------------------------------------------------------------------------------
// sentences
// -------------------------------------------------------------------------------------

const clip = (text: string): string => (text.length > 60 ? `${text.slice(0, 60)}…` : text)

/** A text from a file in quotes, escaped and cut. */
const quoted = (text: string): string =>
  clip(JSON.stringify(text.slice(0, 100)).replace(/[\x7f-\x9f\u2028\u2029\u202a-\u202e]/g, '?'))

/**
 * A name from a file, fit for a terminal: as it is if it is plain, else in quotes.
 *
 * @internal
 */
export const plainName = (name: string): string => (/^[\w./ -]{1,200}$/.test(name) ? name : quoted(name))

/** A JSON value, fit for a terminal. Looks one level deep, because a hostile one may be deeper than the stack. */
const showValue = (u: unknown): string =>
  Array.isArray(u) ? clip(`[${u.slice(0, 8).map(showScalar).join(', ')}${u.length > 8 ? ', …' : ''}]`) : showScalar(u)
const showScalar = (u: unknown): string =>
  u === undefined
    ? 'nothing'
    : typeof u === 'string'
      ? quoted(u)
      : Array.isArray(u)
        ? 'a list'
        : typeof u === 'object' && u !== null
          ? 'an object'
          : String(u)

/**
 * What a codec makes of a value read from a file, or one sentence about the first place that does not fit.
 *
 * @param name the file's name.
 * @param root what the value is called in the sentence.
 * @internal
 */
export const decodeWith =
  <A>(name: string, root: string, codec: t.Decoder<unknown, A>, fix: string) =>
  (u: unknown): E.Either<DiffeoError, A> =>
    pipe(
      codec.decode(u),
      E.mapLeft(([first]) => {
        const all = first?.context ?? []
        const kind = (i: number): unknown => (all[i]?.type as { readonly _tag?: unknown } | undefined)?._tag
        // Inside a union the first complaint is about its first member only, so the union itself is named.
        const union = all.findIndex((_, i) => kind(i) === 'UnionType')
        const context = union < 0 ? all : all.slice(0, union + 1)
        const path = context.flatMap(({ key }, i) =>
          key === '' || kind(i - 1) === 'IntersectionType' ? [] : [plainName(key)],
        )
        const last = context.at(-1)
        const said = union < 0 ? first?.message?.replace(/^expected /, '') : undefined
        const wanted = clip(said ?? last?.type.name ?? codec.name)
        return formatError(name, `${[root, ...path].join('.')} to be ${wanted}`, showValue(last?.actual), fix)
      }),
    )

// -------------------------------------------------------------------------------------
// bytes
// -------------------------------------------------------------------------------------

const littleEndianHost = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1

/** Float32 values as the file has them, or the other way round: its own inverse. A copy where the machine differs. */
const swapped = (bytes: Uint8Array): Uint8Array => {
  if (littleEndianHost) return bytes
  const copy = new Uint8Array(bytes)
  for (let i = 0; i + 3 < copy.length; i += 4) copy.subarray(i, i + 4).reverse()
  return copy
}

/** The values as the file has them. @internal */
export const bytesOf = (data: Float32Array): Uint8Array =>
  swapped(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))

// -------------------------------------------------------------------------------------
// encode
// -------------------------------------------------------------------------------------

/**
 * The bytes of a safetensors file. The same contents in the same order give the same bytes.
 *
 * @returns left: a format error, if a tensor is called `__metadata__` or its data do not fill its shape.
 * @example
 * encodeSafetensors({ tensors: new Map([['w', { shape: [2], data: Float32Array.of(1, 2) }]]), metadata: { by: 'me' } })
 */
export const encodeSafetensors = ({ tensors, metadata }: Safetensors): E.Either<DiffeoError, Uint8Array> => {
  let size = 0
  const entries: (readonly [string, Entry | Safetensors['metadata']])[] = [[METADATA, metadata]]
  for (const [name, { shape, data }] of tensors) {
    if (name === METADATA) return E.left(formatError('safetensors', 'another name for a tensor', METADATA))
    if (product(shape) !== data.length)
      return E.left(formatError('safetensors', `${product(shape)} values of ${plainName(name)}`, `${data.length}`))
    const end = size + 4 * data.length
    entries.push([name, { dtype: 'F32', shape: [...shape], data_offsets: [size, end] }])
    size = end
  }
  // Joined by hand, because an object would put names that look like numbers first.
  const json = `{${entries.map(([name, entry]) => `${JSON.stringify(name)}:${JSON.stringify(entry)}`).join(',')}}`
  const text = new TextEncoder().encode(json)
  const header = Math.ceil(text.length / 8) * 8
  const bytes = new Uint8Array(8 + header + size).fill(0x20, 8, 8 + header)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(header), true)
  bytes.set(text, 8)
  let at = 8 + header
  for (const { data } of tensors.values()) {
    bytes.set(bytesOf(data), at)
    at += data.byteLength
  }
  return E.right(bytes)
}

// -------------------------------------------------------------------------------------
// decode
// -------------------------------------------------------------------------------------

/** The header's bytes and what follows it. */
const cut =
  (name: string) =>
  (bytes: Uint8Array): E.Either<DiffeoError, { readonly text: Uint8Array; readonly data: Uint8Array }> => {
    if (bytes.length < 8)
      return E.left(formatError(name, 'a safetensors file, of 8 bytes at least', `${bytes.length} bytes`, AGAIN))
    const length = new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true)
    if (length > LONGEST_HEADER)
      return E.left(
        formatError(name, `a safetensors file, whose header has at most ${LONGEST_HEADER} bytes`, `${length}`, AGAIN),
      )
    const start = 8 + Number(length)
    return start > bytes.length
      ? E.left(formatError(name, `a header of ${length} bytes`, `${bytes.length - 8} bytes`, AGAIN))
      : E.right({ text: bytes.subarray(8, start), data: bytes.subarray(start) })
  }

/** The first name that comes twice in one object of valid JSON, at any depth. */
const repeated = (json: string): string | undefined => {
  const open: Set<string>[] = []
  let last = ''
  for (let i = 0; i < json.length; i++) {
    const c = json[i]
    if (c === '"') {
      const from = i++
      while (json[i] !== '"') i += json[i] === '\\' ? 2 : 1
      last = json.slice(from, i + 1)
    } else if (c === '{') open.push(new Set())
    else if (c === '}') open.pop()
    else if (c === ':') {
      // Two spellings of one name are one name.
      const name = last.includes('\\') ? String(JSON.parse(last)) : last.slice(1, -1)
      if (open.at(-1)?.has(name)) return name
      open.at(-1)?.add(name)
    }
  }
  return undefined
}

const parseHeader =
  (name: string) =>
  (text: Uint8Array): E.Either<DiffeoError, object> => {
    const refuse = (expected: string, got: string) => E.left(formatError(name, expected, got, AGAIN))
    // A byte order mark is not JSON, so it must not be taken off.
    const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
    const decoded = E.tryCatch(
      () => decoder.decode(text),
      () => undefined,
    )
    if (E.isLeft(decoded)) return refuse('a header in UTF-8', 'other bytes')
    const json = decoded.right
    const parsed = E.tryCatch(
      (): unknown => JSON.parse(json),
      () => undefined,
    )
    if (E.isLeft(parsed)) return refuse('a header in JSON', quoted(json))
    const value = parsed.right
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      return refuse('a header that is a JSON object', showValue(value))
    const twice = repeated(json)
    return twice === undefined ? E.right(value) : refuse('each name once', `${plainName(twice)} twice`)
  }

/** Every tensor's entry in the order of the data, which they fill without gap or overlap. */
const layout =
  (name: string, size: number) =>
  (entries: readonly (readonly [string, Entry])[]): E.Either<DiffeoError, readonly (readonly [string, Entry])[]> => {
    const refuse = (expected: string, got: string) => E.left(formatError(name, expected, got, AGAIN))
    // An empty tensor comes before the one that starts where it does.
    const sorted = [...entries].sort(([, { data_offsets: a }], [, { data_offsets: b }]) => a[0] - b[0] || a[1] - b[1])
    let at = 0
    for (const [key, { dtype, shape, data_offsets }] of sorted) {
      const [begin, end] = data_offsets
      const what = plainName(key)
      if (dtype !== 'F32') return refuse(`${what} to be F32`, showValue(dtype))
      if (begin !== at) return refuse(`the data of ${what} to begin at ${at}, without gap or overlap`, `${begin}`)
      // In doubles a huge product is rounded, infinite or NaN, but it never equals a length that a file can have.
      if (end - begin !== 4 * product(shape))
        return refuse(`${4 * product(shape)} bytes for ${what} of shape ${clip(show(shape))}`, `${end - begin}`)
      if (end > size) return refuse(`at least ${end} bytes of data, for ${what}`, `${size} bytes`)
      at = end
    }
    return at === size ? E.right(sorted) : refuse(`${at} bytes of data`, `${size} bytes`)
  }

/**
 * Reads the bytes of a safetensors file. Never throws, and never allocates by what the header claims: at most a copy of
 * the file. The result shares no memory with `bytes`.
 *
 * @param name the file's name, for the sentence of a refusal.
 * @returns left: a format error, if it is not such a file, is cut or damaged, or holds another type than F32.
 * @example decodeSafetensors('w.safetensors')(file) // right: { tensors: Map { 'w' => { shape: [2], … } }, … }
 */
export const decodeSafetensors =
  (name: string) =>
  (bytes: Uint8Array): E.Either<DiffeoError, Safetensors> =>
    pipe(
      E.Do,
      E.bind('parts', () => cut(name)(bytes)),
      E.bind('header', ({ parts }) => parseHeader(name)(parts.text)),
      E.bind('metadata', ({ header }) =>
        decodeWith(name, METADATA, Metadata, AGAIN)(METADATA in header ? header[METADATA] : {}),
      ),
      E.bind('entries', ({ header }) =>
        E.traverseArray(([key, entry]: [string, unknown]) =>
          pipe(
            entry,
            decodeWith(name, plainName(key), Entry, AGAIN),
            E.map((e) => [key, e] as const),
          ),
        )(Object.entries(header).filter(([key]) => key !== METADATA)),
      ),
      E.bind('sorted', ({ parts, entries }) => layout(name, parts.data.length)(entries)),
      E.map(({ sorted, parts, metadata }) => ({
        metadata,
        tensors: new Map(
          sorted.map(([key, { shape, data_offsets }]) => {
            // Not slice: a Buffer's shares its memory.
            const copy = swapped(new Uint8Array(parts.data.subarray(...data_offsets)))
            return [key, { shape, data: new Float32Array(copy.buffer) }] as const
          }),
        ),
      })),
    )
