/**
 * Tests the errors that compilers report for wrong programs. Compiles `types/messages/*.ts`, one mistake per file,
 * against the built declarations with each TypeScript, and compares position and sentence with
 * `types/messages/expected.txt`. `node scripts/messages.mjs --update` rewrites that file.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const folder = join(root, 'types', 'messages')
const snapshot = join(folder, 'expected.txt')
const compilers = { 5.9: 'typescript-5.9', '6.0': 'typescript', '7.0': 'typescript-7' }
const programs = readdirSync(folder).filter((name) => name.endsWith('.ts'))

/** The sentence of a `ShapeError` in the first two lines that a user sees, or else the compiler's first line. */
const sentence = (lines) =>
  /ShapeError<"([^"]+)">/.exec(lines.slice(0, 2).join('\n'))?.[1] ?? lines[0].replace(/^error TS\d+: /, '')

/** The errors of each program, `line:column  sentence`. */
const errorsUnder = (compiler) => {
  const tsc = join(root, 'node_modules', compiler, 'bin', 'tsc')
  const { stdout, error } = spawnSync(process.execPath, [tsc, '-p', folder, '--pretty', 'false'], {
    cwd: root,
    encoding: 'utf8',
  })
  if (error !== undefined) throw error
  const errors = stdout.split(/\r?\n(?=\S)/).map((text) => text.trimEnd().split(/\r?\n/))
  const found = new Map(programs.map((name) => [name, []]))
  for (const [head, ...details] of errors) {
    const [, file, line, column, text] = /^(.+)\((\d+),(\d+)\): (.*)$/.exec(head) ?? []
    const name = file?.split(/[\\/]/).at(-1)
    if (!found.has(name)) throw new Error(`${compiler} reports an error outside of types/messages: ${head}`)
    found.get(name).push(`${line}:${column}  ${sentence([text, ...details])}`)
  }
  return found
}

const byCompiler = Object.entries(compilers).map(([version, name]) => [version, errorsUnder(name)])
/** The errors of one program; compilers that report the same error share a line. */
const report = (name) => {
  const versions = new Map()
  for (const [version, found] of byCompiler) {
    const text = found.get(name).join('\n  ') || 'accepted without an error'
    versions.set(text, [...(versions.get(text) ?? []), version])
  }
  const lines = [...versions].map(([text, of]) => (of.length === byCompiler.length ? text : `[${of}] ${text}`))
  return `${name.replace(/\.ts$/, '')}\n  ${lines.join('\n  ')}\n`
}

const now = programs.map(report)
if (process.argv.includes('--update')) writeFileSync(snapshot, now.join('\n'))
const before = existsSync(snapshot)
  ? readFileSync(snapshot, 'utf8')
      .replaceAll('\r\n', '\n')
      .split(/\n(?=\S)/)
  : []
const failures = [
  ...before.filter((text) => !now.includes(text)).map((text) => `expected  ${text}`),
  ...now.filter((text) => !before.includes(text)).map((text) => `got       ${text}`),
  ...now.filter((text) => text.includes('accepted without')).map((text) => `a wrong program passes: ${text}`),
]
for (const text of failures) console.error(text)
console.log(`${programs.length} wrong programs, ${failures.length} sentences that differ`)
process.exitCode = failures.length === 0 ? 0 : 1
