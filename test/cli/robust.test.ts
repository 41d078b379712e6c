/**
 * What can go wrong while a run trains, and what may lie in its folder afterwards. After each: what was saved is there,
 * the sentence says what to do, and the run goes on to the bytes of one that nothing happened to.
 */
import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describeError, key } from 'diffeo'
import { asError, decodeSafetensors, orThrow } from 'diffeo/fp'
import { uniformArray } from 'diffeo/tensor'
import { encodeSafetensors, loadCheckpoint, type Safetensors } from 'diffeo/train'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { evaluateRun } from '../../src/cli/commands/evaluate.js'
import { type TrainFlags, train } from '../../src/cli/commands/train.js'
import { quoted } from '../../src/cli/flags.js'
import { RunConfig } from '../../src/cli/run/config.js'
import { decodeConfig, isRun, loadSaved } from '../../src/cli/run/folder.js'
import { lockFolder } from '../../src/cli/run/lock.js'
import { readMetrics } from '../../src/cli/run/metrics.js'
import { modelOf } from '../../src/cli/run/model.js'
import type { Io } from '../../src/cli/terminal/console.js'
import { killedAt, killedUpon } from './faults.mjs'
import { appears, command, diffeo, endOf, ioOf, main, temporary } from './support.js'

vi.mock('../../src/report/plane.js', async (original) => (await import('./flat-density.js')).flatDensity(original))

const { folder, at } = temporary('robust')
afterAll(() => rmSync(folder, { recursive: true }))

const STEPS = 60
const tiny = { couplings: 2, hidden: [4], batch: 8, validation: 100, validateEvery: 10 } as const
const flags: TrainFlags = { ...tiny, steps: STEPS, saveEvery: 30, resume: false, report: false, engine: 'auto' }
const asArguments = Object.entries(tiny).flatMap(([name, value]) => [
  `--${name.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)}`,
  `${value}`,
])

/** In this process: how it ended, and what was said. */
const ran = async (out: string, more: Partial<TrainFlags> = {}, data = 'moons') => {
  const said: string[] = []
  const ended = await endOf(train(data, { ...flags, out, ...more }, ioOf(said)))
  return { said: said.join('\n'), ended }
}
const evaluated = async (out: string, more: { readonly model?: string } = {}) => {
  const said: string[] = []
  const ended = await endOf(evaluateRun(out, { engine: 'auto', ...more }, ioOf(said)))
  return { said: said.join('\n'), ended }
}
/** In a process of its own, which can be stopped; `node` are flags of Node's. */
const started = (
  out: string,
  during: Parameters<typeof command>[3],
  more: readonly string[] = [],
  node: readonly string[] = [],
) =>
  command(
    folder,
    process.execPath,
    [...node, main, 'train', 'moons', '--no-report', '--out', out, ...asArguments, ...more],
    during,
  )

const last = (run: string) => readFileSync(join(run, 'last.safetensors'))
const sameAsWhole = (run: string) => expect(last(run).equals(last(at('whole')))).toBe(true)
const copy = (name: string): string => {
  cpSync(at('whole'), at(name), { recursive: true })
  return at(name)
}
/** The run before its last steps, as it lay there when it was stopped. */
const half = (name: string): string => {
  cpSync(at('half'), at(name), { recursive: true })
  return at(name)
}

beforeAll(async () => {
  expect((await ran(at('whole'))).ended).toBe('done')
  // stopped at once, then at step 40: the schedule stays that of 60 steps
  const stop = AbortSignal.abort()
  expect(await train('moons', { ...flags, out: at('half') }, ioOf([], [], stop))).toBe('stopped')
  expect((await ran(at('half'), { resume: true, steps: 40 })).ended).toBe('done')
})

const { steps: _, ...going } = flags
/** Goes on to the end. */
const resumed = async (run: string, more: Partial<TrainFlags> = {}, data = 'moons') => {
  const said: string[] = []
  const ended = await endOf(train(data, { ...going, out: run, resume: true, ...more }, ioOf(said)))
  return { said: said.join('\n'), ended }
}

describe('a run goes on to the bytes of one that never stopped after', () => {
  it('a stop', async () => {
    expect((await resumed(half('stopped'))).ended).toBe('done')
    sameAsWhole(at('stopped'))
  })
  it('a stop before its minutes were turned into steps, and one after', async () => {
    const run = at('timed')
    const timed = { ...going, validateEvery: 100, out: run }
    const stopped = async (more: Partial<TrainFlags>, signal: AbortSignal, heard: (step: number) => void) => {
      const said: string[] = []
      const progress: Io['progress'] = () => ({ update: (_, { step } = {}) => heard(Number(step)), stop: () => {} })
      const ended = train('moons', { ...timed, minutes: 0.03, ...more }, { ...ioOf(said, [], signal), progress })
      expect(await ended).toBe('stopped')
      return said.at(-1)
    }
    const line = (step: number, more: string) =>
      `step ${step} is saved; resume with: npx diffeo train moons --resume --out ${quoted(run)}${more}`
    expect(await stopped({}, AbortSignal.abort(), () => {})).toBe(line(0, ' --minutes 0.03'))
    // everything takes a millisecond, on any machine
    let now = 0
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => now++)
    const middle = new AbortController()
    const said = await stopped({ resume: true }, middle.signal, (step) => void (step >= 150 && middle.abort()))
    clock.mockRestore()
    const { step, config } = (await loadSaved(run)).saved
    expect(said).toBe(line(step, ''))
    expect(config.recipe.steps).toBeGreaterThan(step + 100)
    const again = { config: join(run, 'config.json'), out: at('timed again') }
    for (const how of [{ resume: true }, again])
      expect(await train('moons', { ...timed, ...how }, ioOf([]))).toBe('done')
    expect((await loadSaved(run)).saved.step).toBe(config.recipe.steps)
    for (const name of ['last.safetensors', 'best.safetensors', 'config.json', 'evaluation.json'])
      expect(readFileSync(join(run, name)).equals(readFileSync(at(`timed again/${name}`))), name).toBe(true)
  })
  it('SIGTERM', async () => {
    // without an end, so that the signal comes before it
    const endless = ['--schedule', 'constant', '--minutes', '9']
    const { code, out } = await started(
      'term',
      async (child) => {
        await appears(at('term/metrics.jsonl'), '"step":10,')
        child.kill('SIGTERM')
      },
      endless,
    )
    expect(code).toBe(143)
    expect(out).toMatch(/step \d+ is saved; resume with: npx diffeo train moons --resume --out term/)
    const step = (await loadSaved(at('term'))).saved.step
    expect(out).toContain(`step ${step} is saved`)
    const more = { schedule: 'constant', steps: step + 15 } as const
    expect([await resumed(at('term'), more), await ran(at('never'), more)]).toMatchObject([
      { ended: 'done' },
      { ended: 'done' },
    ])
    for (const name of ['last.safetensors', 'best.safetensors', 'config.json', 'evaluation.json'])
      expect(readFileSync(at(`term/${name}`)).equals(readFileSync(at(`never/${name}`)))).toBe(true)
  })
  it('kill -9 while it compiles, while it saves, at moments drawn by a seed, and while it is tested', async () => {
    /** Ends the process, as a power cut would, at a call or a line of its own. */
    const killed = async (node: readonly string[]) => {
      const goOn = isRun(at('killed')) ? ['--resume'] : []
      const more = [...goOn, '--save-every', '0.001', '--steps', `${STEPS}`]
      expect((await started('killed', () => undefined, more, node)).signal).toBe('SIGKILL')
    }
    const begun = () => readdirSync(at('killed')).filter((name) => /safetensors\.\d+$/.test(name))
    await killed(killedUpon('compiling'))
    expect((await loadSaved(at('killed'))).saved.step).toBe(0)
    // written to the end under another name, and not yet there
    await killed(killedAt('rename', 'last.safetensors', 10))
    expect(begun()).toHaveLength(1)
    expect(existsSync(at('killed/lock'))).toBe(true)
    // of about eight calls for each checkpoint
    for (const moment of uniformArray(key(6), 2)) {
      await killed(killedAt(undefined, 'killed/', 30 + Math.floor(90 * moment)))
      await loadSaved(at('killed'))
    }
    expect((await loadSaved(at('killed'))).saved.step).toBeLessThan(STEPS)
    await killed(killedUpon(`step ${STEPS} is saved`))
    expect(begun()).toEqual([])
    sameAsWhole(at('killed'))
    const lines = await readMetrics(at('killed/metrics.jsonl'))
    expect(lines.map((line) => line.step)).toEqual([10, 10, 20, 20, 30, 30, 40, 40, 50, 50, 60, 60])
    expect((await evaluated(at('killed'))).ended).toBe('done')
    expect(readFileSync(at('killed/evaluation.json')).equals(readFileSync(at('whole/evaluation.json')))).toBe(true)
  })
  it('a checkpoint cut short, from the other one, and says so', async () => {
    const run = half('cut')
    const good = last(run)
    writeFileSync(join(run, 'last.safetensors'), good.subarray(0, good.length / 2))
    const { said, ended } = await resumed(run)
    expect(said).toMatch(/last\.safetensors: expected .*\ninstead: .*best\.safetensors, step \d+/)
    expect(ended).toBe('done')
    sameAsWhole(run)
    expect(readFileSync(join(run, 'last.safetensors.damaged')).length).toBe(Math.floor(good.length / 2))
  })
  it('a bit of a checkpoint that changed on the disk, from the other one, and says so', async () => {
    const run = half('bit')
    const bytes = Buffer.from(last(run))
    bytes[bytes.length - 100]! ^= 1
    writeFileSync(join(run, 'last.safetensors'), bytes)
    const { said, ended } = await resumed(run)
    expect(said).toMatch(
      /last\.safetensors: expected what was saved, by its SHA-256, got other contents; .*\ninstead: .*best\.safetensors, step \d+/,
    )
    expect(ended).toBe('done')
    sameAsWhole(run)
    expect(readFileSync(join(run, 'last.safetensors.damaged')).equals(bytes)).toBe(true)
  })
  it('metrics torn in the middle of a line', async () => {
    const run = half('torn')
    const path = join(run, 'metrics.jsonl')
    writeFileSync(path, `${readFileSync(path)}{"step":50,"ti`)
    expect((await resumed(run)).ended).toBe('done')
    expect(
      readFileSync(path, 'utf8')
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line).step),
    ).toEqual([10, 10, 20, 20, 30, 30, 40, 40, 50, 50, 60, 60])
  })
})

// -------------------------------------------------------------------------------------
// disks
// -------------------------------------------------------------------------------------

const mounted: string[] = []
const mount = (name: string, size: string): string | undefined => {
  const path = at(name)
  mkdirSync(path)
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', path]).status !== 0) return undefined
  mounted.push(path)
  return path
}
afterAll(() => {
  for (const path of mounted) spawnSync('umount', [path])
})
const mountable =
  process.platform === 'linux' && process.getuid?.() === 0 && spawnSync('mount', ['--version']).status === 0

describe('a disk', () => {
  it.skipIf(!mountable)(
    'that fills up while a run trains: it says so, trains on, and saves elsewhere',
    async (context) => {
      const disk = mount('disk', '256k')
      if (disk === undefined) return context.skip()
      const run = join(disk, 'run')
      cpSync(at('half'), run, { recursive: true, filter: (path) => !/[.]png|evaluation/.test(path) })
      const before = last(run)
      const open = (await loadSaved(run)).saved.step
      expect(open).toBe(40)
      // full from the moment that training begins
      const said: string[] = []
      const io = ioOf(said)
      const fill = () => {
        for (const size of [65536, 4096, 1])
          try {
            for (let i = 0; ; i++) writeFileSync(join(disk, `fill-${size}-${i}`), Buffer.alloc(size))
          } catch {}
      }
      const say = (line: string) => {
        said.push(line)
        if (line.startsWith('compiled')) fill()
      }
      const sentence = await endOf(train('moons', { ...going, out: run, resume: true }, { ...io, say }))
      expect(said.join('\n')).toContain('expected room on the disk, got a full disk (ENOSPC)')
      expect(said.join('\n')).toContain('(training continues and retries)')
      const refuge = /it is saved as (\S+) meanwhile/.exec(sentence)?.[1]
      expect(sentence).toContain('free some space')
      // whole: what was there, or a later one, and what was trained
      expect(last(run).equals(before)).toBe(true)
      expect(readFileSync(refuge!).equals(last(at('whole')))).toBe(true)
      rmSync(dirname(refuge!), { recursive: true })
      for (const name of readdirSync(disk)) if (name.startsWith('fill')) rmSync(join(disk, name))
      expect((await resumed(run)).ended).toBe('done')
      sameAsWhole(run)
    },
  )
  it('that does not take the best checkpoint: it is written as soon as it can be', async () => {
    const more = { learningRate: 10, schedule: 'constant' } as const
    expect((await ran(at('peak'), more)).ended).toBe('done')
    const best = (run: string) => join(run, 'best.safetensors')
    const { step } = (await loadSaved(at('peak'), 'best')).saved
    expect(step).toBeLessThan(STEPS - tiny.validateEvery)
    const run = at('blocked')
    const said: string[] = []
    const io: Io = {
      ...ioOf(said),
      say: (line) => void (line.startsWith('compiled') && mkdirSync(best(run))),
      warn: (line) => {
        said.push(line)
        const isDue = readFileSync(join(run, 'metrics.jsonl'), 'utf8').includes(`"step":${step},`)
        if (isDue && line.includes(best(run))) rmdirSync(best(run))
      },
    }
    expect(await train('moons', { ...flags, ...more, out: run }, io)).toBe('done')
    expect(said.at(-1)).toMatch(
      /best\.safetensors: expected a file, got a folder .* \(training continues and retries\)/,
    )
    expect(readFileSync(best(run)).equals(readFileSync(best(at('peak'))))).toBe(true)
  })
  it('that never takes the best checkpoint: the last has no figures of one that is not there', async () => {
    const run = at('refused best')
    const said: string[] = []
    const say = (line: string) => void (line.startsWith('compiled') && mkdirSync(join(run, 'best.safetensors')))
    expect(await train('moons', { ...flags, out: run }, { ...ioOf(said), say })).toBe('done')
    expect(said.at(-1)).toContain('(the parameters of the best validation are not kept)')
    expect((await loadCheckpoint(join(run, 'last.safetensors'))).best).toBeUndefined()
    rmdirSync(join(run, 'best.safetensors'))
    // so the next validation is the best, and is kept
    expect((await resumed(run, { steps: STEPS + 10 })).ended).toBe('done')
    expect((await loadCheckpoint(join(run, 'best.safetensors'))).step).toBe(STEPS + 10)
  })
  it.skipIf(!mountable)('that is read-only: train refuses, evaluate answers', async (context) => {
    const disk = mount('read-only', '1m')
    if (disk === undefined) return context.skip()
    cpSync(at('half'), join(disk, 'run'), { recursive: true })
    spawnSync('mount', ['-o', 'remount,ro', disk])
    expect((await ran(join(disk, 'new'))).ended).toMatch(
      /expected a file system that can be written, got a read-only one \(EROFS\)/,
    )
    expect((await resumed(join(disk, 'run'))).ended).toContain('(EROFS); choose another path')
    const { said, ended } = await evaluated(join(disk, 'run'))
    expect(ended).toBe('done')
    expect(said).toMatch(/test \d\.\d{3} nats on 10000 points/)
    expect(said).toContain('evaluation.json: expected a file system that can be written')
  })
  // root may write everywhere
  it.skipIf(process.platform === 'win32' || process.getuid?.() === 0)(
    'whose folder may not be written: train refuses, evaluate answers',
    async () => {
      const run = half('forbidden')
      chmodSync(run, 0o555)
      try {
        const forbidden = 'expected permission to write, got none (EACCES); change its permissions'
        expect((await ran(join(run, 'new'))).ended).toContain(forbidden)
        expect((await resumed(run)).ended).toContain(forbidden)
        const { said, ended } = await evaluated(run)
        expect(ended).toBe('done')
        expect(said).toMatch(/test \d\.\d{3} nats on 10000 points/)
        expect(said).toContain(`evaluation.json: ${forbidden}`)
      } finally {
        chmodSync(run, 0o755)
      }
    },
  )
  it.skipIf(process.platform === 'win32')('without room, before the first step', async () => {
    // a process that does not hear SIGXFSZ gets EFBIG, which is as good as a full disk
    const deaf = "data:text/javascript,process.on('SIGXFSZ',()=>undefined)"
    const line = `ulimit -f 16; exec "${process.execPath}" --import "${deaf}" "${main}" train moons --steps 9 --out full`
    const { code, err } = await command(folder, '/bin/bash', ['-c', line])
    expect(code).toBe(1)
    expect(err).toMatch(/^diffeo: write .*last\.safetensors: .*EFBIG.*\n$/)
    expect(readdirSync(at('full')).filter((name) => /safetensors|lock/.test(name))).toEqual([])
  })
})

// -------------------------------------------------------------------------------------
// two at once
// -------------------------------------------------------------------------------------

describe('a folder', () => {
  it('has one run at a time', async () => {
    const run = half('two')
    const lock = await lockFolder(run)
    expect((await resumed(run)).ended).toMatch(
      new RegExp(
        `two: expected a folder that no other run uses, got process ${process.pid}; choose another folder with --out`,
      ),
    )
    // by whatever path
    symlinkSync(run, at('by another path'), 'junction')
    expect((await resumed(at('by another path'))).ended).toContain('expected a folder that no other run uses')
    lock.release()
    expect((await resumed(run)).ended).toBe('done')
    expect(existsSync(join(run, 'lock'))).toBe(false)
  })
  it('that another run uses is neither read nor changed', async () => {
    const run = half('busy')
    for (const name of ['last.safetensors', 'best.safetensors']) writeFileSync(join(run, name), 'being written')
    writeFileSync(join(run, 'last.safetensors.17'), '')
    const before = readdirSync(run)
    const lock = await lockFolder(run)
    expect((await resumed(run)).ended).toContain('expected a folder that no other run uses')
    expect((await ran(run)).ended).toContain('expected a folder that no other run uses')
    lock.release()
    expect(readdirSync(run)).toEqual(before)
    expect((await resumed(run)).ended).toContain('last.safetensors: expected a safetensors file')
    expect(existsSync(join(run, 'lock'))).toBe(false)
  })
  it('new to both, takes one of two runs', async () => {
    const both = await Promise.all([ran(at('both'), { steps: 2 }), ran(at('both'), { steps: 2 })])
    expect(both.map(({ ended }) => ended).sort()).toEqual([
      'done',
      expect.stringMatching(/^train in .*both: expected a folder that no other run uses, got process \d+; /),
    ])
  })
  it('loses what a training that was killed had begun to write there, and nothing else', async () => {
    const run = half('begun')
    const all = [
      'about.json',
      'best.safetensors',
      'config.json',
      'last.safetensors',
      'metrics.jsonl',
      'progress/10.png',
    ]
    const gone = all.map((name, i) => `${name}.${2 ** 32 - 1 - i}`)
    const kept = [
      ...['config.json.1', 'last.safetensors.20', 'last.safetensors.damaged', 'notes.5', 'mine.json.4294967295'],
      ...['last.safetensors.20261130', 'report.html.4294967295', 'progress/mine.png.4294967295'],
    ]
    for (const name of [...gone, ...kept]) writeFileSync(join(run, name), '')
    mkdirSync(join(run, 'config.json.4294967000'))
    expect((await resumed(run, { seed: 7 })).ended).toContain('--seed: expected 0')
    expect([...gone, ...kept].filter((name) => !existsSync(join(run, name)))).toEqual([])
    expect((await resumed(run, { steps: 41 })).ended).toBe('done')
    expect([...gone, ...kept].filter((name) => existsSync(join(run, name)))).toEqual(kept)
  })
  it('without a run is as it was when a run is refused there, and keeps what lies there when one begins', async () => {
    mkdirSync(at('own'))
    const names = ['best.safetensors.4294967295', 'config.json.4294967295']
    for (const name of names) writeFileSync(at(`own/${name}`), '')
    expect((await ran(at('own'), { size: 9 })).ended).toContain('--size: expected a data set of images')
    expect(readdirSync(at('own'))).toEqual(names)
    expect((await ran(at('own'), { steps: 1 })).ended).toBe('done')
    expect(readdirSync(at('own'))).toEqual(expect.arrayContaining(names))
  })
  it('keeps the last state where a run goes on from the best', async () => {
    const run = half('back')
    const last = readFileSync(join(run, 'last.safetensors'))
    copyFileSync(join(run, 'last.safetensors'), join(run, 'best.safetensors'))
    expect((await resumed(run, { checkpoint: 'best', steps: 41 })).ended).toBe('done')
    expect(readFileSync(join(run, 'last.safetensors.before')).equals(last)).toBe(true)
  })
})

// -------------------------------------------------------------------------------------
// what may lie there
// -------------------------------------------------------------------------------------

/** A run with both checkpoints changed. */
const changed = (name: string, change: (all: Safetensors) => Safetensors): string => {
  const run = copy(name)
  const { metadata, tensors } = orThrow(decodeSafetensors('')(last(run)))
  // as if it had been saved so
  const { sha256: _, ...rest } = metadata
  const contents = { metadata: rest, tensors }
  for (const file of ['last', 'best'])
    writeFileSync(join(run, `${file}.safetensors`), encodeSafetensors(change(contents)))
  return run
}
const withConfig = (edit: (config: Record<string, never>) => unknown) => (all: Safetensors) => ({
  ...all,
  metadata: { ...all.metadata, config: JSON.stringify(edit(JSON.parse(all.metadata['config']!))) },
})

describe('a checkpoint is refused in one sentence', () => {
  it.each<[string, (run: string) => void, RegExp]>([
    ['that is empty', (run) => writeFileSync(join(run, 'last.safetensors'), ''), /of 8 bytes at least, got 0 bytes/],
    [
      'whose header lies about its length',
      (run) =>
        writeFileSync(join(run, 'last.safetensors'), Buffer.concat([Buffer.alloc(8, 0xff), last(run).subarray(8)])),
      /whose header has at most 100000000 bytes, got 18446744073709551615/,
    ],
    [
      'with its length the wrong way round',
      (run) =>
        writeFileSync(
          join(run, 'last.safetensors'),
          Buffer.concat([last(run).subarray(0, 8).reverse(), last(run).subarray(8)]),
        ),
      /whose header has at most 100000000 bytes/,
    ],
  ])('%s', async (name, spoil, words) => {
    const run = copy(`bad ${name}`)
    rmSync(join(run, 'best.safetensors'))
    spoil(run)
    const { ended } = await evaluated(run)
    expect(ended).toMatch(words)
    expect(ended).not.toContain('\n')
  })
  it.each<[string, (all: Safetensors) => Safetensors, RegExp]>([
    [
      'with a NaN in its parameters',
      (all) => ({
        ...all,
        tensors: new Map(
          [...all.tensors].map(([name, t], i) => [name, i === 3 ? { ...t, data: t.data.map(() => Number.NaN) } : t]),
        ),
      }),
      /expected parameters that are finite numbers, got others in params\//,
    ],
    [
      'with a name that leads elsewhere',
      (all) => ({
        ...all,
        tensors: new Map([...all.tensors, ['../../etc/passwd', { shape: [1], data: Float32Array.of(0) }]]),
      }),
      /expected only the \d+ tensors of the flow, got also \.\.\/\.\.\/etc\/passwd of shape 1/,
    ],
    [
      'of another width',
      withConfig((c) => ({ ...c, model: { name: 'realnvp-vector', couplings: 2, hidden: [5] } })),
      /of shape 1×5, got 1×4/,
    ],
    [
      'of a huge model',
      withConfig((c) => ({ ...c, model: { name: 'realnvp-vector', couplings: 256, hidden: Array(16).fill(4096) } })),
      /expected 3 lists of moments, got 1/,
    ],
    [
      'of sizes beyond all bounds',
      withConfig((c) => ({ ...c, shape: [2 ** 31, 4, 4] })),
      /expected config\.shape to be a shape/,
    ],
    [
      'of a strange data set',
      withConfig((c) => ({ ...c, data: { name: '../../etc/passwd' } })),
      /data: expected one of mnist, .*got '\.\.\/\.\.\/etc\/passwd'/,
    ],
  ])('%s', async (name, change, words) => {
    const { ended } = await evaluated(changed(`odd ${name}`, change))
    expect(ended).toMatch(words)
    expect(ended).not.toContain('\n')
  })
  it('that names code: it runs only what the command line names', async () => {
    const [evil, own] = [at('evil.mjs'), at('mark')]
    writeFileSync(evil, `import { writeFileSync } from 'node:fs'; writeFileSync(${JSON.stringify(own)}, '')`)
    const run = changed(
      'code',
      withConfig((c) => ({ ...c, model: { name: 'file', path: evil } })),
    )
    expect((await evaluated(run)).ended).toContain('because no checkpoint may choose what code runs')
    expect(existsSync(own)).toBe(false)
    expect((await evaluated(run, { model: evil })).ended).toContain(
      'expected a bijector or a layer as default or model, got no export',
    )
    expect(existsSync(own)).toBe(true)
  })
})

describe('a file that is larger than memory', () => {
  const huge = (path: string): string => {
    writeFileSync(path, '')
    truncateSync(path, 1e11)
    return path
  }
  it('is a sentence where a configuration, metrics or a command is read, and no lock', async () => {
    const config = huge(at('huge.json'))
    expect((await ran(at('huge'), { config })).ended).toBe(
      `read ${config}: expected a file of at most 1000000 bytes, got a larger one; check that it is the file you mean`,
    )
    for (const name of ['metrics.jsonl', 'about.json', 'last.safetensors']) {
      const run = half(`huge ${name}`)
      rmSync(join(run, 'best.safetensors'))
      const path = huge(join(run, name))
      expect((await resumed(run)).ended).toMatch(/^read .* a larger one/)
      rmSync(path)
    }
    const run = half('huge lock')
    huge(join(run, 'lock'))
    const lock = await lockFolder(run, { watch: 50 })
    lock.release()
  })
})

describe('numbers', () => {
  it('that run away end the run with the last good state saved', async () => {
    const { ended } = await ran(at('away'), { learningRate: 1e6, schedule: 'constant' })
    expect(ended).toMatch(
      /^fit at step \d: expected a finite (loss|gradient), got one that is not; there was no validation to go back to: start/,
    )
    // the newest, or the one before it if the loss of the newest is not finite
    const failed = Number(/step (\d+)/.exec(ended)?.[1])
    expect([failed - 2, failed - 1]).toContain((await loadSaved(at('away'))).saved.step)
    expect((await evaluated(at('away'))).said).toMatch(/test -?\d+\.\d{3} nats/)
    expect((await resumed(at('away'), { checkpoint: 'best' })).ended).toMatch(
      /^--checkpoint best: expected .* a run without/,
    )
  })
  it('that run away after a validation say how to go on from it, and so it does', async () => {
    // when a rate runs away depends on the rounding of this machine: the first that does so well after a validation
    const sentence = /^fit at step (\d+): expected a finite .* the best validation with a lower rate: npx diffeo (.*)$/
    let [run, rate, failed, line] = ['', 50, '0', '']
    while (Number(failed) < 13) {
      rate += 50
      expect(rate).toBeLessThanOrEqual(400)
      run = at(`later-${rate}`)
      const { ended } = await ran(run, { learningRate: rate, schedule: 'constant' })
      ;[, failed = '0', line = ''] = sentence.exec(ended) ?? []
    }
    // from the last state it comes to the same, whatever the rate
    expect((await resumed(run, { learningRate: 1e-3 })).ended).toContain(`fit at step ${failed}: expected a finite`)
    const { saved } = await loadSaved(run, 'best')
    expect(saved.step).toBeLessThan(Number(failed) - 1)
    writeFileSync(join(run, `progress/${saved.step + 1}.png`), '')
    const { code, out, err } = await diffeo(folder, ...line.split(' '), '--no-report')
    expect([code, err]).toEqual([0, ''])
    expect(out).toContain(`from ${saved.path}, step ${saved.step}\n`)
    expect(out).toContain(`step ${STEPS} is saved`)
    const config = (await loadSaved(run)).saved.config
    expect(config.recipe.learningRate).toBe(rate / 10)
    // nothing is left of the steps that came to nothing
    expect(existsSync(join(run, `progress/${saved.step + 1}.png`))).toBe(false)
    const steps = (await readMetrics(join(run, 'metrics.jsonl'))).map((metric) => metric.step)
    expect(steps).toEqual([10, 10, 20, 20, 30, 30, 40, 40, 50, 50, 60, 60])
  })
  it('that run away behind the end of the schedule say so too', async () => {
    const run = copy('behind')
    const { ended } = await resumed(run, { learningRate: 2e4, steps: 90 })
    const [, line = ''] = /with a lower rate: npx diffeo (.*)$/.exec(ended) ?? []
    const { out, err } = await diffeo(folder, ...line.split(' '), '--no-report')
    expect([err, out]).toEqual(['', expect.stringContaining('step 90 is saved')])
  })
  it('that are not finite are counted, and end every command with an error', async () => {
    const huge = ({ metadata, tensors }: Safetensors) => ({
      metadata,
      tensors: new Map([...tensors].map(([name, t]) => [name, { ...t, data: t.data.map(() => 1e30) }] as const)),
    })
    const run = changed('not finite', huge)
    const ended = (...args: readonly string[]) => diffeo(folder, ...args)
    const wrong = (command: string, count: number, things: string) =>
      `diffeo: ${command} ${run}: expected finite numbers for all ${count} ${things}, got none for `
    const evaluation = await ended('evaluate', run)
    expect([evaluation.code, evaluation.err]).toEqual([
      1,
      expect.stringContaining(wrong('evaluate', 10_000, 'test examples')),
    ])
    expect(evaluation.out).toMatch(/; \d+ of the 10000 have no finite figure/)
    expect(JSON.parse(readFileSync(join(run, 'evaluation.json'), 'utf8')).notFinite).toBeGreaterThan(0)
    const json = await ended('evaluate', run, '--json')
    expect([json.code, JSON.parse(json.out).notFinite, JSON.parse(json.err).error.op]).toEqual([
      ...[1, JSON.parse(readFileSync(join(run, 'evaluation.json'), 'utf8')).notFinite, `evaluate ${run}`],
    ])
    for (const args of [
      ['sample', run, '--n', '9'],
      ['reconstruct', run],
      ['report', run],
    ] as const) {
      const { code, err } = await ended(...args)
      expect([code, err]).toEqual([
        ...[
          1,
          expect.stringMatching(
            new RegExp(`diffeo: ${args[0]} .*: expected finite numbers for all \\d+ .*, got none for`),
          ),
        ],
      ])
    }
  })
  it('that are not finite at the end of a training end it with an error', async () => {
    // a density of bounded support: of 100 training points all lie inside, of the 10,000 test points not all do
    const model = at('bounded.mjs')
    writeFileSync(
      model,
      `import { bijector, compose, coupling, halves, input, mlp } from '${pathToFileURL(resolve('dist/src/index.js'))}'
       import * as T from '${pathToFileURL(resolve('dist/src/entry/tensor.js'))}'
       const zero = (x) => T.zeroPerExample(x)
       const below = bijector({ name: 'below 2', domain: [2], codomain: [2], spec: {}, support: [-9, 2],
         forward: (_, x) => [x, zero(x)], inverse: (_, z) => [z, zero(z)] })
       export default compose(input([2]), below, coupling(halves(), mlp({ hidden: [4] })))`,
    )
    const run = at('outside')
    const { code, err, out } = await command(...[folder, process.execPath], [
      main,
      'train',
      'moons',
      '--steps',
      '2',
      '--batch',
      '8',
      '--no-report',
      '--validation',
      '0',
      '--out',
      run,
      '--model',
      model,
    ])
    expect(out).toMatch(/step 2 is saved/)
    expect(out).toMatch(/; \d+ of the 10000 have no finite figure/)
    expect([code, err]).toEqual([
      1,
      expect.stringMatching(
        /diffeo: train .*: expected finite numbers for all 10000 test examples, got none for \d+ of/,
      ),
    ])
  })
  it('of a batch of one', async () => {
    const { ended, said } = await ran(at('one'), { batch: 1, steps: 3 })
    expect([ended, /test -?\d/.test(said)]).toEqual(['done', true])
  })
})

describe('a configuration', () => {
  const good = () => JSON.parse(readFileSync(at('whole/config.json'), 'utf8'))
  const refuses = (text: string) => endOf(Promise.resolve().then(() => decodeConfig('c', Buffer.from(text))))
  it('is read as it was written', () => {
    expect(decodeConfig('c', readFileSync(at('whole/config.json')))).toEqual(good())
  })
  it('is refused by the name of its place', async () => {
    expect(await refuses('{')).toContain('c: expected a configuration in JSON, got other text')
    expect(await refuses(JSON.stringify({ ...good(), recipe: { ...good().recipe, batch: 0 } }))).toContain(
      'expected config.recipe.batch to be an integer from 1 to 65536, got 0',
    )
  })
  it('never crashes the reader, and what is read makes a model or a sentence', async () => {
    const value = fc.oneof(
      fc.json().map((json) => JSON.parse(json)),
      fc.constantFrom(-1, 0, 0.5, 1, 1e9, 1e308, '', 'file', [], {}, null, true),
    )
    const paths = [
      'data',
      'shape',
      'model',
      'recipe',
      'data.name',
      'data.size',
      'model.name',
      'model.couplings',
      'model.hidden',
      'recipe.seed',
      'recipe.batch',
      'recipe.steps',
      'recipe.clip',
    ]
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(fc.constantFrom(...paths), value), { maxLength: 3 }), async (edits) => {
        const config = good()
        for (const [path, to] of edits) {
          const [head, leaf] = path.split('.') as [string, string?]
          // a later edit may write into what an earlier one put there
          const own = structuredClone(to)
          if (leaf === undefined) config[head] = own
          else if (typeof config[head] === 'object' && config[head] !== null) config[head][leaf] = own
        }
        let read: RunConfig
        try {
          read = decodeConfig('c', Buffer.from(JSON.stringify(config)))
        } catch (thrown) {
          expect(describeError(asError(thrown))).toMatch(/^c: expected [^\n]*$/)
          return
        }
        expect(RunConfig.is(read)).toBe(true)
        expect(await endOf(modelOf(read))).toMatch(/^done$|expected/)
      }),
      { numRuns: 300 },
    )
  })
  it('never crashes the reader of checkpoints, however their bytes are changed', async () => {
    const bytes = last(at('whole'))
    const run = at('fuzzed')
    mkdirSync(run)
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(2000), fc.nat(255)), { minLength: 1, maxLength: 4 }),
        fc.integer({ min: 0, max: 2000 }),
        async (edits, cut) => {
          const spoilt = Buffer.from(bytes.subarray(0, bytes.length - cut))
          for (const [place, byte] of edits) spoilt[place] = byte
          writeFileSync(join(run, 'last.safetensors'), spoilt)
          expect(await endOf(loadSaved(run))).toMatch(/^done$|: expected [^\n]*$/)
        },
      ),
      { numRuns: 300 },
    )
  })
})
