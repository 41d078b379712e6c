/**
 * The TypeScript blocks of the documents, each as a program that compiles. The site compiles them for its hovers, and
 * `test/documents.test.ts` for their errors. A comment in front of a block, which no reader sees, states what the block
 * omits:
 *
 *     <!-- before: import { mlp } from 'diffeo' -->    the lines that come before it
 *     <!-- continues -->                               the page's earlier blocks come before it
 *     <!-- skip: why -->                               it does not compile on its own
 *
 * The blocks with ```` ```ts errors ```` are wrong on purpose.
 */
const IMPORT = /^import (type )?(?:\* as (\w+)|\{([^}]*)\}) from '([^']+)'\n?/gm

const localName = (specifier) =>
  specifier
    .replace(/^type /, '')
    .split(' as ')
    .at(-1)

const namesOf = (specifiers = '') =>
  specifiers
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '')

/** The names that a program imports. */
const importedBy = (code) =>
  [...code.matchAll(IMPORT)].flatMap(([, , all, some]) => all ?? namesOf(some).map(localName))

/** Lines that may import what the program after them imports too. */
const without = (before, code) => {
  const imported = new Set(importedBy(code))
  return before.replace(IMPORT, (line, type = '', all, some, from) => {
    if (all !== undefined) return imported.has(all) ? '' : line
    const names = namesOf(some).filter((name) => !imported.has(localName(name)))
    return names.length === 0 ? '' : `import ${type}{ ${names.join(', ')} } from '${from}'\n`
  })
}

/**
 * Reads the blocks of a page in order: a function from each block's code, and the comment in front of it, to the lines
 * that come before the code; undefined if the block is skipped.
 */
export const blockReader = () => {
  const earlier = []
  return (code, comment = '', isWrong = false) => {
    const [, word, rest = ''] = /^<!--\s*(before|continues|skip)\b:?(.*?)-->/s.exec(comment.trim()) ?? []
    if (word === 'skip') return undefined
    const own = without(rest.trim(), code)
    const piece = `${own}\n${code}`
    const before = word === 'continues' ? earlier.reduce((lines, next) => `${without(lines, next)}\n${next}`, '') : ''
    if (!isWrong) earlier.push(piece)
    return `${without(before, piece)}\n${own}`
  }
}

/** The blocks of a page: the line of its code, the code, its program (undefined if skipped), and whether it is wrong. */
export const blocksOf = (page) => {
  const read = blockReader()
  return [...page.matchAll(/(?:^(<!--(?:(?!-->).)*-->)\n+)?^```ts( errors)?\n(.*?)^```$/gms)].map((match) => {
    const [all, comment, errors, code] = match
    const before = read(code, comment, errors !== undefined)
    const line = page.slice(0, match.index + all.lastIndexOf('```ts')).split('\n').length + 1
    return {
      line,
      code,
      program: before === undefined ? undefined : `${before}\n${code}`,
      isWrong: errors !== undefined,
    }
  })
}
