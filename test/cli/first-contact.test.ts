/** What a user meets who gives a folder of pictures and no flags, or flags that do not fit the data. */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { describeError } from 'diffeo'
import { inMemory, loadData } from 'diffeo/data'
import { ready } from 'diffeo/engine'
import { asError } from 'diffeo/fp'
import { encodePng } from 'diffeo/image'
import { batch as tensorOf } from 'diffeo/tensor'
import { decode } from 'fast-png'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { namedData } from '../../src/cli/data-argument.js'
import { type ConfigFlags, configure, dataConfig, sharingOf } from '../../src/cli/run/config-flags.js'
import { loadDataSet } from '../../src/cli/run/examples.js'
import { warnOf } from '../../src/cli/training/data-warnings.js'
import { npyBytes } from '../data/files.js'
import { diffeo, temporary } from './support.js'

const { folder, at } = temporary('first contact')
afterAll(() => rmSync(folder, { recursive: true }))

const counts = [1, 2, 3, 9, 10, 20, 200, 6000]
beforeAll(() => {
  for (const n of counts) {
    const pixels = Uint8Array.from({ length: 64 * n }, (_, i) => (i * 37) % 251)
    const header = `{'descr': '|u1', 'fortran_order': False, 'shape': (${n}, 8, 8), }`
    writeFileSync(at(`${n}.npy`), npyBytes(header, pixels))
  }
  for (const shape of ['4, 4', '27, 31', '1, 1', '28, 28', '26, 30', '12, 20']) {
    const [h = 0, w = 0] = shape.split(', ').map(Number)
    const header = `{'descr': '|u1', 'fortran_order': False, 'shape': (30, ${shape}), }`
    writeFileSync(at(`${h}x${w}.npy`), npyBytes(header, new Uint8Array(30 * h * w)))
  }
})

/** The configuration and the examples of a new run, or why there are none. */
const prepared = async (name: string, flags: ConfigFlags = {}) => {
  const data = dataConfig('npy', { data: at(name), ...flags })
  try {
    const set = await loadDataSet(data, sharingOf(flags))
    const config = configure(data, set, flags)
    return { ...config, examples: set.examples(config.recipe) }
  } catch (thrown) {
    return describeError(asError(thrown))
  }
}

describe('defaults shrink with the data', () => {
  it.each([
    [2, 1, 0, 1],
    [3, 2, 0, 2],
    [9, 8, 0, 8],
    [10, 9, 0, 9],
    [20, 17, 1, 17],
    [200, 162, 18, 32],
    [6000, 4888, 512, 32],
  ])('of %i images %i are trained on, %i validate, in batches of %i', async (n, train, validation, batch) => {
    expect(await prepared(`${n}.npy`)).toMatchObject({ contents: { train, validation }, recipe: { validation, batch } })
  })
  it('of one image nothing is left to test on', async () =>
    expect(await prepared('1.npy')).toBe(
      'npy: expected at least 2 images, one to train on and one to test on, got 1; add images',
    ))
  it('a batch is no larger than --limit', async () =>
    expect(await prepared('200.npy', { limit: 10 })).toMatchObject({ recipe: { batch: 10, limit: 10 } }))
  it.each([
    ['4x4', 2],
    ['27x31', 1],
    ['1x1', 1],
    ['26x30', 2],
    ['28x28', 2],
  ])('images of %s get %i scales', async (name, scales) =>
    expect(await prepared(`${name}.npy`)).toMatchObject({ model: { name: 'realnvp', scales } }),
  )
  it('those of points are what they were', async () => {
    const set = await loadDataSet({ name: 'moons' }, sharingOf({}))
    expect(configure({ name: 'moons' }, set, {}).recipe).toMatchObject({ batch: 256, validation: 2000 })
  })
  it('large sets hold out what they did: 512', async () =>
    expect((await loadData({ name: 'mnist', seed: 0 })).validation.count).toBe(512))
})

describe('a flag that does not fit the data is named', () => {
  it.each([
    [
      '28x28',
      { scales: 4 },
      '--scales: expected 1 to 3, because each scale halves both sides of images of 28×28, got 4; use --scales 3 or images of other sides',
    ],
    [
      '27x31',
      { scales: 2 },
      '--scales: expected 1, because a side is odd of images of 27×31, got 2; use --scales 1 or images of other sides',
    ],
    ['12x20', { scales: 8 }, '--scales: expected 1 to 3, because'],
    ['200', { batch: 163 }, '--batch: expected a batch size from 1 to 162, the number of training images, got 163'],
    [
      '200',
      { batch: 11, limit: 10 },
      '--batch: expected a batch size from 1 to 10, the number of training images, got 11',
    ],
    ['200', { validation: 180 }, '--validation: expected 0 to 179 of 180 images to hold out, got 180; hold out fewer'],
    ['2', { validation: 1 }, '--validation: expected 0 to 0 of 1 images'],
    ['200', { limit: 163 }, '--limit: expected 1 to 162, the number of training images, got 163'],
    ['200', { size: 16 }, '--size: expected no size: npy has its own, got 16'],
  ] as const)('%s with %o', async (name, flags, sentence) => {
    expect(await prepared(`${name}.npy`, flags)).toContain(sentence)
  })
  it.each([
    ['--limit', '0'],
    ['--batch', '0'],
    ['--validation', '-1'],
    ['--scales', '0'],
    ['--size', '0'],
    ['--steps', '0'],
    ['--validate-every', '0'],
    ['--minutes', '0'],
  ])('%s %s', async (flag, value) => {
    const { code, err } = await diffeo(folder, 'train', 'npy', '--data', '200.npy', flag, value, '--out', 'refused')
    expect([code, err]).toEqual([
      1,
      expect.stringMatching(new RegExp(`^diffeo: ${flag}: expected .*, got '${value}'\\n$`)),
    ])
  })
  it('and fits again without', async () => {
    expect(await prepared('200.npy', { batch: 162, validation: 18, limit: 162 })).toMatchObject({
      recipe: { batch: 162 },
    })
    expect(await prepared('200.npy', { validation: 179 })).toMatchObject({
      contents: { train: 1 },
      recipe: { batch: 1 },
    })
  })
})

describe('a warning comes before a training that cannot learn', () => {
  beforeAll(() => ready())
  const warnings = async (pixels: Uint8Array, batch: number, side = 2): Promise<readonly string[]> => {
    const set = inMemory({ name: 'pixels', shape: [side, side, 1], images: pixels })
    const said: string[] = []
    const examples = {
      batch: async () => {
        const bytes = await set.read(Uint32Array.from({ length: batch }, (_, i) => i))
        return tensorOf(
          [side, side, 1],
          Float32Array.from(bytes, (level) => level + 0.5),
        )
      },
    }
    const config = { shape: set.shape, recipe: { batch } as never }
    await warnOf(config, examples as never, { warn: (line) => said.push(line) })
    return said
  }
  it('of a batch of one', async () =>
    expect(await warnings(Uint8Array.of(1, 2, 3, 4), 1)).toEqual([
      expect.stringMatching(/^--batch 1: one example has no/),
    ]))
  it('of constant images', async () =>
    expect(await warnings(new Uint8Array(8).fill(7), 2)).toEqual([
      'data: every pixel of the first batch is 7; its density has no bound',
    ]))
  it('of equal images', async () =>
    expect(await warnings(Uint8Array.of(1, 2, 3, 4, 1, 2, 3, 4), 2)).toEqual([
      'data: the 2 images of the first batch are equal; their density has no bound',
    ]))
  it('and not of others', async () => expect(await warnings(Uint8Array.of(1, 2, 3, 4, 1, 2, 3, 5), 2)).toEqual([]))
})

describe('200 pictures and no flags about data', () => {
  const cheap = ['--size', '16', '--width', '2', '--blocks', '0'] as const
  it('make a trained model', async () => {
    mkdirSync(at('data/pictures'), { recursive: true })
    for (let i = 0; i < 200; i++) {
      const [width, height] = [10 + (i % 7), 12 + (i % 5)]
      const data = Uint8Array.from({ length: width * height * 3 }, (_, j) => (i * j) % 256)
      writeFileSync(at(`data/pictures/${i}.PNG`), encodePng({ width, height, channels: 3, data }))
    }
    const { code, out, err } = await diffeo(
      folder,
      'train',
      'folder',
      ...cheap,
      '--steps',
      '6',
      '--validate-every',
      '3',
      '--no-report',
    )
    expect([code, err]).toEqual([0, ''])
    expect(out).toContain('162 images to train, 18 to validate, 20 to test; data/pictures')
    expect(existsSync(at('runs/folder/best.safetensors'))).toBe(true)
    // sixteen images in a row, at the first validation, the second, the fourth, …
    expect(readdirSync(at('runs/folder/progress')).sort()).toEqual(['3.png', '6.png'])
    const { width: across, height: down } = decode(readFileSync(at('runs/folder/progress/3.png')))
    expect([across, down]).toEqual([2 + 16 * 18, 2 + 18])
  })
  it('make one without validation, which is saved, drawn, resumed, tested and reported', async () => {
    const none = ['train', 'folder', '--out', 'none'] as const
    const flags = [...cheap, '--validation', '0', '--validate-every', '2', '--steps', '4', '--no-report'] as const
    const first = await diffeo(folder, ...none, ...flags)
    expect([first.code, first.err]).toEqual([0, ''])
    expect(first.out).toContain('180 images to train, 0 to validate, 20 to test')
    expect(readdirSync(at('none/progress')).sort()).toEqual(['2.png', '4.png'])
    expect(existsSync(at('none/best.safetensors'))).toBe(false)
    const other = await diffeo(folder, ...none, '--resume', '--validation', '5', '--steps', '6')
    expect(other.err).toContain('--validation: expected 0, as in the resumed run, got 5')
    const more = await diffeo(folder, ...none, '--resume', '--steps', '6')
    expect([more.code, more.err]).toEqual([0, ''])
    const { batchStatistics } = JSON.parse(readFileSync(at('none/evaluation.json'), 'utf8'))
    expect(batchStatistics).toMatchObject({ batch: 20, count: 20 })
    expect(readFileSync(at('none/curves.svg'), 'utf8')).not.toContain('validation')
    const best = await diffeo(folder, 'evaluate', 'none', '--checkpoint', 'best')
    expect(best.err).toMatch(/got a run without one; leave it out: the run has no validation set/)
  })
  it('may be named by their path alone', async () => {
    const { code, out, err } = await diffeo(folder, 'data', 'check', 'data/pictures', '--size', '16')
    expect([code, err]).toEqual([0, ''])
    expect(out).toMatch(/162 images to train, .*; data\/pictures\nall 200 images were read/)
    expect((await diffeo(folder, 'data', 'check', './28x28.npy')).err).toBe(
      'data: every pixel of all images is 0; nothing can be learned from them\n',
    )
    expect(namedData('./data/pictures/', {})).toEqual({
      name: 'folder',
      flags: { data: './data/pictures/', out: 'runs/pictures' },
    })
    expect(namedData('a/B.NPY', { out: 'there' })).toEqual({ name: 'npy', flags: { data: 'a/B.NPY', out: 'there' } })
    expect(namedData('moons', {})).toEqual({ name: 'moons', flags: {} })
    expect((await diffeo(folder, 'train', 'gone.zip')).err).toMatch(/gone\.zip: expected a file, got nothing there/)
    expect((await diffeo(folder, 'train', './gone')).err).toMatch(
      /gone: expected a folder of pictures, got nothing there/,
    )
    const both = await diffeo(folder, 'train', 'data/pictures', '--data', 'other')
    expect(both.err).toBe('diffeo: --data: expected no path beside data/pictures, got other; leave one of them out\n')
  })
  it('make the same without validation of the plane', async () => {
    const flags = ['--couplings', '2', '--hidden', '4', '--batch', '8', '--steps', '4', '--no-report'] as const
    const { code, err } = await diffeo(
      folder,
      'train',
      'moons',
      ...flags,
      '--validation',
      '0',
      '--validate-every',
      '2',
      '--out',
      'plane',
    )
    expect([code, err]).toEqual([0, ''])
    const { count, batch } = JSON.parse(readFileSync(at('plane/evaluation.json'), 'utf8')).batchStatistics
    expect([count, batch]).toEqual([10_000, 1000])
  })
})
