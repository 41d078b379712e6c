import { existsSync, mkdirSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describeError } from 'diffeo'
import { firstIndices, loadData } from 'diffeo/data'
import { loadCifar10, orThrow } from 'diffeo/fp'
import fc from 'fast-check'
import * as E from 'fp-ts/lib/Either.js'
import { describe, expect, it } from 'vitest'
import { withFile } from '../../src/data/records.js'
import { ownFolder, said } from './files.js'

const at = ownFolder()
const put = (folder: string, files: Readonly<Record<string, Uint8Array>>): string => {
  mkdirSync(at(folder), { recursive: true })
  for (const [name, bytes] of Object.entries(files)) writeFileSync(at(folder, name), bytes)
  return at(folder)
}
/** Records whose red, green and blue are label, 100 + label and 200 + label, and whose first pixel is 255, 0, 0. */
const records = (labels: readonly number[]): Uint8Array =>
  Buffer.concat(
    labels.map((label) => {
      const record = new Uint8Array(3073)
        .fill(label, 0, 1025)
        .fill(100 + label, 1025, 2049)
        .fill(200 + label, 2049)
      record.set([255], 1)
      return record
    }),
  )

describe('CIFAR-10 from small files', () => {
  const folder = put('small', {
    'data_batch_2.bin': records([3, 4]),
    'data_batch_1.bin': records([1]),
    'test_batch.bin': records([5, 6]),
  })
  it('has labels and images of all batches in order, channels last', async () => {
    const { train, test, remark } = orThrow(await loadCifar10({ folder })())
    expect([train.count, test.count, ...train.labels!, ...test.labels!]).toEqual([3, 2, 1, 3, 4, 5, 6])
    const images = await train.read(Uint32Array.of(2, 0))
    expect(images.length).toBe(2 * 3072)
    expect([...images.subarray(0, 6), ...images.subarray(3072, 3078)]).toEqual([
      255, 104, 204, 4, 104, 204, 255, 101, 201, 1, 101, 201,
    ])
    expect(remark).toContain('3 of the 50,000 training images, 2 of the 10,000 test images')
    expect(remark).toContain('not the official files')
  })
  it('is found in the folder that the archive unpacks to', async () => {
    put('outer/cifar-10-batches-bin', { 'data_batch_1.bin': records([0]), 'test_batch.bin': records([1]) })
    expect(orThrow(await loadCifar10({ folder: at('outer') })()).train.count).toBe(1)
  })
  it.each([
    [
      'a folder that is not there',
      () => at('nowhere'),
      /nowhere: expected the folder of CIFAR-10, got nothing there .*; unpack cifar-10-binary/,
    ],
    [
      'an empty folder',
      () => put('empty', {}),
      /expected data_batch\*\.bin, got none; unpack cifar-10-binary.tar.gz from/,
    ],
    [
      'no test images',
      () => put('half', { 'data_batch_1.bin': records([1]) }),
      /expected test_batch\*\.bin, got none; unpack/,
    ],
    [
      'a truncated batch',
      () => put('cut', { 'data_batch_1.bin': records([1]).subarray(9), 'test_batch.bin': records([1]) }),
      /data_batch_1.bin: expected 1 to 10000 records of 3073 bytes, got 3064 bytes; unpack/,
    ],
    [
      'a batch too long',
      () => {
        const folder = put('long', { 'data_batch_1.bin': new Uint8Array(), 'test_batch.bin': records([1]) })
        truncateSync(join(folder, 'data_batch_1.bin'), 10_001 * 3073)
        return folder
      },
      /expected 1 to 10000 records of 3073 bytes, got 30733073 bytes/,
    ],
    [
      'a foreign file',
      () => put('foreign', { 'data_batch_1.bin': new Uint8Array(3073).fill(10), 'test_batch.bin': records([1]) }),
      /expected labels from 0 to 9, got 10 at record 0/,
    ],
  ])('says what to do about %s', async (_, folder, sentence) =>
    expect(await said(loadCifar10({ folder: folder() }))).toMatch(sentence),
  )
  it('closes what it has read', async () => {
    const file = await withFile(join(folder, 'data_batch_1.bin'), async (open) => open)
    expect(file.fd).toBe(-1)
  })
  it('says so if a file is cut while it is used', async () => {
    const shrinking = put('shrinking', { 'data_batch_1.bin': records([1, 2]), 'test_batch.bin': records([1]) })
    const { train } = orThrow(await loadCifar10({ folder: shrinking })())
    put('shrinking', { 'data_batch_1.bin': records([1]) })
    await expect(train.read(Uint32Array.of(1))).rejects.toThrow(
      /data_batch_1.bin: expected at least 6146 bytes, got fewer; get it again/,
    )
  })
  it('never throws on any bytes', () =>
    fc.assert(
      fc.asyncProperty(
        fc.oneof(
          fc.uint8Array({ maxLength: 50 }),
          // any label at each record, among pixels of another value
          fc.tuple(fc.nat(255), fc.array(fc.nat(12), { maxLength: 3 })).map(([v, labels]) => {
            const bytes = new Uint8Array(3073 * labels.length).fill(v)
            for (const [i, label] of labels.entries()) bytes[3073 * i] = label
            return bytes
          }),
        ),
        async (bytes) => {
          const folder = put('fuzz', { 'data_batch_1.bin': bytes, 'test_batch.bin': records([0]) })
          const labels = bytes.filter((_, i) => i % 3073 === 0)
          const legal = bytes.length > 0 && bytes.length % 3073 === 0 && labels.every((label) => label <= 9)
          const opened = await loadCifar10({ folder })()
          expect(E.isRight(opened)).toBe(legal)
          if (E.isRight(opened)) expect(opened.right.train.labels).toEqual(labels)
          else expect(describeError(opened.left)).toMatch(/data_batch_1\.bin: expected .*, got /)
        },
      ),
    ))
})

const places = [process.env['CIFAR10'] ?? 'data/cifar10', '../shared/data/cifar10']
const real = places.find((place) => existsSync(place)) ?? ''
describe.skipIf(real === '')('the official CIFAR-10', () => {
  it('starts with a frog and two trucks; the test images with a cat and two ships', async () => {
    const data = await loadData({ name: 'cifar10', folder: real, validation: 500, seed: 1 })
    const { train, test, remark } = orThrow(await loadCifar10({ folder: real })())
    const [cat, frog, ship, truck] = [3, 6, 8, 9]
    expect([...train.labels!.subarray(0, 3)]).toEqual([frog, truck, truck])
    expect([...test.labels!.subarray(0, 3)]).toEqual([cat, ship, ship])
    expect(data.train.count + data.validation.count).toBe(train.count)
    expect(remark).toMatch(/[12] of \d files are official by SHA-256, unknown of the others/)
  })
  it('has the known means of its channels', async () => {
    const { train } = orThrow(await loadCifar10({ folder: real })())
    const images = await train.read(firstIndices(train.count))
    const sums = [0, 0, 0]
    for (let i = 0; i < images.length; i++) sums[i % 3]! += images[i]!
    const means = sums.map((sum) => (3 * sum) / images.length / 255)
    // over all five batches; of two of them they are within .004
    for (const [i, mean] of [0.4914, 0.4822, 0.4465].entries()) expect(Math.abs(means[i]! - mean)).toBeLessThan(0.004)
  })
})
