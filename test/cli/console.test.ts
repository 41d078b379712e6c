/** What every command has in common: help, errors, colours, progress. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { PassThrough } from 'node:stream'
import type { Command } from 'commander'
import { describe, expect, it } from 'vitest'
import { flagsOf, quoted } from '../../src/cli/flags.js'
import { programOf } from '../../src/cli/program.js'
import { paint } from '../../src/cli/terminal/console.js'
import { counted, paceOf } from '../../src/cli/terminal/progress.js'
import { progress } from '../../src/progress.js'
import { command, diffeo, temporary, terminal } from './support.js'

const { folder, at } = temporary('console')

describe('help', () => {
  const all = (own: Command, path: readonly string[] = []): readonly (readonly string[])[] => [
    path,
    ...own.commands.flatMap((part) => all(part, [...path, part.name()])),
  ]
  const paths = all(programOf())
  const examplesIn = (help: string): readonly string[] =>
    [...(help.split('\nExamples:\n')[1] ?? '').matchAll(/^ {2}diffeo (.*)$/gm)].map(([, line]) => line!)
  it('has an example for every command', async () => {
    const names = paths.map((path) => path.join(' '))
    expect(names).toEqual(
      expect.arrayContaining(['', 'train', 'data', 'data check', 'engine', 'engine list', 'complete']),
    )
    for (const path of paths) {
      const { code, out } = await diffeo(folder, ...path, '--help')
      expect([path, code, examplesIn(out).length]).toEqual([path, 0, expect.toSatisfy((n: number) => n > 0)])
    }
  })
  it('has examples whose flags there are', async () => {
    const unacting = (own: Command): Command => {
      own.exitOverride().action(() => undefined)
      own.commands.forEach(unacting)
      return own
    }
    for (const path of paths) {
      const { out } = await diffeo(folder, ...path, '--help')
      for (const line of examplesIn(out).filter((example) => !example.includes('--help'))) {
        const [words = ''] = line.split(' > ')
        expect(await unacting(programOf()).parseAsync(words.split(' '), { from: 'user' }), line).toBeDefined()
      }
    }
  })
})

describe('with --json', () => {
  const refused = async (...args: readonly string[]) => {
    const [plain, { code, out, err }] = [await diffeo(folder, ...args), await diffeo(folder, ...args, '--json')]
    expect([code, out]).toEqual([plain.code, ''])
    expect(plain.code).toBe(1)
    expect(plain.err).not.toContain('{')
    expect(err.trim().split('\n')).toHaveLength(1)
    return JSON.parse(err).error
  }
  it('an error is an object', async () => {
    expect(await refused('evaluate', 'nothing')).toMatchObject({ _tag: 'FileError', expected: 'a checkpoint' })
    expect(existsSync(at('nothing'))).toBe(false)
  })
  it('so is one of the command line itself', async () => {
    const of = (got: string, more = {}) => ({
      _tag: 'UsageError',
      op: 'diffeo',
      got: expect.stringContaining(got),
      ...more,
    })
    expect(await refused('train', 'moons', '--stepz', '3')).toEqual(
      of("unknown option '--stepz'", { expected: 'a command line as in --help', fix: 'try --steps' }),
    )
    expect(await refused('evaluate')).toMatchObject(of("missing required argument 'run'"))
    expect(await refused('export', 'run')).toMatchObject(of("required option '--to <file>' not specified"))
    expect(await refused('evaluate', 'run', 'more')).toMatchObject(of('too many arguments'))
    expect(await refused('train', 'nothing')).toMatchObject(of('Allowed choices are mnist'))
    expect(await refused('trian', 'moons')).toMatchObject(of("unknown command 'trian'", { fix: 'try train' }))
    expect(await refused('--fast')).toMatchObject(of("unknown option '--fast'"))
    expect(await refused()).toMatchObject(of('none', { expected: 'a command' }))
    expect(await refused('train', 'moons', '--minutes', 'soon')).toMatchObject({ op: '--minutes', got: "'soon'" })
  })
  it('help is help still', async () => {
    expect(await diffeo(folder, 'train', '--help', '--json')).toMatchObject({
      code: 0,
      err: '',
      out: expect.stringContaining('Usage: diffeo train'),
    })
  })
})

const pipe = { isTTY: undefined, hasColors: undefined } as unknown as NodeJS.WriteStream

describe('colours', () => {
  const red = '\x1b[31mno\x1b[39m'
  const env = { TERM: 'xterm-256color' }
  it('are for terminals', () => {
    expect(paint(terminal().stream, true, env)('red', 'no')).toBe(red)
    expect(paint(pipe, true, env)('red', 'no')).toBe('no')
    expect(paint(terminal().stream, true, { TERM: 'dumb' })('red', 'no')).toBe('no')
  })
  it('are off when asked', () => {
    expect(paint(terminal().stream, false, env)('red', 'no')).toBe('no')
    expect(paint(terminal().stream, true, { ...env, NO_COLOR: '1' })('red', 'no')).toBe('no')
    expect(paint(terminal().stream, true, { ...env, FORCE_COLOR: '0' })('red', 'no')).toBe('no')
    expect(paint(pipe, false, { FORCE_COLOR: '1' })('red', 'no')).toBe('no')
  })
  it('are on when forced', () => {
    expect(paint(pipe, true, { FORCE_COLOR: '1' })('red', 'no')).toBe(red)
    expect(paint(terminal().stream, true, { TERM: 'dumb', FORCE_COLOR: '1' })('red', 'no')).toBe(red)
  })
  it('are of an error in a pipe as the environment says', async () => {
    const env = { FORCE_COLOR: '1', NO_COLOR: '' }
    const node = (...args: readonly string[]) =>
      command(
        folder,
        process.execPath,
        [new URL('../../dist/src/cli/main.js', import.meta.url).pathname, ...args],
        undefined,
        env,
      )
    expect((await node('evaluate', 'nothing')).err).toContain('\x1b[31mdiffeo:\x1b[39m')
    expect((await node('evaluate', 'nothing', '--no-color')).err).not.toContain('\x1b')
  })
})

describe('control characters', () => {
  const odd = '\x1b]0;owned\x07\x9b2J\u202e'
  const dangerous = /(?!\n)[\p{Cc}\p{Cf}]/u
  it('never reach a terminal: of paths, flags, configurations, data and the environment', async () => {
    const folderOf = at(`data${odd}`)
    mkdirSync(folderOf)
    writeFileSync(`${folderOf}/${odd}.png`, 'no picture')
    writeFileSync(at('odd.json'), JSON.stringify({ data: { name: odd }, [odd]: odd }))
    for (const args of [
      ['evaluate', odd],
      [odd],
      ['train', odd],
      ['train', 'moons', `--${odd}`],
      ['train', 'moons', '--minutes', odd],
      ['train', 'moons', '--config', 'odd.json'],
      ['train', 'folder', '--data', folderOf],
      ['data', 'check', 'npy', '--data', folderOf],
      ['inspect', `${odd}.mjs`],
      ['train', 'moons', '--workers', `${odd},b:1`, '--worker', '0'],
    ])
      for (const flags of [[], ['--json']]) {
        const { code, out, err } = await diffeo(folder, ...args, ...flags)
        expect([code, err.length > 0]).toEqual([1, true])
        expect(out + err, args.join(' ')).not.toMatch(dangerous)
        if (flags.length > 0) expect(err).toBe(`${err.trim()}\n`)
      }
    process.env['TF_CONFIG'] = JSON.stringify({ cluster: { worker: [odd, 'b:1'] }, task: { type: 'worker', index: 0 } })
    try {
      const { err } = await diffeo(folder, 'train', 'moons')
      expect(err).toContain('\\x1b]0;owned\\x07\\x9b2J\\u202e')
      expect(err).not.toMatch(dangerous)
    } finally {
      delete process.env['TF_CONFIG']
    }
  })
})

describe('arguments', () => {
  it('are quoted as a shell reads them', async () => {
    for (const plain of ['train', '--out', 'runs/one', '0.5,0.7', 'C:/x', '10.0.0.1:2222'])
      expect(quoted(plain)).toBe(plain)
    const odd = ['a b', "it's", '', '$HOME', '`id`', 'a"b', '~', '*', 'x;y', '(1)', 'new\nline', '\\']
    const { out } = await command(folder, 'sh', ['-c', `printf '%s|' ${odd.map(quoted).join(' ')}`])
    expect(out).toBe(odd.map((word) => `${word}|`).join(''))
    expect(flagsOf({ out: 'my runs/one', learningRate: 0.1, xla: true, device: undefined })).toBe(
      " --out 'my runs/one' --learning-rate 0.1 --xla",
    )
  })
})

describe('progress', () => {
  /** Runs a count of 200 images against a clock; answers what a terminal showed in the end of each line. */
  const count = async (stream: NodeJS.WriteStream | undefined) => {
    let time = 0
    const watched = counted(progress(stream), { doing: 'testing', total: 4, unit: 'images' }, () => time)
    return watched(async (heard) => {
      // the first batch waits for a compilation
      for (const [done, seconds] of [30, 0.5, 0.5].entries()) {
        time += 1000 * seconds
        heard(done + 1, 50 * (done + 1))
      }
      return 'done'
    })
  }
  it('tells how much is done, how fast, and what is left', async () => {
    const { stream, written } = terminal()
    expect(await count(stream)).toBe('done')
    // two batches of 50 in a second since the first, and one more to come
    expect(written()).toContain('testing: 150 images, 100 images/s, 0:01 left')
  })
  it('does not guess before anything came', () => {
    let time = 0
    const pace = paceOf(300, 'MB', () => time)
    const told = [0, 0, 100, 200].map((done) => {
      time += 1000
      return pace(done)
    })
    expect(told).toEqual(['0 MB', '0 MB', '100 MB, 33 MB/s, 0:06 left', '200 MB, 100 MB/s, 0:01 left'])
  })
  it('is quiet in a pipe', async () => {
    const stream = new PassThrough()
    expect(await count(stream as unknown as NodeJS.WriteStream)).toBe('done')
    expect(await count(undefined)).toBe('done')
    expect(stream.read()).toBeNull()
  })
  it('ends its line when something is thrown', async () => {
    const { stream, written } = terminal()
    const thrown = counted(progress(stream), { doing: 'testing', total: 4, unit: 'images' })(() => Promise.reject('no'))
    await expect(thrown).rejects.toBe('no')
    expect(written().endsWith('\n')).toBe(true)
  })
})
