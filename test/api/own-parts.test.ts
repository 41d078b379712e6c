/** What a user writes: the programs of docs/how-to/own-bijector.md compile without casts, are short, and obey the laws. */
import { execFile } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { promisify } from 'node:util'
import ts from 'typescript'
import { expect, it } from 'vitest'

const blocks = [...readFileSync('docs/how-to/own-bijector.md', 'utf8').matchAll(/```ts\n(.*?)```/gs)].map(
  ([, code]) => code!,
)

/** Casts, assertions and what hides a type. */
const castsIn = (code: string): readonly string[] => {
  const found: string[] = []
  const visit = (node: ts.Node): void => {
    const isCast =
      (ts.isAsExpression(node) && !ts.isConstTypeReference(node.type)) ||
      ts.isTypeAssertionExpression(node) ||
      ts.isNonNullExpression(node) ||
      node.kind === ts.SyntaxKind.AnyKeyword ||
      (ts.isIdentifier(node) && ['trust', 'refine', 'AnyTensor'].includes(node.text))
    if (isCast) found.push(node.getText())
    ts.forEachChild(node, visit)
  }
  visit(ts.createSourceFile('own.ts', code, ts.ScriptTarget.ES2022, true))
  return found
}

it('a cast is found', () => {
  expect(castsIn('const a = b as never; const c = d!; const e = [f] as const')).toEqual(['b as never', 'd!'])
})

it.each([
  ['leakyRelu', 0],
  ['householder', 1],
  ['linear', 2],
])('%s is under 25 lines, without a cast, and imports only diffeo', (name, place) => {
  const code = blocks[place]!
  expect(code).toContain(`export const ${name} =`)
  expect(code.split('\n').filter((line) => line !== '').length).toBeLessThan(25)
  expect(castsIn(code)).toEqual([])
  for (const [, from] of code.matchAll(/from '(.*)'/g)) expect(from).toMatch(/^diffeo(\/tensor)?$/)
})

it('they compile, obey the laws, and work in a flow', async () => {
  expect(blocks).toHaveLength(4)
  // one program: each import of a name once
  const seen = new Map<string, Set<string>>()
  const body = blocks
    .join('\n')
    .replace(/^import (?:\{(.*)\}|(\* as T)) from '(.*)'\n/gm, (_, names: string | undefined, all, from: string) => {
      const known = seen.get(from) ?? new Set()
      for (const one of names?.split(',') ?? [all as string]) known.add(one.trim())
      seen.set(from, known)
      return ''
    })
  const imports = [...seen].map(([from, names]) =>
    names.has('* as T') ? `import * as T from '${from}'` : `import { ${[...names].join(', ')} } from '${from}'`,
  )
  mkdirSync('dist/examples', { recursive: true })
  const file = resolve('dist/examples/own-parts.ts')
  writeFileSync(file, [...imports, body, "console.log('lawful')"].join('\n'))
  const program = ts.createProgram([file], {
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    strict: true,
    noUncheckedIndexedAccess: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: true,
    types: ['node'],
  })
  const wrong = ts.getPreEmitDiagnostics(program)
  expect(wrong.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'))).toEqual([])
  program.emit()
  const { stdout } = await promisify(execFile)(process.execPath, [file.replace(/ts$/, 'js')])
  expect(stdout).toBe('lawful\n')
}, 60_000)
