/** The command, as its users meet it: flags, files, signals, a full disk. On a few hundred of the real images. */
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { loadMnist, orThrow, range, subset } from 'diffeo'
import { beforeAll, describe, expect, it } from 'vitest'

const main = resolve('dist/src/cli/main.js')
const folder = mkdtempSync(join(tmpdir(), 'diffeo-cli-'))
const data = join(folder, 'few')
const at = (name: string) => join(folder, name)

interface Ended {
  readonly code: number | null
  readonly out: string
  readonly err: string
}
const command = (program: string, args: readonly string[], during?: (out: string, kill: () => void) => void) =>
  new Promise<Ended>((done) => {
    const child = spawn(program, args, { cwd: folder })
    let [out, err] = ['', '']
    child.stdout.on('data', (text) => {
      out += text
      during?.(out, () => child.kill('SIGINT'))
    })
    child.stderr.on('data', (text) => {
      err += text
    })
    child.on('close', (code) => done({ code, out, err }))
  })
const train = (...flags: readonly string[]) =>
  command(process.execPath, [main, 'train', 'mnist', '--data', data, '--batch', '4', ...flags])

const idx = (magic: number, sizes: readonly number[], bytes: Uint8Array): Uint8Array => {
  const header = Buffer.alloc(4 + 4 * sizes.length)
  header.writeUInt32BE(magic)
  sizes.forEach((size, i) => {
    header.writeUInt32BE(size, 4 + 4 * i)
  })
  return Buffer.concat([header, bytes])
}

beforeAll(async () => {
  const mnist = orThrow(await loadMnist()())
  await mkdir(data)
  for (const [part, name, n] of [
    ['train', 'train', 560],
    ['test', 't10k', 20],
  ] as const) {
    const few = subset(range(n))(mnist[part])
    writeFileSync(join(data, `${name}-images-idx3-ubyte`), idx(0x803, [n, 28, 28], await few.read(range(n))))
    writeFileSync(join(data, `${name}-labels-idx1-ubyte`), idx(0x801, [n], few.labels!))
  }
})

describe('a run', () => {
  it('ends with test figures, pictures and a checkpoint', async () => {
    const { code, out } = await train('--steps', '4', '--out', 'whole')
    expect(out).toMatch(/compiling the train step …\ncompiled in \d+\.\d s\n/)
    expect(out).toMatch(/test \d\.\d{3} bits\/dim on 20 images, worst \d\.\d{3}/)
    expect(Number(/error at most ([\d.e-]+)/.exec(out)?.[1])).toBeLessThan(0.01)
    for (const name of ['checkpoint.safetensors', 'samples.png', 'reconstructions.png'])
      expect(existsSync(at(`whole/${name}`))).toBe(true)
    expect(code).toBe(0)
  })

  it('has, stopped by Ctrl-C and resumed, the very bytes of one that never stopped', async () => {
    let killed = false
    const stopped = await command(
      process.execPath,
      [main, 'train', 'mnist', '--data', data, '--batch', '4', '--out', 'parts'],
      (out, kill) => {
        // once: a second signal does not wait for the step
        if (killed || !out.includes('compiled in')) return
        killed = true
        setTimeout(kill, 500)
      },
    )
    expect(stopped.code).toBe(130)
    const step = Number(/step (\d+) is saved/.exec(stopped.out)?.[1])
    expect(stopped.out).toContain('npx diffeo train mnist --resume --out parts')
    const steps = String(step + 2)
    expect((await train('--resume', '--out', 'parts', '--steps', steps)).code).toBe(0)
    expect((await train('--out', 'never', '--steps', steps)).code).toBe(0)
    const bytes = (run: string) => readFileSync(at(`${run}/checkpoint.safetensors`))
    expect(bytes('parts').equals(bytes('never'))).toBe(true)
    expect(readFileSync(at('parts/samples.png')).equals(readFileSync(at('never/samples.png')))).toBe(true)
  })
})

describe('one sentence and an exit code', () => {
  const refused = async (ended: Promise<Ended>, ...words: readonly string[]) => {
    const { code, err } = await ended
    expect(code).toBe(1)
    for (const word of words) expect(err).toContain(word)
    expect(err.trim().split('\n')).toHaveLength(1)
  }
  it('for flags', async () => {
    await refused(train('--minutes', 'soon'), '--minutes: expected a number above 0', "'soon'")
    await refused(train('--seed', '-1'), '--seed: expected an integer from 0')
    await refused(train('--batch', '1000', '--out', 'large'), 'batch size', '1000')
    await refused(train('--engine', 'steam'), 'steam', 'wasm')
    await refused(train('--fast'), "unknown option '--fast'")
  })
  it('for files that are missing or damaged', async () => {
    await refused(train('--data', 'nowhere', '--out', 'a'), 'nowhere', 'expected a file, got nothing there')
    await mkdir(at('bad'))
    for (const name of ['train', 't10k'])
      for (const kind of ['images-idx3', 'labels-idx1'])
        writeFileSync(at(`bad/${name}-${kind}-ubyte`), readFileSync(join(data, `${name}-${kind}-ubyte`)))
    truncateSync(at('bad/train-images-idx3-ubyte'), 1000)
    await refused(train('--data', 'bad', '--out', 'b'), 'train-images-idx3-ubyte')
  })
  it('for checkpoints', async () => {
    await refused(train('--resume', '--out', 'empty'), 'expected a checkpoint, got none')
    await refused(train('--out', 'whole', '--steps', '5'), 'whole', '--resume')
    await refused(train('--resume', '--seed', '7', '--out', 'whole'), '--seed: expected 0', 'got 7')
    await mkdir(at('torn'))
    const good = readFileSync(at('whole/checkpoint.safetensors'))
    writeFileSync(at('torn/checkpoint.safetensors'), good.subarray(0, good.length / 2))
    await refused(train('--resume', '--out', 'torn'), 'torn/checkpoint.safetensors')
    expect(readFileSync(at('torn/checkpoint.safetensors'))).toHaveLength(Math.floor(good.length / 2))
  })
  it.skipIf(process.platform === 'win32')('for a full disk, before the first step', async () => {
    // a process that does not hear SIGXFSZ gets EFBIG, which is as good as a full disk
    const deaf = "data:text/javascript,process.on('SIGXFSZ',()=>undefined)"
    const line = `ulimit -f 1024; exec "${process.execPath}" --import "${deaf}" "${main}" train mnist --data "${data}" --out full`
    await refused(command('/bin/bash', ['-c', line]), 'write full/checkpoint.safetensors', 'EFBIG')
    expect(existsSync(at('full/checkpoint.safetensors'))).toBe(false)
  })
})
