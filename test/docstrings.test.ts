/**
 * Docstrings are code: every value that the package exports has an example, every example compiles as a user would have
 * it, and the ones that end with `// a number` or `// [numbers]` come to that.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { relative, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { ready } from 'diffeo/engine'
import { type Tensor, toArray } from 'diffeo/tensor'
import ts from 'typescript'
import { describe, expect, it } from 'vitest'

/** What examples may speak of without saying where it comes from. */
const known = readFileSync('test/docstrings.known.txt', 'utf8')

const config = ts.getParsedCommandLineOfConfigFile(
  'tsconfig.json',
  {},
  { ...ts.sys, onUnRecoverableConfigFileDiagnostic: () => undefined },
)!
const entries = {
  diffeo: 'src/index.ts',
  ...Object.fromEntries(
    ['data', 'engine', 'image', 'tensor', 'train', 'fp'].map((name) => [`diffeo/${name}`, `src/entry/${name}.ts`]),
  ),
  'diffeo/laws': 'src/laws/index.ts',
}
const program = ts.createProgram(Object.values(entries), config.options)
const checker = program.getTypeChecker()

interface Exported {
  readonly name: string
  readonly at: string
  readonly isValue: boolean
  readonly examples: readonly string[]
}

const exportsOf = (module: ts.Symbol, path = ''): readonly Exported[] =>
  checker.getExportsOfModule(module).flatMap((own) => {
    const symbol = own.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(own) : own
    const name = path + own.name
    if (symbol.flags & ts.SymbolFlags.ValueModule)
      return [{ name, at: '', isValue: false, examples: [] }, ...exportsOf(symbol, `${name}.`)]
    const tags = symbol.getJsDocTags(checker).filter((tag) => tag.name === 'example')
    return [
      {
        name,
        at: relative('.', symbol.declarations![0]!.getSourceFile().fileName),
        isValue: (symbol.flags & ts.SymbolFlags.Value) !== 0,
        examples: tags.map((tag) => ts.displayPartsToString(tag.text)),
      },
    ]
  })
const all = Object.entries(entries).map(([from, path]) => ({
  from,
  exported: exportsOf(checker.getSymbolAtLocation(program.getSourceFile(path)!)!),
}))
/** Whether no entry point before this one exports the name: `diffeo/fp` has names of the others. */
const isFirst = (from: string, name: string): boolean =>
  all.find(({ exported }) => exported.some((own) => own.name === name))?.from === from
const examples = all.flatMap(({ from, exported }) =>
  exported.flatMap(({ name, examples }) => examples.map((code) => ({ name, code, isFp: from === 'diffeo/fp' }))),
)
/** Examples import nothing: every name stands for itself, operations of tensors in `T`. */
const imports = [
  "import * as fp from 'diffeo/fp'",
  "import * as T from 'diffeo/tensor'",
  ...all.map(({ from, exported }) => {
    const names = exported.flatMap(({ name }) => (name.includes('.') || !isFirst(from, name) ? [] : [name]))
    return `import { ${names.join(', ')} } from '${from}'`
  }),
]

/** In the examples of `diffeo/fp` its own forms stand for the names that it shares. */
const fpNames = `const { ${all
  .find(({ from }) => from === 'diffeo/fp')!
  .exported.filter(({ name, isValue }) => isValue && !isFirst('diffeo/fp', name))
  .map(({ name }) => name)
  .join(', ')} } = fp`

describe('docstrings', () => {
  it('have an example for each value', () => {
    // those of `diffeo/fp` are the forms of functions that other entry points export
    const bare = all.flatMap(({ from, exported }) =>
      exported.filter(
        (own) => own.isValue && own.examples.length === 0 && (from !== 'diffeo/fp' || isFirst(from, own.name)),
      ),
    )
    expect(bare.map(({ name, at }) => `${at}: ${name}`)).toEqual([])
    expect(examples.length).toBeGreaterThan(200)
  })
  it('have examples that compile', () => {
    const path = resolve('test', 'docstrings.examples.ts')
    const parts = examples.map(({ code, isFp }) => `;async () => {\n${isFp ? fpNames : ''}\n${code}\n}`)
    const text = [...imports, known, ...parts, 'export {}'].join('\n')
    const options = { ...config.options, noUnusedLocals: false, verbatimModuleSyntax: false, isolatedModules: false }
    const host = ts.createCompilerHost(options)
    const own = host.getSourceFile
    host.getSourceFile = (name, language) =>
      resolve(name) === path ? ts.createSourceFile(name, text, language) : own(name, language)
    const source = ts.createProgram([path], options, host)
    const lines = text.split('\n')
    const wrong = source.getSemanticDiagnostics(source.getSourceFile(path)).map((d) => {
      const { line } = d.file!.getLineAndCharacterOfPosition(d.start!)
      return `${lines[line]}: ${ts.flattenDiagnosticMessageText(d.messageText, ' ')}`
    })
    expect(wrong).toEqual([])
  })
  it('say what their examples come to', async () => {
    const said = examples.flatMap(({ name, code, isFp }) => {
      const [, before, last, figures] = /^([\s\S]*\n)?(.*\S) \/\/ (\[[-\d., e]*\]|-?[\d.]+)$/.exec(code) ?? []
      return last === undefined || isFp || /^const /.test(last)
        ? []
        : [{ name, before: before ?? '', last, figures: figures! }]
    })
    const bodies = said.map(({ before, last }) => `async () => {\n${before}\nreturn ${last}\n}`)
    const used = known.split('\n').filter((line) => !line.includes("'vitest'"))
    const text = [...imports, ...used, `export const cases = [${bodies.join(',\n')}]`].join('\n')
    const target = { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ES2022 }
    mkdirSync('dist/examples', { recursive: true })
    const path = resolve('dist/examples/docstrings.js')
    writeFileSync(path, ts.transpileModule(text, { compilerOptions: target }).outputText)
    await ready('cpu')
    const { cases } = (await import(pathToFileURL(path).href)) as { cases: readonly (() => Promise<unknown>)[] }
    const answers = await Promise.all(cases.map((run) => run()))
    const numbers = async (answer: unknown): Promise<readonly number[]> =>
      typeof answer === 'number'
        ? [answer]
        : ArrayBuffer.isView(answer) || Array.isArray(answer)
          ? [...(answer as unknown as readonly number[])]
          : [...(await toArray(answer as Tensor<[]>))]
    for (const [i, { name, figures }] of said.entries()) {
      const digits = Math.max(0, ...[...figures.matchAll(/\.(\d+)/g)].map(([, after = '']) => after.length))
      // what is added makes −0 a 0
      const rounded = (await numbers(answers[i])).map((v) => Number(v.toFixed(digits)) + 0)
      expect(rounded, name).toEqual([JSON.parse(figures)].flat())
    }
    expect(said.length).toBeGreaterThan(50)
  })
})
