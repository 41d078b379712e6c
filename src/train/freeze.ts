/**
 * Which parameters a training leaves as they are, by the paths of their tree.
 *
 * @module
 */
import { DiffeoException, usageError } from '../error.js'
import { shown } from '../tensor/numbers.js'
import { leaves, type Param, type Spec } from '../tensor/params.js'

export interface FreezeOption {
  /**
   * Paths of parameters that stay as they are, statistics included. In a path, `*` stands for any part of one name and `**`
   * for any number of names: `['0.coupling/**']`. Default: none
   */
  readonly freeze?: readonly string[]
}

/** The pattern of a path as a regular expression. */
const patternOf = (path: string): RegExp => {
  const source = path.split(/(\*\*\/|\*\*|\*)/).map((part) => {
    if (part === '**/') return '(?:.*/)?'
    if (part === '**') return '.*'
    return part === '*' ? '[^/]*' : part.replace(/[.+?^${}()|[\]\\]/g, '\\$&')
  })
  return new RegExp(`^${source.join('')}$`)
}

/** How many characters have to change for one string to become another (Levenshtein). */
const distance = (a: string, b: string): number => {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++)
      next.push(Math.min(next[j - 1]! + 1, row[j]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)))
    row = next
  }
  return row.at(-1)!
}

/** The paths, and the branches with `**`, that are most like a path. */
const near = (path: string, paths: readonly string[]): readonly string[] => {
  const branches = paths.flatMap((whole) => {
    const names = whole.split('/').slice(0, -1)
    return names.map((_, i) => `${names.slice(0, i + 1).join('/')}/**`)
  })
  return [...new Set([...branches, ...paths])]
    .map((candidate) => [candidate, distance(path, candidate)] as const)
    .sort(([, a], [, b]) => a - b)
    .slice(0, 3)
    .map(([candidate]) => candidate)
}

/**
 * For each parameter of a spec, in order, whether it stays as it is.
 *
 * @throws DiffeoException for a path that no parameter has, and if none is left to train
 */
export const frozenBy = (spec: Spec, freeze: readonly string[] = []): readonly boolean[] => {
  if (!Array.isArray(freeze) || !freeze.every((path) => typeof path === 'string'))
    throw new DiffeoException(usageError('freeze', 'a list of paths', shown(freeze), "pass one: ['0.coupling/**']"))
  const all = leaves<Param>(spec)
  const paths = all.map(([path]) => path)
  const patterns = freeze.map(patternOf)
  const lost = freeze.find((_, i) => !paths.some((path) => patterns[i]!.test(path)))
  if (lost !== undefined)
    throw new DiffeoException(
      usageError('freeze', 'the path of a parameter', shown(lost), `near it are ${near(lost, paths).join(', ')}`),
    )
  const frozen = paths.map((path) => patterns.some((pattern) => pattern.test(path)))
  const isLeft = all.some(([, { role }], i) => role !== 'statistic' && !frozen[i])
  if (freeze.length > 0 && !isLeft)
    throw new DiffeoException(usageError('freeze', 'a parameter that is left to train', 'paths of all'))
  return frozen
}
