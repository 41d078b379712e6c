/** `diffeo train`, as its users meet it: flags, files, signals. On a few hundred of the real images. */
import { existsSync, mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { killedAt } from './faults.mjs'
import { command, diffeo, type Ended, fewImages, main, small, started, temporary } from './support.js'

const { folder, at } = temporary('train')
const data = at('few')
const asked = ['train', 'mnist', '--data', data, ...small, '--validation', '512', '--no-report']
const train = (...flags: readonly string[]) => diffeo(folder, ...asked, ...flags)
const steps = '24'

beforeAll(() => fewImages(data))

describe('a run', () => {
  let whole: Ended
  beforeAll(async () => {
    whole = await started(folder, ...asked, '--steps', steps, '--out', 'whole', '--validate-every', '10')
  })
  it('ends with test figures, pictures and checkpoints', () => {
    expect(whole.out).toMatch(/compiling the train step …\ncompiled in \d+\.\d s\n/)
    expect(whole.out).toMatch(/test \d\.\d{3} bits\/dim on 53 images, worst \d\.\d{3}/)
    expect(Number(/error at most ([\d.e-]+)/.exec(whole.out)?.[1])).toBeLessThan(0.01)
    for (const name of [
      'last.safetensors',
      'best.safetensors',
      'samples.png',
      'reconstructions.png',
      'evaluation.json',
      'config.json',
    ])
      expect(existsSync(at(`whole/${name}`))).toBe(true)
    expect(existsSync(at('whole/lock'))).toBe(false)
    expect(whole.code).toBe(0)
  })
  it('is quiet in a pipe', () => {
    expect(whole.err).toBe('')
    expect(whole.out).not.toContain('\x1b')
  })
  it('tells in metrics.jsonl how it went', () => {
    const lines = readFileSync(at('whole/metrics.jsonl'), 'utf8')
      .trim()
      .split('\n')
      .map((l) => JSON.parse(l))
    expect(lines.map(({ step, validation }) => [step, validation === undefined ? 'train' : 'validation'])).toEqual([
      [10, 'train'],
      [10, 'validation'],
      [20, 'train'],
      [20, 'validation'],
    ])
    expect(lines[0]).toMatchObject({ images: 40, unit: 'bits/dim', learningRate: (2e-3 * 10) / 50 })
    const evaluation = JSON.parse(readFileSync(at('whole/evaluation.json'), 'utf8'))
    expect(evaluation.each).toHaveLength(53)
    expect(evaluation.each[evaluation.worstIndex]).toBe(evaluation.worst)
  })

  const bytes = (run: string, name = 'last.safetensors') => readFileSync(at(`${run}/${name}`))
  it('has, stopped by Ctrl-C and resumed, the very bytes of one that never stopped', async () => {
    const flags = [...asked, '--out', 'parts', '--steps', steps, '--validate-every', '10']
    // at the line of step 10, whatever the speed; the file was begun by a write of its own
    const interrupted = killedAt('write', 'metrics.jsonl', 2, 'SIGINT')
    const stopped = await command(folder, process.execPath, [...interrupted, main, ...flags])
    expect(stopped.code).toBe(130)
    const step = Number(/step (\d+) is saved/.exec(stopped.out)?.[1])
    expect(step).toBeLessThan(Number(steps))
    expect(stopped.out).toContain('npx diffeo train mnist --resume --out parts')
    const resumed = await diffeo(folder, 'train', 'mnist', '--resume', '--out', 'parts', '--no-report')
    expect([resumed.code, resumed.err]).toEqual([0, ''])
    expect(bytes('parts').equals(bytes('whole'))).toBe(true)
    expect(bytes('parts', 'best.safetensors').equals(bytes('whole', 'best.safetensors'))).toBe(true)
    expect(bytes('parts', 'samples.png').equals(bytes('whole', 'samples.png'))).toBe(true)
    const metrics = bytes('parts', 'metrics.jsonl').toString().trim().split('\n')
    expect(metrics.map((line) => JSON.parse(line).step)).toEqual([10, 10, 20, 20])
  })
  it('tells its configuration, by which it is the same again', async () => {
    const told = JSON.parse(bytes('whole', 'config.json').toString())
    expect(told).toMatchObject({
      data: { name: 'mnist', folder: data },
      recipe: { seed: 0, batch: 4, validateEvery: 10 },
    })
    expect(whole.out).toContain(
      '\nstep 24 is saved, the end of its schedule, beyond which the learning rate is a hundredth; ' +
        'resume with: npx diffeo train mnist --resume --out whole --minutes 15\n',
    )
    expect(whole.out).toContain('configuration, which repeats the run with --config: whole/config.json\n')
    const config = ['--config', 'whole/config.json', '--out', 'again', '--no-report', '--json']
    const { code, out } = await diffeo(folder, 'train', 'mnist', ...config)
    expect([code, JSON.parse(out).config]).toEqual([0, told])
    for (const name of ['last.safetensors', 'best.safetensors', 'config.json', 'samples.png'])
      expect(bytes('again', name).equals(bytes('whole', name)), name).toBe(true)
  })
})

describe('what an ablation changes', () => {
  const changed = { path: 'batchNorm', norm: 'instance', order: 'plain', logScale: 'free', init: 'random' }
  const flags = '--path batchNorm --norm instance --order plain --log-scale free --init random --l2 0'.split(' ')
  const json = (path: string) => JSON.parse(readFileSync(at(path), 'utf8'))
  it('is kept with the run, which goes on with it and no other way', async () => {
    expect((await train('--steps', '3', '--out', 'ablated', '--limit', '8', ...flags)).err).toBe('')
    const [{ data: images }] = json('ablated/about.json')
    expect(images).toMatch(/^MNIST 28×28×1: 48 images to train, .*; trained on 8 of them$/)
    const { model, recipe } = json('ablated/config.json')
    // averaged parameters do not go with running statistics on the path
    expect([model, recipe]).toMatchObject([changed, { l2: 0, limit: 8, averageDecay: 0 }])
    const again = (...more: readonly string[]) =>
      diffeo(folder, 'train', 'mnist', '--resume', '--steps', '5', '--out', 'ablated', '--no-report', ...more)
    expect((await again('--order', 'ordered')).err).toMatch(/^diffeo: --model: expected .*"order":"plain"/)
    expect((await again('--average-decay', '0.9')).err).toMatch(/^diffeo: --average-decay: expected 0, .* got 0\.9/)
    expect((await again('--order', 'plain', '--limit', '8')).code).toBe(0)
    const { train: own, batchStatistics, step, mean } = json('ablated/evaluation.json')
    expect([step, own.count, batchStatistics.batch, batchStatistics.count]).toEqual([5, 8, 200, 400])
    expect(own.mean).not.toBe(mean)
    // batch norm stands on the path
    expect(Math.abs(batchStatistics.gap)).toBeGreaterThan(1e-5)
    expect(batchStatistics.training - batchStatistics.evaluation).toBeCloseTo(batchStatistics.gap, 6)
  })
  it('is the default in a configuration from before it could be changed', async () => {
    const { model, ...rest } = json('whole/config.json')
    const { scales, width, blocks } = model
    const before = { ...rest, model: { name: 'realnvp', scales, width, blocks } }
    writeFileSync(at('before.json'), JSON.stringify(before))
    expect(
      (await diffeo(folder, 'train', 'mnist', '--config', 'before.json', '--out', 'before', '--no-report')).code,
    ).toBe(0)
    expect(json('before/config.json')).toEqual(json('whole/config.json'))
    expect(readFileSync(at('before/best.safetensors')).length).toBe(readFileSync(at('whole/best.safetensors')).length)
    expect(json('before/evaluation.json')).toEqual(json('whole/evaluation.json'))
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
    // by the very program: what users get
    await refused(started(folder, ...asked, '--minutes', 'soon'), '--minutes: expected a number above 0', "'soon'")
    await refused(train('--seed', '-1'), '--seed: expected an integer from 0')
    await refused(train('--batch', '1000', '--out', 'large'), 'batch size', '1000')
    await refused(train('--engine', 'steam'), 'steam', 'wasm')
    await refused(train('--fast'), "unknown option '--fast'")
    await refused(train('--hidden', '3', '--out', 'h'), '--hidden: expected a model with hidden')
    await refused(diffeo(folder, 'train', 'nothing'), 'Allowed choices are mnist, fashion-mnist', "'nothing'")
    await refused(train('--model', 'glow', '--out', 'g'), '--model: expected realnvp, realnvp-vector')
    await refused(train('--order', 'reversed'), '--order', 'ordered, plain')
    await refused(train('--limit', '49', '--out', 'l'), '--limit: expected 1 to 48', 'got 49')
    await refused(
      diffeo(folder, 'train', 'moons', '--limit', '9', '--out', 'm'),
      '--limit: expected a data set of images',
    )
    await refused(
      diffeo(folder, 'train', 'moons', '--size', '9', '--out', 'm'),
      '--size: expected a data set of images',
    )
    await refused(diffeo(folder, 'data', 'check', 'moons', '--data', 'x'), '--data: expected a data set of images')
  })
  it('for files that are missing or damaged', async () => {
    mkdirSync(at('bad'))
    for (const name of ['train', 't10k'])
      for (const kind of ['images-idx3', 'labels-idx1'])
        writeFileSync(at(`bad/${name}-${kind}-ubyte`), readFileSync(join(data, `${name}-${kind}-ubyte`)))
    truncateSync(at('bad/train-images-idx3-ubyte'), 1000)
    await refused(train('--data', 'nowhere', '--out', 'a'), 'nowhere')
    await refused(train('--data', 'bad', '--out', 'b'), 'train-images-idx3-ubyte')
  })
  it('for runs', async () => {
    await refused(train('--resume', '--out', 'new/empty'), 'expected a checkpoint, got none')
    expect(existsSync(at('new'))).toBe(false)
    await refused(train('--out', 'whole', '--steps', '5'), 'whole', '--resume')
    await refused(train('--resume', '--seed', '7', '--out', 'whole'), '--seed: expected 0', 'got 7')
    const other = ['train', 'moons', '--config', 'whole/config.json', '--out', 'other']
    await refused(diffeo(folder, ...other), 'expected data of 28×28×1, as the configuration has, got 2; add --model')
    await refused(train('--resume', '--out', 'whole'), 'expected a run with steps left, got step 24 of 24')
  })
})
