/**
 * Python literals, as `ast.literal_eval` reads them: strings, integers, `True`, `False`, `None`, tuples, lists and
 * dictionaries. The header of a `.npy` file is one. As NumPy does, it also reads the integers of Python 2 (`200L`).
 *
 * Source: Python's reference, "Lexical analysis"; NumPy, `numpy/lib/_format_impl.py`, `_read_array_header`.
 *
 * @module
 */
import * as E from 'fp-ts/lib/Either.js'

/** Tuples and lists are arrays; a dictionary is a map. */
export type PythonValue =
  | string
  | number
  | boolean
  | null
  | readonly PythonValue[]
  | ReadonlyMap<PythonValue, PythonValue>

/** Deeper nesting is refused, so that a hostile text cannot exhaust the stack. */
const DEEPEST = 100

const SPACE = /(?:[ \t\r\n\f]|\\\r?\n|#[^\n]*)*/y
const INTEGER = /[+-]?[ \t]*(0[xX][\da-fA-F_]+|0[oO][0-7_]+|0[bB][01_]+|\d[\d_]*)(?![\w.])(?:[ \t]*L)?|[+-]?\d[\d_]*L/y
const STRING = /[uU]?(?:[bB]?[rR]?|[rR][bB])("""|'''|"|')/y
const WORD = /True|False|None/y
const WORDS: Readonly<Record<string, boolean | null>> = { True: true, False: false, None: null }
const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', f: '\f', v: '\v', b: '\b', a: '\x07' }

const decodeEscapes = (text: string): string =>
  text.replace(
    /\\(?:x([\da-f]{2})|u([\da-f]{4})|([0-7]{1,3})|(\r?\n)|(.))/gis,
    (_, hex, unicode, octal, line, plain) => {
      if (hex !== undefined || unicode !== undefined) return String.fromCharCode(Number.parseInt(hex ?? unicode, 16))
      if (octal !== undefined) return String.fromCharCode(Number.parseInt(octal, 8))
      return line !== undefined ? '' : (ESCAPES[plain] ?? ('\\\'"'.includes(plain) ? plain : `\\${plain}`))
    },
  )

/**
 * Parses one literal that fills the text.
 *
 * @returns left: the place of the first character that does not belong to it, counted from 0.
 */
export const parsePython = (text: string): E.Either<number, PythonValue> => {
  let at = 0
  const match = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at
    const found = pattern.exec(text)
    if (found !== null) at = pattern.lastIndex
    return found
  }
  const skip = (): void => void match(SPACE)
  const take = (character: string): boolean => {
    skip()
    if (text[at] !== character) return false
    at++
    return true
  }
  const refuse = (): never => {
    throw new SyntaxError()
  }
  const string = (): string | undefined => {
    const start = match(STRING)
    if (start === null) return undefined
    const quote = start[1]!
    let end = at
    while (!text.startsWith(quote, end)) {
      if (end >= text.length || (quote.length === 1 && text[end] === '\n')) refuse()
      end += text[end] === '\\' ? 2 : 1
    }
    const body = text.slice(at, end)
    at = end + quote.length
    return /r/i.test(start[0]) ? body : decodeEscapes(body)
  }
  /** The items up to a closing bracket, and whether the last one was followed by a comma. */
  const items = (close: string, item: () => PythonValue): { readonly all: PythonValue[]; readonly comma: boolean } => {
    const all: PythonValue[] = []
    let comma = false
    while (!take(close)) {
      if (all.length > 0 && !comma) refuse()
      all.push(item())
      comma = take(',')
    }
    return { all, comma }
  }
  const value = (depth: number): PythonValue => {
    if (depth > DEEPEST) refuse()
    const inner = () => value(depth + 1)
    skip()
    if (take('(')) {
      const { all, comma } = items(')', inner)
      return all.length === 1 && !comma ? all[0]! : all
    }
    if (take('[')) return items(']', inner).all
    if (take('{')) {
      const entries = new Map<PythonValue, PythonValue>()
      items('}', () => {
        const key = inner()
        if (!take(':')) refuse()
        entries.set(key, inner())
        return null
      })
      return entries
    }
    const word = match(WORD)
    if (word !== null) return WORDS[word[0]]!
    const digits = match(INTEGER)
    if (digits !== null) {
      const plain = digits[0].replace(/[_L\s+]/g, '')
      return plain.startsWith('-') ? -Number(plain.slice(1)) : Number(plain)
    }
    let joined = string() ?? refuse()
    for (;;) {
      skip()
      const next = string()
      if (next === undefined) return joined
      joined += next
    }
  }
  try {
    const whole = value(0)
    skip()
    return at === text.length ? E.right(whole) : E.left(at)
  } catch {
    return E.left(at)
  }
}
