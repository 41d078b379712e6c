/**
 * The element types of `.npy` files: their names, how their numbers are read, and the line of NumPy that turns
 * an array of each into bytes from 0 to 255.
 *
 * Source: NumPy's documentation, "Data type objects (dtype)".
 *
 * @module
 */
import type { PythonValue } from './python-literal.js'

/** The kind of the elements. */
type Kind = 'unsigned' | 'signed' | 'float' | 'bool' | 'complex' | 'object' | 'structured' | 'other'

/** The type that the `descr` of a header names. */
export interface ElementType {
  readonly kind: Kind
  /** Bytes of one element; 0 if unknown. */
  readonly size: number
  readonly littleEndian: boolean
  /** Its text in the file, for error messages. */
  readonly text: string
  /** The names of a structured type's fields. */
  readonly fields: readonly string[]
}

const KINDS: Readonly<Record<string, Kind>> = {
  u: 'unsigned',
  i: 'signed',
  f: 'float',
  b: 'bool',
  c: 'complex',
  O: 'object',
  V: 'structured',
}

/** NumPy's one-letter codes and names, as kind and size. Sizes of C types are those of 64-bit Linux and macOS. */
const NAMES: Readonly<Record<string, string>> = {
  ...{ B: 'u1', H: 'u2', I: 'u4', L: 'u8', Q: 'u8', P: 'u8', b: 'i1', h: 'i2', i: 'i4', l: 'i8', q: 'i8', p: 'i8' },
  ...{ e: 'f2', f: 'f4', d: 'f8', g: 'f16', F: 'c8', D: 'c16', G: 'c32', '?': 'b1' },
  ...{ ubyte: 'u1', ushort: 'u2', uintc: 'u4', uint: 'u8', ulong: 'u8', ulonglong: 'u8', uintp: 'u8' },
  ...{ byte: 'i1', short: 'i2', intc: 'i4', int: 'i8', long: 'i8', longlong: 'i8', intp: 'i8' },
  ...{ half: 'f2', single: 'f4', float: 'f8', double: 'f8', longdouble: 'f16', bool: 'b1', bool_: 'b1' },
  ...{ complex: 'c16', csingle: 'c8', cdouble: 'c16', object: 'O' },
}
const LONG_NAME = /^(uint|int|float|complex)(8|16|32|64|128|256)$/

/** `uint8`, `B` and `u1` as `u1`. */
const canonical = (name: string): string => {
  const long = LONG_NAME.exec(name)
  return long === null ? (NAMES[name] ?? name) : `${long[1]![0]}${Number(long[2]) / 8}`
}

/** The type that a header's `descr` names. */
export const elementType = (descr: PythonValue | undefined): ElementType => {
  const text = typeof descr === 'string' ? `'${descr}'` : Array.isArray(descr) ? 'a structured type' : 'no element type'
  if (typeof descr !== 'string') {
    const fields = Array.isArray(descr)
      ? descr.flatMap((field) => (Array.isArray(field) ? [String(field[0])] : []))
      : []
    return { kind: fields.length > 0 ? 'structured' : 'other', size: 0, littleEndian: true, text, fields }
  }
  const [, order = '', name = ''] = /^([<>=|]?)1?(?!\d)(.*)$/s.exec(descr.trim()) ?? []
  const [, letter = '', digits = ''] = /^([a-zA-Z?])(\d*)$/.exec(canonical(name)) ?? []
  return { kind: KINDS[letter] ?? 'other', size: Number(digits), littleEndian: order !== '>', text, fields: [] }
}

/** Whether the elements are bytes from 0 to 255. */
export const isBytes = ({ kind, size }: ElementType): boolean => kind === 'unsigned' && size === 1

const half = (bits: number): number => {
  const [exponent, fraction] = [(bits >> 10) & 31, bits & 1023]
  const size =
    exponent === 31
      ? fraction === 0
        ? Number.POSITIVE_INFINITY
        : Number.NaN
      : exponent === 0
        ? fraction * 2 ** -24
        : (1 + fraction / 1024) * 2 ** (exponent - 15)
  return bits & 0x8000 ? -size : size
}

type Reader = (view: DataView, at: number, littleEndian: boolean) => number

const READERS: Readonly<Record<string, Reader>> = {
  unsigned1: (view, at) => view.getUint8(at),
  unsigned2: (view, at, little) => view.getUint16(at, little),
  unsigned4: (view, at, little) => view.getUint32(at, little),
  unsigned8: (view, at, little) => Number(view.getBigUint64(at, little)),
  signed1: (view, at) => view.getInt8(at),
  signed2: (view, at, little) => view.getInt16(at, little),
  signed4: (view, at, little) => view.getInt32(at, little),
  signed8: (view, at, little) => Number(view.getBigInt64(at, little)),
  float2: (view, at, little) => half(view.getUint16(at, little)),
  float4: (view, at, little) => view.getFloat32(at, little),
  float8: (view, at, little) => view.getFloat64(at, little),
}

/** The function that reads an element; undefined, if the elements are not numbers. */
export const readerOf = ({ kind, size }: ElementType): Reader | undefined =>
  kind === 'bool' ? READERS['unsigned1'] : READERS[`${kind}${size}`]

/** The range of the values that were read. */
export interface Levels {
  readonly least: number
  readonly greatest: number
  /** Whether any value is NaN or infinite. */
  readonly notFinite: boolean
}

/** The range before any value was read. */
export const noLevels: Levels = {
  least: Number.POSITIVE_INFINITY,
  greatest: Number.NEGATIVE_INFINITY,
  notFinite: false,
}

/** Adds the complete elements in `bytes`. A type that has no numbers adds nothing. */
export const addLevels = (type: ElementType, levels: Levels, bytes: Uint8Array): Levels => {
  const read = READERS[`${type.kind}${type.size}`]
  if (read === undefined) return levels
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  let { least, greatest, notFinite } = levels
  for (let at = 0; at + type.size <= bytes.length; at += type.size) {
    const value = read(view, at, type.littleEndian)
    if (!Number.isFinite(value)) notFinite = true
    else {
      if (value < least) least = value
      if (value > greatest) greatest = value
    }
  }
  return { least, greatest, notFinite }
}

/** Tolerance for the rounding errors of an array that was divided by 255. */
const SLACK = 1e-3

const fromNumbers = ({ kind, size }: ElementType, { least, greatest }: Levels): string => {
  const within = (low: number, high: number) => least >= low && greatest <= high
  const isFloat = kind === 'float'
  if (isFloat && within(-SLACK, 1 + SLACK)) return "(255 * x).round().astype('uint8')"
  if (!isFloat && greatest === 1 && least >= 0) return "(255 * x).astype('uint8')"
  if (isFloat && within(-1 - SLACK, 1 + SLACK)) return "(127.5 * (x + 1)).round().astype('uint8')"
  if (within(-SLACK, 255 + SLACK)) return isFloat ? "x.round().astype('uint8')" : "x.astype('uint8')"
  if (kind === 'unsigned' && size === 2) return "(x / 257).round().astype('uint8')"
  return "numpy.interp(x, (x.min(), x.max()), (0, 255)).round().astype('uint8')"
}

/**
 * Returns the NumPy expression that converts an array `x` to bytes from 0 to 255, and what to do before it.
 *
 * @param levels the range of the array's values
 */
export const toBytesWith = (
  type: ElementType,
  levels: Levels,
): { readonly before?: string; readonly expression: string } => {
  const floats = "(255 * x).round().astype('uint8')"
  switch (type.kind) {
    case 'unsigned':
    case 'signed':
    case 'float':
      if (levels.least > levels.greatest)
        return {
          ...(levels.notFinite ? { before: 'replace the values that are not finite' } : {}),
          expression: type.kind === 'float' ? floats : "x.astype('uint8')",
        }
      return {
        ...(levels.notFinite ? { before: 'replace the values that are not finite' } : {}),
        expression: fromNumbers(type, levels),
      }
    case 'bool':
      return { expression: "(255 * x).astype('uint8')" }
    case 'complex':
      return { before: 'take its magnitude, x = abs(x), and scale it to 0…1', expression: floats }
    case 'object':
      return {
        before: 'bring all images to one shape and make one array of them, x = numpy.stack(list(x))',
        expression: "x.astype('uint8')",
      }
    case 'structured':
      return {
        before: `take the field that holds the images, x = x['${type.fields[0] ?? 'images'}']`,
        expression: "x.astype('uint8')",
      }
    case 'other':
      return { before: 'make it an array of numbers from 0 to 255', expression: "x.astype('uint8')" }
  }
}
