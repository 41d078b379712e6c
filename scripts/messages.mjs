/**
 * Tests the errors that compilers report for wrong programs. Compiles `types/messages/*.ts`, one mistake per file,
 * against the built declarations with each TypeScript, and compares position and sentence with
 * `types/messages/expected.txt`. `node scripts/messages.mjs --update` rewrites that file.
 *
 * Its last entry says after how many characters of the message our sentence starts. An error at an argument starts with
 * `Argument of type '…' is not assignable to parameter of type '`, 61 characters and the type of the argument. No type
 * can shorten that, so a literal of the sentence stands first in the type of the parameter.
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

/** A sentence of ours: a `ShapeError`, or a literal that stands first in the type of a parameter or a property. */
const OURS = /(?:ShapeError<|type ')"([a-zA-Z0-9]+: [^"]+)"/

/** Where our sentence starts in each message that has one. */
const starts = []

/** Our sentence in the first two lines that a user sees, or else the compiler's first line. */
const sentence = (lines) => {
  const message = lines
    .slice(0, 2)
    .join('\n')
    .replace(/^error TS\d+: /, '')
  const found = OURS.exec(message)
  if (found === null) return message.split('\n')[0]
  starts.push(message.indexOf(found[1]))
  return found[1]
}

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

starts.sort((a, b) => a - b)
const position =
  `our sentences\n  ${starts.length / byCompiler.length} in each compiler; ` +
  `they start after ${starts[0]} to ${starts.at(-1)} characters, median ${starts[Math.floor(starts.length / 2)]}\n`
const now = [...programs.map(report), position]
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
console.log(position.trimEnd())
console.log(`${programs.length} wrong programs, ${failures.length} sentences that differ`)
process.exitCode = failures.length === 0 ? 0 : 1
