/**
 * Checks the assertions of `types/test-d/` under any TypeScript; tsd uses one version only. Each file is copied into a
 * folder beside it, with `expectType<T>(e)` and its kin replaced by functions whose argument has the wrong type if the
 * assertion fails. Line numbers stay. An error inside `expectError(…)` is expected; any other error is a failure.
 */
import { execFile } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'

const root = fileURLToPath(new URL('..', import.meta.url))
const folder = join(root, 'types', 'test-d')

// two calls, `expectType<T>()(e)`, because the compiler infers either all type arguments of a call or none
const assertions = `
type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
type If<B extends boolean> = B extends true ? [] : [wrong: never]
export declare const expectType: <T>() => <const E>(e: E, ...wrong: If<Equal<T, E>>) => void
export declare const expectAssignable: <T>() => (e: T) => void
export declare const expectNotAssignable: <T>() => <E>(e: E, ...wrong: If<[E] extends [T] ? false : true>) => void
export declare const expectNever: (e: never) => void
export declare const expectError: (e: unknown) => void
`

/** The assertions of a file: name, source of the arguments, first and last line. */
const assertionsOf = (file) => {
  const found = []
  const visit = (node) => {
    if (ts.isCallExpression(node) && /^expect[A-Z]/.test(node.expression.getText(file))) {
      const [from, to] = [node.getStart(file), node.end].map((at) => file.getLineAndCharacterOfPosition(at).line + 1)
      const about = node.arguments.map((argument) => argument.getText(file)).join()
      found.push({ name: node.expression.getText(file), about, from, to, types: node.typeArguments })
    } else ts.forEachChild(node, visit)
  }
  visit(file)
  return found
}

export const files = readdirSync(folder)
  .filter((name) => name.endsWith('.ts'))
  .map((name) => {
    const text = readFileSync(join(folder, name), 'utf8')
    return { name, text, asserted: assertionsOf(ts.createSourceFile(name, text, ts.ScriptTarget.Latest)) }
  })

const curried = ({ text, asserted }) => {
  const ends = asserted.flatMap(({ types }) => (types === undefined ? [] : [text.indexOf('>', types.end) + 1]))
  return [0, ...ends].map((from, i) => text.slice(from, ends[i])).join('()')
}

/** The assertions that do not hold under a compiler, as `file:line:column: message`. */
export const failuresUnder = async (compiler) => {
  const project = mkdtempSync(join(root, 'types', '.test-d-'))
  for (const file of files) writeFileSync(join(project, file.name), curried(file))
  writeFileSync(join(project, 'assertions.ts'), assertions)
  const compilerOptions = { rootDir: '../..', noUnusedLocals: false, paths: { tsd: ['./assertions.ts'] } }
  writeFileSync(
    join(project, 'tsconfig.json'),
    JSON.stringify({ extends: '../../tsconfig.json', compilerOptions, include: ['*.ts'] }),
  )
  const tsc = join(root, 'node_modules', compiler, 'bin', 'tsc')
  const output = await new Promise((resolve) =>
    execFile(process.execPath, [tsc, '-p', project, '--pretty', 'false'], { cwd: project }, (_, stdout) =>
      resolve(stdout),
    ),
  )
  rmSync(project, { recursive: true })
  const errors = output.split(/\r?\n(?=\S)/).flatMap((text) => {
    const [, name, line, column, message] = /^(.+)\((\d+),(\d+)\): ([^\n]*)/.exec(text.trim()) ?? []
    return name !== undefined
      ? [{ name, line: Number(line), column, message }]
      : text.trim() === ''
        ? []
        : [{ message: text }]
  })
  const within =
    (name, { from, to }) =>
    (error) =>
      error.name === name && error.line >= from && error.line <= to
  const wanted = files.flatMap(({ name, asserted }) =>
    asserted.filter((a) => a.name === 'expectError').map((a) => ({ name, from: a.from, is: within(name, a) })),
  )
  return [
    ...errors.filter((error) => !wanted.some(({ is }) => is(error))),
    ...wanted
      .filter(({ is }) => !errors.some(is))
      .map(({ name, from }) => ({ name, line: from, column: 1, message: 'expected an error, got none' })),
  ]
}
