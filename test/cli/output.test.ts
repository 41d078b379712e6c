/** Output that nobody reads, or that a full disk refuses: every command, and a run in training. */
import { existsSync, readFileSync } from 'node:fs'
import { beforeAll, describe, expect, it } from 'vitest'
import { loadSaved } from '../../src/cli/run/folder.js'
import { readMetrics } from '../../src/cli/run/metrics.js'
import { appears, command, type Ended, main, temporary } from './support.js'

const { folder, at } = temporary('output')
const tiny = '--couplings 2 --hidden 4 --batch 8 --validation 100 --no-report'.split(' ')
const train = (out: string, ...more: readonly string[]) => ['train', 'moons', ...tiny, '--out', out, ...more]
const endless = ['--schedule', 'constant', '--minutes', '9']

/** Runs the command with a stdout whose reader has left before the first line. */
const unread = (...args: readonly string[]): Promise<Ended> =>
  command(folder, process.execPath, [main, ...args], (child) => void child.stdout?.destroy())
/** Runs it with streams that a preloaded module spoils. */
const spoilt = (code: string, ...args: readonly string[]): Promise<Ended> => {
  const preload = `data:text/javascript,${encodeURIComponent(code)}`
  return command(folder, process.execPath, ['--import', preload, main, ...args])
}
const failing = (stream: 'stdout' | 'stderr', code: string, more = '') =>
  `${more}; process.${stream}._write = (chunk, encoding, done) => done(Object.assign(new Error('${code}: write'), { code: '${code}' }))
   process.${stream}._writev = undefined`
/** Runs it with stdout, stderr or both on a full disk. */
const full = (redirect: string, ...args: readonly string[]): Promise<Ended> =>
  command(folder, '/bin/sh', ['-c', `exec "$0" "$@" ${redirect}`, process.execPath, main, ...args])

beforeAll(async () => {
  const { code, err } = await command(folder, process.execPath, [main, ...train('whole', '--steps', '20')])
  expect([code, err]).toEqual([0, ''])
})

/** Each way in which a command prints: commander's, the completion's, lines, and one document. */
const commands: readonly (readonly string[])[] = [
  ['train', '--help'],
  ['complete', 'bash'],
  ['data', 'check', 'moons'],
  ['evaluate', 'whole'],
  ['evaluate', 'whole', '--json'],
]

describe('output that nobody reads', () => {
  it.each(commands.map((args) => [args.join(' '), args] as const))('does not disturb %s', async (_, args) => {
    const { code, signal, err } = await unread(...args)
    expect([code, signal, err]).toEqual([0, null, ''])
  })
  it('does not hide an error', async () => {
    const { code, err } = await unread('evaluate', 'nothing')
    expect(code).toBe(1)
    expect(err).toMatch(/^diffeo: run nothing: expected a checkpoint.*\n$/)
  })
  it('does not keep a command from its work', async () => {
    await unread('sample', 'whole', '--to', 'drawn.png')
    expect(existsSync(at('drawn.png'))).toBe(true)
  })
  it('stops a training, which is saved and unlocked', async () => {
    const { code, err } = await unread(...train('unread', ...endless))
    expect([code, err]).toEqual([141, ''])
    expect(existsSync(at('unread/lock'))).toBe(false)
    await loadSaved(at('unread'))
    const resumed = ['train', 'moons', '--resume', '--out', 'unread', '--no-report', '--steps', '5', '--schedule']
    expect((await command(folder, process.execPath, [main, ...resumed, 'constant'])).code).toBe(0)
  })
  it('stops a training that was read for a while', async () => {
    const { code, err } = await command(folder, '/bin/bash', [
      '-c',
      'set -o pipefail; "$0" "$@" | head -2',
      process.execPath,
      main,
      ...train('while', ...endless),
    ])
    expect([code, err]).toEqual([141, ''])
    expect(existsSync(at('while/lock'))).toBe(false)
    await loadSaved(at('while'))
  })
  it('does not stop a training whose one document comes at its end', async () => {
    const { code, err } = await unread(...train('document', '--steps', '5', '--json'))
    expect([code, err]).toEqual([0, ''])
    expect((await loadSaved(at('document'))).saved.step).toBe(5)
  })
})

describe('a stream that fails', () => {
  const sentence = (code: string) => new RegExp(`^diffeo: write stdout: expected .*${code}.*\\n$`)
  it.skipIf(process.platform !== 'linux').each(commands.map((args) => [args.join(' '), args] as const))(
    'on a full disk: %s',
    async (_, args) => {
      const { code, err } = await full('>/dev/full', ...args)
      expect(code).toBe(1)
      if (args.includes('--json'))
        expect(JSON.parse(err).error).toMatchObject({ op: 'write stdout', _tag: 'FileError' })
      else expect(err).toMatch(sentence('ENOSPC'))
    },
  )
  it.skipIf(process.platform !== 'linux')('on a full disk stops a training, which is saved and unlocked', async () => {
    const { code, err } = await full('>/dev/full', ...train('full', ...endless))
    expect(code).toBe(1)
    expect(err).toMatch(sentence('ENOSPC'))
    expect(existsSync(at('full/lock'))).toBe(false)
    await loadSaved(at('full'))
  })
  it.skipIf(process.platform !== 'linux')('of errors leaves the exit code to tell', async () => {
    expect((await full('2>/dev/full', 'evaluate', 'nothing')).code).toBe(1)
    expect((await full('>/dev/full 2>/dev/full', 'evaluate', 'whole')).code).toBe(1)
    const { code, out } = await full('2>/dev/full', 'data', 'check', 'moons')
    expect([code, out.length > 0]).toEqual([0, true])
  })
  it.each(['EIO', 'EDQUOT', 'ECONNRESET'])('with %s', async (error) => {
    const { code, err } = await spoilt(failing('stdout', error), 'data', 'check', 'moons')
    expect(code).toBe(1)
    expect(err).toMatch(sentence(error))
  })
  it('because its terminal is gone: quiet, and a training ends as by SIGHUP', async () => {
    const gone = failing('stdout', 'EIO', 'process.stdout.isTTY = true')
    expect(await spoilt(gone, 'data', 'check', 'moons')).toMatchObject({ code: 0, err: '' })
    expect(await spoilt(gone, ...train('gone', ...endless))).toMatchObject({ code: 129, err: '' })
    expect(existsSync(at('gone/lock'))).toBe(false)
    await loadSaved(at('gone'))
  })
})

describe('a terminal that closes', () => {
  it.skipIf(process.platform === 'win32')('stops a training, which is saved and unlocked', async () => {
    const { code, out } = await command(
      folder,
      process.execPath,
      [main, ...train('hup', ...endless)],
      async (child) => {
        await appears(at('hup/metrics.jsonl'), '"step":10,')
        child.kill('SIGHUP')
      },
    )
    expect([code, out]).toEqual([129, expect.stringMatching(/step \d+ is saved; resume with: /)])
    expect(existsSync(at('hup/lock'))).toBe(false)
    expect((await loadSaved(at('hup'))).saved.step).toBeGreaterThanOrEqual(10)
  })
  // the shell names nohup in `_`, or the parent process ignores the signal itself
  it.skipIf(process.platform !== 'linux').each([
    ['nohup', 'nohup "$0" "$@" & wait $!'],
    ['a script under nohup', `trap '' HUP; "$0" "$@" & wait $!`],
  ])('does not stop a training under %s', async (name, script) => {
    const out = `under ${name}`
    const ended = await command(
      folder,
      '/bin/bash',
      ['-c', script, process.execPath, main, ...train(out, ...endless)],
      async () => {
        await appears(at(`${out}/metrics.jsonl`), '"step":10,')
        const { pid } = JSON.parse(readFileSync(at(`${out}/lock`), 'utf8').split('\n')[0]!)
        process.kill(pid, 'SIGHUP')
        // far more steps than a stop would take
        const { step } = (await readMetrics(at(`${out}/metrics.jsonl`))).at(-1)!
        const deadline = step + 200
        while (existsSync(at(`${out}/lock`)) && (await readMetrics(at(`${out}/metrics.jsonl`))).at(-1)!.step < deadline)
          await new Promise((next) => setTimeout(next, 20))
        expect(existsSync(at(`${out}/lock`))).toBe(true)
        process.kill(pid, 'SIGTERM')
      },
    )
    expect([ended.code, ended.out]).toEqual([143, expect.stringMatching(/step \d+ is saved; resume with: /)])
  })
})
