/**
 * Every call of the file system that a training makes, failed once: by the n-th of each kind. `npm run test:faults` goes
 * through all of them, else one of each kind is tried. After each: the exit code says what happened, in one sentence;
 * every checkpoint that is there can be read; nobody is locked out; and the run ends with the bytes of one that nothing
 * happened to.
 */
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { describeError } from 'diffeo'
import { loadCheckpoint } from 'diffeo/fp'
import * as E from 'fp-ts/lib/Either.js'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { isRun } from '../../src/cli/run/folder.js'
import { hearCalls, type Kind } from './faults.mjs'
import { diffeo, temporary } from './support.js'

vi.mock('../../src/report/plane.js', async (original) => (await import('./flat-density.js')).flatDensity(original))

const { folder, at } = temporary('faults')
afterAll(() => rmSync(folder, { recursive: true }))

const tiny = '--couplings 2 --hidden 4 --batch 8 --validation 100 --validate-every 2 --save-every 0.000001 --no-report'
const begin = (out: string) => diffeo(folder, 'train', 'moons', ...tiny.split(' '), '--steps', '4', '--out', out)
const goOn = (out: string) =>
  diffeo(folder, 'train', 'moons', '--resume', '--steps', '4', '--save-every', '0.000001', '--no-report', '--out', out)

/** What every run leaves, whose bytes are those of any other. */
const files = ['last.safetensors', 'best.safetensors', 'config.json', 'evaluation.json', 'samples.png']
const bytes = (out: string) => files.map((name) => readFileSync(at(join(out, name))).toString('base64'))

const calls = new Map<Kind, string[]>()
const fails = new Map<Kind, string>([
  ['open', 'EIO'],
  ['write', 'ENOSPC'],
  ['fsync', 'EIO'],
  ['rename', 'EACCES'],
  ['unlink', 'EROFS'],
  ['chmod', 'EIO'],
  ['mkdir', 'EIO'],
  ['close', 'EIO'],
])

/** Runs something with the calls of a kind failing that are chosen by their number, from 1. */
const faulty = async <A>(
  out: string,
  kind: Kind | undefined,
  chosen: (n: number) => boolean,
  run: () => Promise<A>,
) => {
  let n = 0
  const stop = await hearCalls((own, path) => {
    if (!path.includes(`${out}/`) && path !== out) return undefined
    if (kind === undefined) calls.set(own, [...(calls.get(own) ?? []), path])
    if (own !== kind || !chosen(++n)) return undefined
    const code = fails.get(kind)!
    return Object.assign(new Error(`${code}: injected into ${own} of ${path}`), { code })
  })
  try {
    return await run()
  } finally {
    stop()
  }
}

beforeAll(async () => {
  const { code, err } = await faulty(
    'whole',
    undefined,
    () => false,
    () => begin('whole'),
  )
  expect([code, err]).toEqual([0, ''])
})

/** What has to hold after a run that met a fault. */
const holds = async (out: string, { code, err }: { readonly code: number | null; readonly err: string }) => {
  const lines = err.split('\n').slice(0, -1)
  for (const line of lines) expect(line).toMatch(/: expected .*, got .*/)
  expect(err).not.toMatch(/\n {4}at /)
  if (code !== 0) {
    expect(code).toBe(1)
    // warnings, and one sentence
    expect(lines.filter((line) => line.startsWith('diffeo: '))).toHaveLength(1)
  }
  for (const name of ['last.safetensors', 'best.safetensors'])
    if (existsSync(at(join(out, name))))
      expect(E.match(describeError, () => 'whole')(await loadCheckpoint(at(join(out, name)))())).toBe('whole')
  const saved = /it is saved as (\S+) meanwhile/.exec(err)?.[1]
  if (saved !== undefined) rmSync(join(saved, '..'), { recursive: true })
  if (code === 0) expect(existsSync(at(join(out, 'last.safetensors')))).toBe(true)
  const again = isRun(at(out)) ? await goOn(out) : await begin(out)
  expect([again.code, again.err]).toEqual([0, ''])
  expect(bytes(out)).toEqual(bytes('whole'))
  expect(readdirSync(at(out)).filter((name) => /^lock|\.\d{7,}$/.test(name))).toEqual([])
  rmSync(at(out), { recursive: true })
}

const all = process.env['DIFFEO_FAULTS'] === 'all'
/** All numbers up to one, or the one in the middle. */
const some = (count: number): readonly number[] =>
  all ? Array.from({ length: count }, (_, i) => i + 1) : [Math.ceil(count / 2)]
const sticky = all ? [...fails.keys()] : (['write', 'rename'] as const)

describe('a training', () => {
  it('makes calls of every kind', () => {
    const counts = [...fails.keys()].map((kind) => [kind, calls.get(kind)?.length ?? 0] as const)
    for (const [kind, count] of counts)
      expect(count, kind).toBeGreaterThan(['chmod', 'mkdir', 'unlink'].includes(kind) ? 0 : 9)
  })
  it.each([...fails.keys()])('of which one call fails: %s', async (kind) => {
    for (const n of some(calls.get(kind)?.length ?? 0)) {
      const out = `${kind}${n}`
      const ended = await faulty(
        out,
        kind,
        (i) => i === n,
        () => begin(out),
      )
      await holds(out, ended).catch((thrown) => {
        throw new Error(`${kind} ${n}, ${calls.get(kind)![n - 1]}: ${ended.code} ${ended.err}`, { cause: thrown })
      })
    }
  })
  it.each(sticky)('of which all calls fail from one on: %s', async (kind) => {
    for (const n of some(calls.get(kind)?.length ?? 0)) {
      const out = `all${kind}${n}`
      const ended = await faulty(
        out,
        kind,
        (i) => i >= n,
        () => begin(out),
      )
      await holds(out, ended).catch((thrown) => {
        throw new Error(`${kind} from ${n}, ${calls.get(kind)![n - 1]}: ${ended.code} ${ended.err}`, { cause: thrown })
      })
    }
  })
})
