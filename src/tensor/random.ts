/**
 * Explicit random keys: every draw is a pure function of a key, and new keys come from old ones.
 *
 * The cipher is Threefry-2x32 with 20 rounds, the counter-based generator that JAX uses: a key and a 64-bit counter
 * (c₀, c₁) give 64 random bits, with no state between calls.
 *
 *   draws           bits(key)[2i], bits(key)[2i + 1] = threefry(key, (0, i))
 *   splitKey(key, n)   child i = threefry(key, (1, i))
 *   foldIn(key, d)  child   = threefry(key, (2, d))
 *
 * Laws. The same key gives the same bits on every machine. c₀ keeps the three uses of a key apart, so no block of the
 * cipher is ever used for two of them (JAX lets `split`, `fold_in` and the draws overlap). `splitKey(key, n)` is a prefix
 * of `splitKey(key, m)` for n ≤ m. Two draws from one key share their bits: split first, draw once from each child.
 *
 * Source: Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC11, section 3.3.
 *
 * @module
 */
import * as t from 'io-ts'
import { DiffeoException, usageError } from '../error.js'
import { shown } from './numbers.js'

/** A key: two unsigned 32-bit integers. Plain JSON, so it goes into a checkpoint as it is. */
export type Key = readonly [number, number]

const isUint32 = (u: unknown): boolean => typeof u === 'number' && u >>> 0 === u

const isKey = (u: unknown): u is Key => Array.isArray(u) && u.length === 2 && u.every(isUint32)

/**
 * The codec of a {@link Key}, for checkpoints: `KeyC.decode([0, 42])` is a right, `KeyC.decode([0, -1])` a left.
 *
 * @example KeyC.is([0, 42]) // true
 */
export const KeyC: t.Type<Key> = new t.Type<Key>(
  'Key',
  isKey,
  (u, context) => (isKey(u) ? t.success(u) : t.failure(u, context, 'expected a key: two integers from 0 to 2³² − 1')),
  t.identity,
)

const TWO_32 = 2 ** 32

type Use = 0 | 1 | 2
const DRAW: Use = 0
const SPLIT: Use = 1
const FOLD: Use = 2

/**
 * One block of Threefry-2x32-20: `out[at]` and `out[at + 1]` from the key (k0, k1) and the counter (c0, c1).
 * Five groups of four rounds; the rotations alternate, and after each group the key schedule is added with the group's
 * number. Exported for its known-answer tests: use draws, {@link splitKey} and {@link foldIn} instead.
 *
 * @example
 * const out = new Uint32Array(2)
 * threefry2x32([0, 0], 0, 0, out, 0) // out = [0x6b200159, 0x99ba4efe]
 */
export const threefry2x32 = ([k0, k1]: Key, c0: number, c1: number, out: Uint32Array, at: number): void => {
  const k2 = k0 ^ k1 ^ 0x1bd11bda
  let x = (c0 + k0) | 0
  let y = (c1 + k1) | 0
  let a = k1
  let b = k2
  let c = k0
  for (let group = 1; group <= 5; group++) {
    const odd = (group & 1) === 1
    let r = odd ? 13 : 17
    x = (x + y) | 0
    y = ((y << r) | (y >>> (32 - r))) ^ x
    r = odd ? 15 : 29
    x = (x + y) | 0
    y = ((y << r) | (y >>> (32 - r))) ^ x
    r = odd ? 26 : 16
    x = (x + y) | 0
    y = ((y << r) | (y >>> (32 - r))) ^ x
    r = odd ? 6 : 24
    x = (x + y) | 0
    y = ((y << r) | (y >>> (32 - r))) ^ x
    x = (x + a) | 0
    y = (y + b + group) | 0
    const first = a
    a = b
    b = c
    c = first
  }
  out[at] = x
  out[at + 1] = y
}

const refuse = (op: string, expected: string, got: unknown, fix?: string): never => {
  throw new DiffeoException(usageError(op, expected, shown(got), fix))
}
const checkKey = (op: string, key: unknown): void => {
  if (!isKey(key)) refuse(op, 'a key', key, 'make one: key(42)')
}
const checkCount = (op: string, size: number): void => {
  if (!Number.isSafeInteger(size) || size < 0) refuse(op, 'a whole number of at least 0', size)
}

const derive = (op: string, key: Key, use: Use, data: number): Key => {
  checkKey(op, key)
  const out = new Uint32Array(2)
  threefry2x32(key, use, data, out, 0)
  const [a = 0, b = 0] = out
  return [a, b]
}

/**
 * The key of a seed. A seed is an integer, of which up to 53 bits count; a fraction is dropped.
 *
 * @throws DiffeoException if the seed is not a finite number
 * @example key(42) // [0, 42]
 */
export const key = (seed: number): Key =>
  Number.isFinite(seed) ? [Math.floor(seed / TWO_32) >>> 0, seed >>> 0] : refuse('key', 'a finite number', seed)

/**
 * Independent children of a key. Default: 2. The parent can still be folded or drawn from.
 *
 * @example const [kWeights, kData] = splitKey(key(42))
 */
export function splitKey(key: Key): readonly [Key, Key]
export function splitKey(key: Key, n: 3): readonly [Key, Key, Key]
export function splitKey(key: Key, n: 4): readonly [Key, Key, Key, Key]
export function splitKey(key: Key, n: number): readonly Key[]
export function splitKey(key: Key, n = 2): readonly Key[] {
  checkCount('split', n)
  return Array.from({ length: n }, (_, i) => derive('split', key, SPLIT, i))
}

/**
 * The child of a key that belongs to a number: a step, an epoch, a layer's index. `data` is an integer from 0 to
 * 2³² − 1.
 *
 * @throws DiffeoException for any other `data`, and for what is not a key
 * @example foldIn(k, 7) // the key of step 7
 */
export const foldIn = (key: Key, data: number): Key =>
  isUint32(data) ? derive('foldIn', key, FOLD, data) : refuse('foldIn', 'a whole number from 0 to 2³² − 1', data)

const bits = (op: string, key: Key, size: number): Uint32Array => {
  checkKey(op, key)
  checkCount(op, size)
  const out = new Uint32Array(size + (size & 1))
  for (let i = 0; i < size; i += 2) threefry2x32(key, DRAW, i >>> 1, out, i)
  return out
}

/**
 * `size` independent uniform numbers in [0, 1): multiples of 2⁻²⁴, which float32 holds exactly, so 1 never appears.
 *
 * @example uniformArray(key(42), 3)
 */
export const uniformArray = (key: Key, size: number): Float32Array => {
  const words = bits('uniformArray', key, size)
  const out = new Float32Array(size)
  for (let i = 0; i < size; i++) out[i] = ((words[i] ?? 0) >>> 8) * 2 ** -24
  return out
}

/**
 * `size` independent standard normal numbers, by Box and Muller in double precision:
 * √(−2 ln u) · (cos 2πv, sin 2πv) with u in (0, 1]. Always finite: |x| ≤ √(64 ln 2) ≈ 6.66.
 *
 * @example normalArray(key(42), 3)
 */
export const normalArray = (key: Key, size: number): Float32Array => {
  const words = bits('normalArray', key, size)
  const out = new Float32Array(size)
  for (let i = 0; i < size; i += 2) {
    const radius = Math.sqrt(-2 * Math.log(((words[i] ?? 0) + 1) / TWO_32))
    const angle = (2 * Math.PI * (words[i + 1] ?? 0)) / TWO_32
    out[i] = radius * Math.cos(angle)
    // For an odd size this falls off the end on the last turn, which a typed array ignores.
    out[i + 1] = radius * Math.sin(angle)
  }
  return out
}

// An unbiased draw needs an unknown number of words, so it reads them one at a time.
const wordStream = (key: Key): (() => number) => {
  const block = new Uint32Array(2)
  let read = 0
  return () => {
    if ((read & 1) === 0) threefry2x32(key, DRAW, read >>> 1, block, 0)
    return block[read++ & 1] ?? 0
  }
}

// Words from the ragged end of [0, 2³²) would favour small results: they are drawn again.
const below = (next: () => number, bound: number): number => {
  const limit = TWO_32 - (TWO_32 % bound)
  let word = next()
  while (word >= limit) word = next()
  return word % bound
}

/**
 * One integer, uniform in 0, …, bound − 1, without bias. `bound` is an integer from 1 to 2³².
 *
 * @example randomInt(key(42), 6) + 1 // a die
 */
export const randomInt = (key: Key, bound: number): number => {
  checkKey('randomInt', key)
  if (!Number.isInteger(bound) || bound < 1 || bound > TWO_32) refuse('randomInt', 'a bound from 1 to 2³²', bound)
  return below(wordStream(key), bound)
}

/**
 * A permutation of 0, …, n − 1, every one of the n! equally likely as far as the key's bits go (Fisher and Yates, with
 * integers without bias).
 *
 * @example permutation(key(42), 3) // a Uint32Array that holds 0, 1 and 2
 */
export const permutation = (key: Key, n: number): Uint32Array => {
  checkKey('permutation', key)
  checkCount('permutation', n)
  const next = wordStream(key)
  const out = new Uint32Array(n)
  for (let i = 0; i < n; i++) {
    const j = below(next, i + 1)
    out[i] = out[j] ?? 0
    out[j] = i
  }
  return out
}
