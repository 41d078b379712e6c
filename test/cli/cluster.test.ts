import type { ChildProcess } from 'node:child_process'
import { existsSync, rmSync } from 'node:fs'
import { loadCheckpoint } from 'diffeo/train'
import { afterAll, describe, expect, it } from 'vitest'
import type { Workers } from '../../src/backends/tensorflow/workers.js'
import { defaultRecipe, RunConfig } from '../../src/cli/run/config.js'
import { type ClusterFlags, clusterSpec, refusePublic, sameConfig } from '../../src/cli/training/cluster.js'
import { addresses } from '../backends/tensorflow/addresses.js'
import { appears, command, endOf, main, temporary } from './support.js'

const { folder, at } = temporary('cluster')
afterAll(() => {
  rmSync(folder, { recursive: true })
})

describe('the workers that train together', () => {
  const flags = (more: Partial<ClusterFlags>): ClusterFlags => ({ engine: 'auto', ...more })
  const two = ['10.0.0.1:2222', '[::1]:2222']
  const config = (type: string, index: number, cluster: object = { chief: ['a:1'], worker: ['b:1', 'c:1'] }) => ({
    TF_CONFIG: JSON.stringify({ cluster, task: { type, index } }),
  })
  it.each<readonly [string, Partial<ClusterFlags>, NodeJS.ProcessEnv, unknown]>([
    ['by flags', { workers: two, worker: 1 }, config('worker', 0), { addresses: two, index: 1, timeout: 600 }],
    [
      'by TF_CONFIG',
      { workerTimeout: 60 },
      config('worker', 1),
      { addresses: ['a:1', 'b:1', 'c:1'], index: 2, timeout: 60 },
    ],
    ['its chief first', {}, config('chief', 0), { addresses: ['a:1', 'b:1', 'c:1'], index: 0, timeout: 600 }],
    ['nobody else', {}, {}, undefined],
    ['a list of one', { workers: ['a:1'], worker: 0 }, {}, undefined],
    ['one alone', {}, config('worker', 0, { worker: ['a:1'] }), undefined],
  ])('are named %s', (_, given, env, expected) => {
    expect(clusterSpec(flags(given), env)).toEqual(expected)
  })
  it.each<readonly [Partial<ClusterFlags>, NodeJS.ProcessEnv, string]>([
    [{ worker: 0 }, {}, '--worker: expected the addresses of all workers too, got none'],
    [{ workers: ['a:1'], worker: 1 }, {}, '--worker: expected the number of this worker, 0 to 0, got 1'],
    [{ workers: two }, {}, '--worker: expected the number of this worker, 0 to 1, got none'],
    [{ workers: two, worker: 2 }, {}, '--worker: expected the number of this worker, 0 to 1, got 2'],
    [
      { workers: ['a:1', 'a:1'], worker: 0 },
      {},
      "--workers: expected distinct addresses host:port, separated by commas, got 'a:1'",
    ],
    [{ workers: ['a:1', 'b'], worker: 0 }, {}, "got 'b'"],
    [{ workers: ['a:1', 'b:0'], worker: 0 }, {}, "got 'b:0'"],
    [{ workers: ['a:1', 'b:65536'], worker: 0 }, {}, "got 'b:65536'"],
    [{ workers: ['a:1', 'b\x1b[31m:1'], worker: 0 }, {}, "got 'b\\x1b[31m:1'"],
    [{ workers: two, worker: 0, engine: 'wasm' }, {}, "--workers: expected the engine tensorflow, got 'wasm'"],
    [{}, { TF_CONFIG: 'x' }, 'TF_CONFIG: expected JSON'],
    [{}, config('ps', 0), 'TF_CONFIG'],
    [{}, config('worker', 7), '--worker: expected the number of this worker, 0 to 2, got 8'],
  ])('are refused: %j', (given, env, sentence) => {
    expect(() => clusterSpec(flags(given), env)).toThrow(sentence)
  })
})

describe('an address that anybody may reach', () => {
  const refusal = (...addresses: readonly string[]) => endOf(refusePublic({ addresses }).then(() => 'allowed'))
  it.each(['8.8.8.8:2222', '0.0.0.0:2222', '[2001:4860::8888]:2222', '[::]:2222', '[::ffff:8.8.8.8]:2222'])(
    'is refused: %s',
    async (address) => {
      expect(await refusal('10.0.0.1:2222', address)).toMatch(
        /^--workers: expected addresses of a private network, got .*; use private addresses; add --insecure-public if .* can read and write files as you$/,
      )
    },
  )
  it('is not refused: a private one, the loopback, or a name that is known elsewhere', async () => {
    expect(await refusal('10.0.0.1:2222', '192.168.1.1:1', '[fd00::1]:1', 'localhost:1')).toBe('allowed')
    expect(await refusal('no-such-host.invalid:1')).toBe('allowed')
  })
  it('is refused before a server listens, unless the flag says so', async () => {
    const args = [main, 'train', 'moons', '--out', 'public', '--workers', '8.8.8.8:1,10.0.0.1:1', '--worker', '0']
    const { code, err } = await command(folder, process.execPath, args)
    expect([code, err]).toEqual([1, expect.stringContaining('got the public 8.8.8.8:1; use private addresses')])
  })
})

describe('a configuration', () => {
  const config = (more: Partial<RunConfig> = {}): RunConfig => ({
    data: { name: 'folder', folder: 'here' },
    contents: { train: 14, validation: 4, test: 2, digest: 'abc' },
    shape: [16, 16, 3],
    model: { name: 'file', path: 'my-flow.ts' },
    recipe: { ...defaultRecipe([16, 16, 3]), steps: 10 },
    ...more,
  })
  /** What worker 1 hears of worker 0, and says. */
  const compared = async (chief: RunConfig, own: RunConfig) => {
    const said: number[] = []
    const workers = {
      index: 1,
      count: 2,
      share: async () => Buffer.from(JSON.stringify(chief)),
      gather: async (n: number) => {
        said.push(n)
        return [1, n]
      },
    } as unknown as Workers
    return [await endOf(sameConfig(workers, own).then(() => 'the same')), ...said]
  }
  it('is the same on all workers, wherever the data and the model of a file lie', async () => {
    const elsewhere = {
      data: { name: 'folder', folder: 'there' },
      model: { name: 'file', path: '/own/my-flow.ts' },
    } as const
    expect(await compared(config(), config(elsewhere))).toEqual(['the same', 1])
  })
  it.each<readonly [string, Partial<RunConfig>]>([
    ['contents', { contents: { train: 14, validation: 4, test: 2, digest: 'abd' } }],
    ['model', { model: { name: 'file', path: 'other.ts' } }],
    ['steps', { recipe: { ...config().recipe, steps: 11 } }],
  ])('is refused by name of what differs: %s', async (name, more) => {
    const [sentence, said] = await compared(config(), config(more))
    expect(sentence).toMatch(new RegExp(`^worker 1: expected ${name} .*, as worker 0 has it, got `))
    expect(said).toBe(0)
  })
})

/** The second test command names the engine; without the library there is nothing to run. */
describe.runIf(process.env['DIFFEO_TEST_ENGINE'] === 'tensorflow')('a run of two workers', () => {
  const run = (list: readonly string[], during: (children: readonly ChildProcess[]) => void, ...flags: string[]) => {
    const children: ChildProcess[] = []
    const own = (i: number) => [main, 'train', 'moons', ...flags, '--workers', list.join(), '--worker', `${i}`]
    const ended = list.map((_, i) =>
      command(folder, process.execPath, own(i), (child) => {
        children[i] = child
      }),
    )
    during(children)
    return Promise.all(ended)
  }
  const learns = (out: string) => appears(at(`${out}/metrics.jsonl`), '"step":20')
  const small = ['--hidden', '8', '--batch', '32', '--schedule', 'constant', '--validation', '100']
  const stepOf = async (out: string): Promise<number> =>
    (await loadCheckpoint(at(`${out}/last.safetensors`), RunConfig)).step

  it('ends when one dies, with everything saved, and goes on from there', async () => {
    const [chief] = await run(
      await addresses(2),
      (children) => void learns('dead').then(() => children[1]!.kill('SIGKILL')),
      ...[...small, '--steps', '1000000', '--out', 'dead'],
    )
    expect(chief!.code).toBe(1)
    expect(chief!.err).toMatch(
      /^diffeo: workers: expected all 2 to go on, got none of worker 1 \(127.0.0.1:\d+\); .*--resume\n$/,
    )
    const step = await stepOf('dead')
    expect(step).toBeGreaterThanOrEqual(20)
    const more = ['--resume', '--steps', `${step + 5}`, '--out', 'dead', '--json', '--no-report']
    const again = await run(await addresses(2), () => {}, ...more)
    expect(again.map(({ code }) => code)).toEqual([0, 0])
    expect(again.map(({ out }) => JSON.parse(out))).toMatchObject([
      { run: 'dead', step: step + 5 },
      { worker: 1, step: step + 5 },
    ])
    expect(await stepOf('dead')).toBe(step + 5)
  }, 240_000)
  it('ends at once at a second signal, though its step waits for one that fell silent', async () => {
    const [chief] = await run(
      await addresses(2),
      ([own, other]) => {
        own!.once('close', () => other!.kill('SIGKILL'))
        own!.stderr!.once('data', () => own!.kill('SIGINT'))
        void learns('silent').then(() => {
          other!.kill('SIGSTOP')
          own!.kill('SIGINT')
        })
      },
      ...[...small, '--steps', '1000000', '--out', 'silent'],
    )
    expect([chief!.code, chief!.signal]).toEqual([130, null])
    expect(existsSync(at('silent/lock'))).toBe(false)
  }, 120_000)
  it('ends on all when one is asked to', async () => {
    const ended = await run(
      await addresses(2),
      (children) => void learns('asked').then(() => children[1]!.kill('SIGINT')),
      ...[...small, '--minutes', '9', '--out', 'asked'],
    )
    expect(ended.map(({ code }) => code)).toEqual([130, 130])
    expect(ended[0]!.out).toMatch(
      /is saved; resume with: npx diffeo train moons --resume --out asked --workers 127.0.0.1:\d+,127.0.0.1:\d+ --worker 0 --minutes 9\n/,
    )
    // it stopped, and did not finish
    expect(existsSync(at('asked/evaluation.json'))).toBe(false)
  }, 120_000)
  it('is refused where they were told different things', async () => {
    const list = await addresses(2)
    const own = (i: number, batch: string) =>
      command(folder, process.execPath, [
        main,
        'train',
        'moons',
        '--out',
        'other',
        '--batch',
        batch,
        '--workers',
        list.join(),
        '--worker',
        `${i}`,
      ])
    const [chief, other] = await Promise.all([own(0, '32'), own(1, '64')])
    expect([chief.code, other.code]).toEqual([1, 1])
    expect(chief.err).toContain('workers: expected the same configuration on all, got another on worker 1')
    expect(other.err).toContain(
      'worker 1: expected batch 32, as worker 0 has it, got 64; start all workers with the same flags',
    )
  }, 120_000)
})
