/**
 * Tests the cost of types: the number of instantiations of each program in `types/perf/`, without those of its imports,
 * under each TypeScript. `types/perf/budgets.json` has the limits; `node scripts/perf.mjs --update` sets them to the
 * present counts. The script also prints times of checks and of edits in an editor, which no limit applies to.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { editors } from './editor.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const folder = join(root, 'types', 'perf')
const file = join(folder, 'budgets.json')
const require = createRequire(import.meta.url)
const names = readdirSync(folder).flatMap((name) => (name.endsWith('.ts') ? [name.replace(/\.ts$/, '')] : []))
/** Upper bounds of budgets, which `--update` cannot raise. */
const ceilings = { glow: 60_000 }
/** How far a count may exceed its budget; releases of a compiler differ by less. */
const slack = 1.05

const sources = Object.fromEntries(names.map((name) => [name, readFileSync(join(folder, `${name}.ts`), 'utf8')]))
const importsOf = (source) => (source.match(/^import [^;]*? from '.*'$/gms) ?? []).join('\n')

/** Checks programs in this process: they share parsed libraries, but not the checker. */
const inProcess = (name) => {
  const ts = require(name)
  const config = ts.getParsedCommandLineOfConfigFile(join(folder, 'tsconfig.json'), {}, ts.sys)
  const host = ts.createCompilerHost(config.options)
  const parsed = new Map()
  const read = host.getSourceFile
  const count = (path, text) => {
    host.getSourceFile = (of, language) => {
      if (of === path) return ts.createSourceFile(of, text, language)
      if (!parsed.has(of)) parsed.set(of, read(of, language))
      return parsed.get(of)
    }
    const program = ts.createProgram([path], config.options, host)
    const from = performance.now()
    const errors = program.getSemanticDiagnostics(program.getSourceFile(path))
    return { count: program.getInstantiationCount(), ms: performance.now() - from, errors: errors.length }
  }
  return count
}

/** Checks programs with the command `tsc`, in one thread, so that counts are reproducible. */
const byCommand = (name) => {
  const tsc = join(root, 'node_modules', name, 'bin', 'tsc')
  const project = mkdtempSync(join(root, 'types', '.perf-'))
  const config = JSON.stringify({ extends: '../perf/tsconfig.json', files: ['of.ts'], include: [] })
  const count = (_, text) => {
    writeFileSync(join(project, 'of.ts'), text)
    writeFileSync(join(project, 'tsconfig.json'), config)
    const { stdout, status } = spawnSync(
      process.execPath,
      [tsc, '-p', project, '--singleThreaded', '--extendedDiagnostics'],
      { encoding: 'utf8' },
    )
    const [, instantiations] = /Instantiations:\s+(\d+)/.exec(stdout) ?? []
    const [, seconds] = /Check time:\s+([\d.]+)s/.exec(stdout) ?? []
    return { count: Number(instantiations), ms: 1000 * Number(seconds), errors: status }
  }
  return Object.assign(count, { end: () => rmSync(project, { recursive: true }) })
}

const compilers = {
  5.9: () => inProcess('typescript-5.9'),
  '6.0': () => inProcess('typescript'),
  '7.0': () => byCommand('typescript-7'),
}
const costs = Object.entries(compilers).map(([version, start]) => {
  const measure = start()
  measure(join(folder, `${names[0]}.ts`), sources[names[0]]) // a warm-up: the first check parses the libraries
  const measured = names.map((name) => {
    const path = join(folder, `${name}.ts`)
    const bare = measure(path, `${importsOf(sources[name])}\nexport {}\n`)
    const whole = measure(path, sources[name])
    return [name, { count: whole.count - bare.count, ms: whole.ms - bare.ms, errors: whole.errors }]
  })
  measure.end?.()
  return [version, Object.fromEntries(measured)]
})

/** The time from an edit in `glow.ts` to the editor's list of errors, the median of five. */
const timeOfEdit = async (start) => {
  const server = await start()
  const path = join(folder, 'glow.ts')
  const lines = sources.glow.split('\n')
  const line = lines.findIndex((text) => text.includes('repeat(32, step), factorOut')) + 1
  await server.open(path)
  await server.diagnose(path)
  const times = []
  for (let steps = 26; steps < 31; steps++) {
    const from = performance.now()
    const errors = await server.edit(path, line, lines[line - 1].replace('32', `${steps}`))
    times.push(performance.now() - from)
    if (errors.length > 0) throw new Error(`glow.ts after an edit: ${errors[0]}`)
  }
  server.close()
  return times.toSorted((a, b) => a - b)[2]
}

const now = Object.fromEntries(
  names.map((name) => [name, Object.fromEntries(costs.map(([version, measured]) => [version, measured[name].count]))]),
)
if (process.argv.includes('--update')) writeFileSync(file, `${JSON.stringify(now, null, 2)}\n`)
const budgets = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {}
const failures = costs.flatMap(([version, measured]) =>
  names.flatMap((name) => {
    const { count, ms, errors } = measured[name]
    const most = Math.min(slack * (budgets[name]?.[version] ?? 0), ceilings[name] ?? Number.POSITIVE_INFINITY)
    console.log(`${version}  ${name.padEnd(12)} ${String(count).padStart(6)} instantiations, ${ms.toFixed(0)} ms`)
    if (errors > 0) return [`${version}: ${name} does not compile`]
    return count > 0 && count <= most ? [] : [`${version}: ${name} takes ${count} instantiations, at most ${most}`]
  }),
)
for (const [version, start] of Object.entries(editors))
  console.log(`${version}  errors ${(await timeOfEdit(start)).toFixed(0)} ms after an edit of glow.ts`)
for (const failure of failures) console.error(failure)
console.log(`${names.length} programs, ${failures.length} failures`)
process.exitCode = failures.length === 0 ? 0 : 1
