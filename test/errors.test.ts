/** One error convention: no public function but those of `diffeo/fp` returns an `Either` or a `TaskEither`. */
import ts from 'typescript'
import { expect, it } from 'vitest'

const config = ts.getParsedCommandLineOfConfigFile(
  'tsconfig.json',
  {},
  { ...ts.sys, onUnRecoverableConfigFileDiagnostic: () => undefined },
)!
const files = ['index', 'entry/data', 'entry/engine', 'entry/image', 'entry/tensor', 'entry/train'].map(
  (name) => `src/${name}.ts`,
)
const program = ts.createProgram(files, config.options)
const checker = program.getTypeChecker()
const exportsOf = (file: string) =>
  checker.getExportsOfModule(checker.getSymbolAtLocation(program.getSourceFile(file)!)!).flatMap((own) => {
    const symbol = own.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(own) : own
    return symbol.flags & ts.SymbolFlags.Value ? [{ name: own.name, type: checker.getTypeOfSymbol(symbol) }] : []
  })

it.each(files)('%s exports functions that throw or reject', (file) => {
  const either = exportsOf(file).filter(({ type }) =>
    type.getCallSignatures().some((call) => /Either/.test(checker.typeToString(call.getReturnType()))),
  )
  expect(either.map(({ name }) => name)).toEqual([])
})

it('diffeo exports at most 120 values, none of which means something else to a TypeScript developer', () => {
  const names = exportsOf('src/index.ts').map(({ name }) => name)
  expect(names.length).toBeLessThanOrEqual(120)
  expect(names.filter((name) => ['describe', 'values', 'step', 'split', 'range', 'on'].includes(name))).toEqual([])
})
