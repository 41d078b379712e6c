/** The lock of a run's folder: no two living runs, whatever their clocks and process numbers, and none of the dead. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { type TrainFlags, train } from '../../src/cli/commands/train.js'
import { loadFlock } from '../../src/cli/run/flock.js'
import { type LockOptions, lockFolder } from '../../src/cli/run/lock.js'
import { hearCalls } from './faults.mjs'
import { endOf, ioOf, temporary } from './support.js'

const { folder, at } = temporary('lock')
const children: ChildProcess[] = []
afterAll(() => {
  for (const child of children) child.kill('SIGKILL')
  rmSync(folder, { recursive: true })
})

const run = (name: string): string => {
  mkdirSync(at(name), { recursive: true })
  return at(name)
}
const lockOf = (of: string) => readFileSync(join(of, 'lock'), 'utf8')
/** Without the kernel's lock. */
const noFlock = () => undefined
const hasFlock = process.platform !== 'win32'
/** For ever, as far as a test can wait. */
const forever: LockOptions = { watch: 1e9 }
const quick: LockOptions = { beat: 20, watch: 600 }
const tried = (of: string, options: LockOptions = forever) =>
  endOf(
    lockFolder(of, options).then((lock) => {
      lock.release()
      return 'taken'
    }),
  )
const refused = expect.stringMatching(/^train in .*: expected a folder that no other run uses, got process \d+/)

/** A process that takes a lock and keeps it: what it said first. `before` are words before the program's. */
const other = async (
  of: string,
  {
    flock = true,
    before = [],
    code = '',
    options = quick,
  }: {
    readonly flock?: boolean
    readonly before?: readonly string[]
    readonly code?: string
    readonly options?: LockOptions
  } = {},
) => {
  const script = `${code}
    const { lockFolder } = await import(${JSON.stringify(resolve('dist/src/cli/run/lock.js'))})
    const options = ${JSON.stringify(options)}
    try {
      await lockFolder(${JSON.stringify(of)}, ${flock ? 'options' : '{ ...options, flock: () => undefined }'})
      process.stdout.write('taken')
      setInterval(() => undefined, 1000)
    } catch (thrown) {
      process.stdout.write(thrown.error.got)
    }`
  const [program, ...args] = [...before, process.execPath, '--input-type=module', '-e', script]
  const child = spawn(program!, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  children.push(child)
  // a process that ends without a word is an error of the test, not an endless wait
  const [said] = await Promise.race([
    once(child.stdout!, 'data'),
    once(child, 'close').then(([code]) => {
      throw new Error(`the other process ended with code ${code} before it said anything`)
    }),
  ])
  const kill = async () => {
    const closed = once(child, 'close')
    child.kill('SIGKILL')
    await closed
  }
  return { said: String(said), kill }
}
const process2 = expect.stringMatching(/^process \d+/)

const container = ['unshare', '--pid', '--fork', '--kill-child', '--mount-proc']
const hasContainers =
  process.platform === 'linux' && spawnSync(container[0]!, [...container.slice(1), 'true']).status === 0

describe('a living holder keeps its lock', () => {
  it.each([
    ['with', true],
    ['without', false],
  ])('from another process, %s the kernel’s lock', async (name, flock) => {
    const of = run(`living ${name}`)
    const holder = await other(of, { flock })
    expect(holder.said).toBe('taken')
    expect(await tried(of)).toEqual(refused)
    expect((await other(of, { flock })).said).toEqual(process2)
    await holder.kill()
    // seen at once, without watching
    expect(await tried(of)).toBe('taken')
  })
  it.each([40, -40])('from one whose clock is %d days off, whatever the dates of the file', async (days) => {
    const of = run(`clock ${days}`)
    const code = `const { now } = Date; Date.now = () => now() + ${days * 864e5};
      Date = class extends Date { constructor(...args) { super(...(args.length > 0 ? args : [Date.now()])) } };`
    for (const flock of [true, false]) {
      const holder = await other(of, { flock })
      for (const date of [1, Date.now() / 1000 + 1e8]) {
        utimesSync(join(of, 'lock'), date, date)
        expect((await other(of, { code, flock })).said).toEqual(process2)
      }
      await holder.kill()
    }
    const ahead = await other(of, { code })
    expect([ahead.said, await tried(of)]).toEqual(['taken', refused])
    await ahead.kill()
  })
  it.skipIf(!hasContainers)('from another container of the same host name and process numbers', async () => {
    const of = run('containers')
    for (const flock of [true, false]) {
      const holder = await other(of, { before: container, flock })
      expect(holder.said).toBe('taken')
      // both are process 1 of their own
      expect((await other(of, { before: container, flock })).said).toEqual(process2)
      expect(await tried(of, quick)).toEqual(refused)
      const before = lockOf(of)
      expect(JSON.parse(before.split('\n')[0]!).pid).toBe(1)
      await holder.kill()
      // the kernel knows at once; without it, a beat that stopped is watched
      expect((await other(of, { before: container, flock, options: flock ? forever : quick })).said).toBe('taken')
      rmSync(join(of, 'lock'))
    }
  })
})

describe('the lock of another machine or boot', () => {
  const elsewhere = (): string => {
    const holder = {
      ...{ token: 'other', pid: process.pid, host: 'elsewhere', boot: 'another', space: '', start: '', flock: true },
    }
    return `${JSON.stringify(holder)}\n${'0'.repeat(12)}`
  }
  it('is believed while its beat changes', async () => {
    const of = run('beating')
    let beat = 0
    const write = () => writeFileSync(join(of, 'lock'), `${elsewhere()}${beat++}`)
    write()
    const timer = setInterval(write, 5)
    const said: string[] = []
    const got = await tried(of, { ...forever, say: (line) => said.push(line) })
    clearInterval(timer)
    expect(got).toContain(`got process ${process.pid} on elsewhere; choose another folder`)
    expect(said).toEqual([
      `${join(of, 'lock')} names process ${process.pid} on elsewhere; watching whether it is alive …`,
    ])
  })
  it.each([
    ['is taken over when its beat stopped', elsewhere()],
    ['that says nothing is taken over', ''],
    ['that is no lock is taken over', 'not a lock'],
    ['of the first version is taken over', JSON.stringify({ pid: 1, host: 'here', since: 1e15 })],
  ])('%s', async (name, text) => {
    const of = run(name)
    writeFileSync(join(of, 'lock'), text)
    expect(await tried(of, { watch: 100 })).toBe('taken')
    expect(readdirSync(of)).toEqual([])
  })
})

describe('a process number that is used again', () => {
  it('is no holder', async () => {
    const of = run('again')
    const lock = await lockFolder(of, { flock: noFlock })
    const [line = ''] = lockOf(of).split('\n')
    const holder = JSON.parse(line)
    lock.release()
    for (const more of [
      // its own number, of a run that ended
      { token: 'ended' },
      // another process that lives, and did not then
      ...(process.platform === 'linux' ? [{ token: 'ended', pid: process.ppid, start: '1' }] : []),
    ]) {
      writeFileSync(join(of, 'lock'), `${JSON.stringify({ ...holder, ...more })}\n0`)
      expect(await tried(of, { ...forever, flock: noFlock })).toBe('taken')
    }
  })
})

describe('a holder', () => {
  it('writes a beat', async () => {
    const of = run('beat')
    const lock = await lockFolder(of, quick)
    const first = lockOf(of)
    while (lockOf(of) === first) await new Promise((next) => setTimeout(next, 5))
    lock.release()
    expect(existsSync(join(of, 'lock'))).toBe(false)
  })
  it.each([
    ['another’s', (path: string) => writeFileSync(path, 'another’s')],
    ['none', (path: string) => rmSync(path)],
  ])('whose lock is %s hears of it, and leaves what is there', async (name, change) => {
    const of = run(`foreign ${name}`)
    const lock = await lockFolder(of, quick)
    expect(lock.isHeld()).toBe(true)
    change(join(of, 'lock'))
    expect(lock.isHeld()).toBe(false)
    if (!lock.lost.aborted) await once(lock.lost, 'abort')
    const before = readdirSync(of)
    lock.release()
    expect(readdirSync(of)).toEqual(before)
  })
  it('gives back without a throw on a disk that turned read-only, and nobody is locked out', async () => {
    const of = run('release')
    const lock = await lockFolder(of)
    const stop = await hearCalls((kind, path) =>
      kind === 'unlink' && path.startsWith(of) ? Object.assign(new Error('EROFS'), { code: 'EROFS' }) : undefined,
    )
    lock.release()
    stop()
    expect(existsSync(join(of, 'lock'))).toBe(true)
    expect(await tried(of)).toBe('taken')
  })
  it.skipIf(!hasFlock)('has the kernel’s lock where koffi is there', async () => {
    const of = run('kernel')
    const lock = await lockFolder(of)
    expect(JSON.parse(lockOf(of).split('\n')[0]!).flock).toBe((await loadFlock()).name !== 'none')
    lock.release()
  })
})

describe('a training whose lock another run took', () => {
  const flags: TrainFlags = {
    ...{ couplings: 2, hidden: [4], batch: 8, validation: 100, validateEvery: 10, steps: 20, saveEvery: 1e-3 },
    ...{ resume: false, report: false, engine: 'auto' },
  }
  it('writes no checkpoint over that run’s, and is saved elsewhere', async () => {
    const out = at('taken')
    const said: string[] = []
    const io = ioOf(said)
    const theirs = ['last.safetensors', 'best.safetensors'].map((name) => join(out, name))
    const say = (line: string) => {
      if (!line.startsWith('compiled')) return
      writeFileSync(join(out, 'lock'), 'theirs')
      for (const path of theirs) writeFileSync(path, 'theirs')
    }
    const sentence = await endOf(train('moons', { ...flags, out }, { ...io, say }))
    expect(sentence).toMatch(/^train in .*taken: expected a folder that no other run uses, got another process; /)
    const saved = /it is saved as (\S+) meanwhile: move it and best.safetensors beside it there/.exec(sentence)?.[1]
    expect(existsSync(saved!)).toBe(true)
    rmSync(resolve(saved!, '..'), { recursive: true })
    for (const path of [...theirs, join(out, 'lock')]) expect(readFileSync(path, 'utf8')).toBe('theirs')
  })
})
