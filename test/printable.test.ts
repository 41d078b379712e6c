import { DiffeoException, describeError } from 'diffeo'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatError } from '../src/error.js'
import { printable, printableJson, printableLines } from '../src/printable.js'

const dangerous = /(?![\u200c\u200d])[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u

describe('text for a terminal', () => {
  it.each([
    ['colours', '\x1b[31mred', '\\x1b[31mred'],
    ['a title', '\x1b]0;owned\x07', '\\x1b]0;owned\\x07'],
    ['a C1 control', '\x9b2J', '\\x9b2J'],
    ['a line', 'one\ntwo\r\n\t', 'one\\ntwo\\r\\n\\t'],
    ['DEL and NUL', '\x7f\0', '\\x7f\\x00'],
    ['overrides', 'a\u202eb\u2066c', 'a\\u202eb\\u2066c'],
    ['marks', '\u200e\u061c\ufeff\u2028', '\\u200e\\u061c\\ufeff\\u2028'],
    ['tags', '\u{e0041}', '\\u{e0041}'],
    ['half a character', '\ud800', '\\ud800'],
    ['names as people write them', 'Größe 大きさ 👩‍👩‍👧 naïve', 'Größe 大きさ 👩‍👩‍👧 naïve'],
  ])('has no %s', (_, text, shown) => {
    expect(printable(text)).toBe(shown)
  })
  it('is one line, or the lines it had', () => {
    expect(printableLines('a\x1b\nb')).toBe('a\\x1b\nb')
  })
  const text = fc.string({
    unit: fc.oneof(
      fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
      fc.constantFrom('\x1b', '\x9b', '\u202e'),
    ),
  })
  it('never has a control, and is safe to show twice', () => {
    fc.assert(
      fc.property(text, (t) => {
        expect(printable(t)).not.toMatch(dangerous)
        expect(printable(printable(t))).toBe(printable(t))
      }),
    )
  })
  it('is JSON of the same value', () => {
    fc.assert(
      fc.property(fc.dictionary(text, text), (value) => {
        const json = printableJson(value)
        expect(json).not.toMatch(dangerous)
        expect(JSON.parse(json)).toEqual(JSON.parse(JSON.stringify(value)))
      }),
    )
  })
})

describe('an error', () => {
  const error = formatError('a\x1b[2J.npy', 'x\n', 'y\u202e', 'z\x9b')
  it('is described in one safe line, and thrown so', () => {
    const line = 'a\\x1b[2J.npy: expected x\\n, got y\\u202e; z\\x9b'
    expect([describeError(error), new DiffeoException(error).message]).toEqual([line, line])
  })
})
