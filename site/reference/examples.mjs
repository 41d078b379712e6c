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
  if (context !== undefined) return context
  const exported = JSON.parse(readFileSync(at('../generated/exports.json'), 'utf8'))
  const known = readKnown()
  const [imports, others] = [true, false].map((is) => known.filter(({ line }) => line.startsWith('import ') === is))
  context = { imports, known: others, exported, entries: [...new Set(Object.values(exported).flat())] }
  return context
}

/** The lines before and after an example on a page of the reference, imports included. */
export const aroundExample = (code, page) => {
  const { imports, known, exported, entries } = load()
  const isFp = page.includes('/diffeo/fp/')
  const lines = []
  const declared = new Set(imports.flatMap(({ names }) => names))
  let used = words(code)
  // a line may use names that earlier ones declare
  for (const { line, names } of [...known].reverse()) {
    if (!names.some((name) => used.has(name))) continue
    lines.unshift(line)
    for (const name of names) declared.add(name)
    used = new Set([...used, ...words(line)])
  }
  const names = [...used].filter((name) => exported[name] !== undefined && !declared.has(name))
  // in the examples of `diffeo/fp` its own forms stand for the names that it shares
  const shared = isFp ? [...words(code)].filter((name) => exported[name]?.slice(1).includes('diffeo/fp')) : []
  // the same modules in every program: the compiler then keeps the files of the last one
  const before = [
    "import * as T from 'diffeo/tensor'",
    "import * as fp from 'diffeo/fp'",
    ...entries.map(
      (from) => `import { ${names.filter((name) => exported[name][0] === from).join(', ')} } from '${from}'`,
    ),
    ...imports.map(({ line }) => line),
    ...lines,
    // a function, since an example may declare names that these lines declare too
    ';async () => {',
    ...(shared.length === 0 ? [] : [`const { ${shared.join(', ')} } = fp`]),
  ]
  return { before: before.join('\n'), after: '}' }
}
