/** The TypeScript blocks of the documents compile, apart from those that are wrong on purpose. */
import { execFile } from 'node:child_process'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import ts from 'typescript'
import { expect, it } from 'vitest'
import { blocksOf } from '../site/blocks.mjs'

const pages = [
  'README.md',
  'CONTRIBUTING.md',
  'site/index.md',
  ...readdirSync('docs', { recursive: true, encoding: 'utf8' }).map((name) => join('docs', name)),
].filter((path) => path.endsWith('.md') && !path.startsWith(join('docs', 'api')))

const blocks = pages.flatMap((page) =>
  blocksOf(readFileSync(page, 'utf8')).map((block, i) => ({
    ...block,
    page,
    path: resolve('test', `${page.replaceAll(/[\\/]/g, '-')}-${i}.ts`),
  })),
)
const config = ts.getParsedCommandLineOfConfigFile(
  'tsconfig.json',
  {},
  { ...ts.sys, onUnRecoverableConfigFileDiagnostic: () => undefined },
)!
// what a reader's project may leave out
const options: ts.CompilerOptions = {
  ...config.options,
  ...{ noUnusedLocals: false, noUnusedParameters: false, exactOptionalPropertyTypes: false },
  ...{ noPropertyAccessFromIndexSignature: false, verbatimModuleSyntax: false, isolatedModules: false },
  moduleDetection: ts.ModuleDetectionKind.Force,
}
const compiled = blocks.filter(({ program }) => program !== undefined)
const texts = new Map(compiled.map(({ path, program }) => [path, program!]))
const host = ts.createCompilerHost(options)
const { getSourceFile, fileExists } = host
host.fileExists = (name) => texts.has(resolve(name)) || fileExists(name)
host.getSourceFile = (name, language) => {
  const text = texts.get(resolve(name))
  return text === undefined ? getSourceFile(name, language) : ts.createSourceFile(name, text, language)
}
const program = ts.createProgram([...texts.keys()], options, host)
const errorsOf = (path: string): readonly string[] =>
  program
    .getSemanticDiagnostics(program.getSourceFile(path))
    .concat(program.getSyntacticDiagnostics(program.getSourceFile(path)))
    .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, ' '))

it.each(compiled.filter(({ isWrong }) => !isWrong))('$page:$line compiles', ({ path }) => {
  expect(errorsOf(path)).toEqual([])
})

it.each(compiled.filter(({ isWrong }) => isWrong))(
  '$page:$line states each error of the compiler',
  ({ path, code }) => {
    const errors = errorsOf(path)
    const stated = [...code.matchAll(/^ *\/\/ *~+ (.*)$/gm)].map(([, sentence]) => sentence!)
    expect(errors.length).toBeGreaterThan(0)
    if (stated.length > 0) expect(errors.length).toBe(stated.length)
    stated.forEach((sentence, i) => {
      expect(errors[i]).toContain(sentence)
    })
  },
)

it('few blocks are skipped', () => {
  expect(blocks.length).toBeGreaterThan(10)
  expect(blocks.filter(({ program }) => program === undefined).map(({ page, line }) => `${page}:${line}`)).toEqual([])
})

const numbersIn = (text: string): readonly string[] =>
  text.replace(/Float32Array\(\d+\)/g, '').match(/-?\d[\d.e-]*/g) ?? []

it('docs/explanation/mathematics.md prints what its comments state', async () => {
  const text = blocks.findLast(({ page }) => page === join('docs', 'explanation', 'mathematics.md'))!.program!
  const stated = [...text.matchAll(/^console\.log\(.*\) \/\/ (.*)$/gm)].flatMap(([, figures]) => numbersIn(figures!))
  const target = { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ES2022 }
  const file = resolve('dist/examples/mathematics.js')
  writeFileSync(file, ts.transpileModule(text, { compilerOptions: target }).outputText)
  const { stdout } = await promisify(execFile)(process.execPath, [file])
  const printed = numbersIn(stdout)
  expect(printed).toHaveLength(stated.length)
  stated.forEach((figure, i) => {
    const digits = figure.split('.')[1]?.length ?? 3
    expect(Number(printed[i])).toBeCloseTo(Number(figure), digits)
  })
})
