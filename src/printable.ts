/**
 * Text from files, archives and environments, made safe to show: names and messages may hold escape sequences that
 * move a terminal's cursor, and marks that turn the direction of what follows.
 *
 * @module
 */

/** Controls (C0, DEL, C1), format characters such as bidirectional overrides, line separators and lone surrogates. */
const unsafe = /(?![\u200c\u200d])[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu

const named: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' }

const hex = (n: number, digits: number): string => n.toString(16).padStart(digits, '0')

const escapeOf = (character: string): string => {
  const code = character.codePointAt(0)!
  return (
    named[character] ??
    (code < 0x100 ? `\\x${hex(code, 2)}` : code < 0x10000 ? `\\u${hex(code, 4)}` : `\\u{${hex(code, 1)}}`)
  )
}

/**
 * One line that a terminal shows as it is: control and format characters become escapes such as `\x1b`. Joiners, which
 * emoji and some scripts need, stay.
 *
 * @internal
 */
export const printable = (text: string): string => text.replace(unsafe, escapeOf)

/**
 * {@link printable} of each line of a text.
 *
 * @internal
 */
export const printableLines = (text: string): string => text.split('\n').map(printable).join('\n')

/**
 * A value as one line of JSON without control or format characters, which `JSON.stringify` leaves in strings.
 *
 * @internal
 */
export const printableJson = (value: unknown): string =>
  (JSON.stringify(value) ?? 'null').replace(unsafe, (character) =>
    character
      .split('')
      .map((unit) => `\\u${hex(unit.charCodeAt(0), 4)}`)
      .join(''),
  )
