/** The examples of docstrings import nothing: these are the lines that they omit. */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const at = (path) => fileURLToPath(new URL(path, import.meta.url))
const words = (code) => new Set(code.match(/[A-Za-z_$][\w$]*/g))

/** Lines of the context in which examples stand, with the names that each declares. */
const readKnown = () =>
  readFileSync(at('../../test/docstrings.known.txt'), 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [, list, name] =
        /^(?:import |declare )?(?:type )?(?:const )?(?:\* as )?(?:[[{]\s*(.*?)\s*[\]}]|(\w+))/.exec(line)
      return { line, names: list?.split(/, (?:type )?/) ?? [name] }
    })

let context
const load = () => {
  context ??= { known: readKnown(), exported: JSON.parse(readFileSync(at('../generated/exports.json'), 'utf8')) }
  return context
}

/** The lines before and after an example on a page of the reference, imports included. */
export const aroundExample = (code, page) => {
  const { known, exported } = load()
  const isFp = page.includes('/diffeo/fp/')
  const lines = []
  const declared = new Set()
  let used = words(code)
  // a line may use names that earlier ones declare
  for (const { line, names } of [...known].reverse()) {
    if (!names.some((name) => used.has(name))) continue
    lines.unshift(line)
    for (const name of names) declared.add(name)
    used = new Set([...used, ...words(line)])
  }
  const names = [...used].filter((name) => exported[name] !== undefined && !declared.has(name))
  const entries = [...new Set(names.map((name) => exported[name][0]))]
  // in the examples of `diffeo/fp` its own forms stand for the names that it shares
  const shared = isFp ? [...words(code)].filter((name) => exported[name]?.slice(1).includes('diffeo/fp')) : []
  const before = [
    ...(used.has('T') ? ["import * as T from 'diffeo/tensor'"] : []),
    ...(used.has('fp') || isFp ? ["import * as fp from 'diffeo/fp'"] : []),
    ...entries.map(
      (from) => `import { ${names.filter((name) => exported[name][0] === from).join(', ')} } from '${from}'`,
    ),
    ...lines,
    // a function, since an example may declare names that these lines declare too
    ';async () => {',
    ...(shared.length === 0 ? [] : [`const { ${shared.join(', ')} } = fp`]),
  ]
  return { before: before.join('\n'), after: '}' }
}
