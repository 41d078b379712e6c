/**
 * Tests the naturals of `types/nat.ts` against ordinary arithmetic under every TypeScript. Each run draws new numbers up
 * to 10⁹ and prints its seed; `node scripts/nat-facts.mjs 7` repeats seed 7.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const seed = Number(process.argv[2] ?? Date.now() % 2 ** 32)

/** Mulberry32: a seed gives the same facts on every platform. */
let state = seed
const uniform = () => {
  state = (state + 0x6d2b79f5) | 0
  let t = Math.imul(state ^ (state >>> 15), 1 | state)
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
  return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
}
/** A number below 10^digits: all lengths are equally likely, and 99…9 and 10…0 are frequent because they carry. */
const natural = (digits) => {
  const power = 10 ** Math.floor(uniform() * (digits + 1))
  const kind = uniform()
  return kind < 0.1 ? power - 1 : kind < 0.2 ? Math.min(power, 10 ** digits - 1) : Math.floor(uniform() * power)
}

const facts = Array.from({ length: 60 }, () => {
  const [a, b, c, d] = [natural(9), natural(9), natural(5), natural(4)]
  const [h, w] = [natural(4), natural(3)]
  return [
    [`Add<${a}, ${b}>`, a + b],
    [`Mul<${c}, ${d}>`, c * d],
    [`Half<${a}>`, Math.floor(a / 2)],
    [`Even<${b}>`, b % 2 === 0],
    [`AtMost<${a}, ${b}>`, a <= b],
    [`AtMost<${a}, ${a}>`, true],
    [`Product<[${h}, ${w}, 3]>`, h * w * 3],
  ]
}).flat()

// The last fact is wrong, and fails the test unless the compiler reports it.
const lines = [...facts, ['Add<2, 2>', 5]].map(
  ([claim, value], i) => `export type F${i} = Holds<Equal<${claim}, ${value}>>`,
)
const prelude = `${readFileSync(join(root, 'types', 'nat.ts'), 'utf8')}
type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
type Holds<T extends true> = T
`
const first = prelude.split('\n').length
const folder = mkdtempSync(join(tmpdir(), 'diffeo-facts-'))
writeFileSync(join(folder, 'facts.ts'), prelude + lines.join('\n'))

const flags = ['--noEmit', '--strict', '--lib', 'es2023', '--pretty', 'false', 'facts.ts']
const failures = ['typescript-5.9', 'typescript', 'typescript-7'].flatMap((compiler) => {
  const tsc = join(root, 'node_modules', compiler, 'bin', 'tsc')
  const { stdout } = spawnSync(process.execPath, [tsc, ...flags], { cwd: folder, encoding: 'utf8' })
  const wrong = stdout.split(/\r?\n(?=\S)/).filter((text) => text.trim() !== '')
  const isCanary = (text) => text.startsWith(`facts.ts(${first + facts.length},`)
  const wrongFacts = wrong
    .filter((text) => !isCanary(text))
    .map((text) => {
      const line = Number(/^facts\.ts\((\d+),/.exec(text)?.[1])
      return `${compiler}: ${lines[line - first] ?? text.trim()}`
    })
  return wrong.some(isCanary) ? wrongFacts : [...wrongFacts, `${compiler}: accepts 2 + 2 = 5: ${stdout}`]
})
rmSync(folder, { recursive: true })
for (const failure of failures) console.error(failure)
console.log(`${facts.length} facts about naturals (seed ${seed}), ${failures.length} failures`)
process.exitCode = failures.length === 0 ? 0 : 1
