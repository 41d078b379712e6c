import { createServer } from 'node:net'
import { resolve } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { command, started } from '../../cli/support.js'
import { addresses } from './addresses.js'

/** The second test command names the engine; without the library there is nothing to run. */
const hasLibrary = process.env['DIFFEO_TEST_ENGINE'] === 'tensorflow'

interface Told {
  readonly bits: readonly number[]
  /** What the loss was scaled with, in fp16. */
  readonly factors: readonly number[]
  readonly before: readonly (readonly number[])[]
  readonly after: readonly (readonly number[])[]
  readonly told?: string
  readonly said?: readonly number[]
}

const worker = async (index: number, list: readonly string[], ...more: readonly string[]): Promise<Told> => {
  const script = resolve('test/backends/tensorflow/worker.mjs')
  const { code, out, err } = await command(process.cwd(), process.execPath, [script, `${index}`, list.join(), ...more])
  expect([code, err.includes('diffeo:')], err).toEqual([0, false])
  return JSON.parse(out) as Told
}

const apart = (a: readonly number[], b: readonly number[]): number => Math.max(...a.map((v, i) => Math.abs(v - b[i]!)))

describe.runIf(hasLibrary)('several workers', () => {
  let alone: Told
  beforeAll(async () => {
    alone = await worker(0, [])
  }, 120_000)
  it.each([2, 4])(
    '%i of them train as one does, and all have the same bits',
    async (n) => {
      const list = await addresses(n)
      const all = await Promise.all(list.map((_, i) => worker(i, list)))
      const [chief] = all
      for (const { bits, after } of all) expect({ bits, after }).toEqual({ bits: chief!.bits, after: chief!.after })
      expect(apart(chief!.bits, alone.bits)).toBeLessThan(1e-4)
      expect(apart(chief!.before.flat(), alone.before.flat())).toBeLessThan(1e-5)
      expect(apart(chief!.after.flat(), alone.after.flat())).toBeLessThan(1e-4)
      // something was learned
      expect(apart(alone.after.flat(), alone.before.flat())).toBeGreaterThan(1e-2)
      for (const { told, said } of all) {
        expect(told).toBe('from worker 0')
        expect(said).toEqual(list.map((_, i) => 100 + i))
      }
    },
    240_000,
  )
  /** What all of two workers told, who have to agree to the bit. */
  const two = async (...more: readonly string[]): Promise<Told> => {
    const list = await addresses(2)
    const [chief, other] = (await Promise.all(list.map((_, i) => worker(i, list, ...more)))) as [Told, Told]
    expect(other).toMatchObject({ bits: chief.bits, factors: chief.factors, after: chief.after })
    return chief
  }
  it.each([
    ['bf16', 0.01],
    ['fp16', 0.001],
  ] as const)(
    'have the same bits in %s too, and scale the loss alike',
    async (precision, most) => {
      const { bits, factors } = await two(precision)
      const density = (all: readonly number[]) => all.filter((_, i) => i % 2 === 0)
      // by as much as halves are from float32
      expect(apart(density(bits), density(alone.bits))).toBeLessThan(most * density(alone.bits)[0]!)
      if (precision === 'bf16') return
      // it began where everything overflows, and grows until something does again
      expect(Math.max(...factors)).toBeLessThan(2 ** 40)
      expect(factors.some((factor, i) => factor < (factors[i - 1] ?? 0))).toBe(true)
      expect(factors.some((factor, i) => factor > (factors[i - 1] ?? factor))).toBe(true)
    },
    240_000,
  )
  it('take a step again on all if the gradients of one alone overflow', async () => {
    const [mild, wild] = [await worker(0, [], 'fp16', 'mild,mild'), await worker(0, [], 'fp16', 'wild,wild')]
    const start = 2 ** 14
    expect(mild.factors[0]).toBe(start)
    expect(wild.factors[0]).toBeLessThan(start)
    const { factors, after } = await two('fp16', 'mild,wild')
    expect(factors[0]).toBeLessThan(start)
    expect(after.flat().every(Number.isFinite)).toBe(true)
  }, 240_000)
  it('say who does not start, and whose port is taken', async () => {
    const list = await addresses(2)
    const flags = ['train', 'moons', '--workers', list.join(), '--worker', '0', '--worker-timeout', '1']
    // a server of TensorFlow listens until its process ends
    const { code, err } = await started('/', ...flags)
    expect(code).toBe(1)
    expect(err).toContain(
      `workers: expected all 2 to start within 1 s, got nothing at ${list[1]}, where worker 1 should be`,
    )
    const server = createServer()
    await new Promise<void>((done) => server.listen(Number(list[0]!.split(':')[1]), '0.0.0.0', done))
    const taken = await started('/', ...flags)
    server.close()
    expect(taken.code).toBe(1)
    expect(taken.err).toContain(`a port to listen on`)
  }, 120_000)
})
