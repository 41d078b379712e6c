/** Digests of data sets: other contents have another, the same elsewhere have the same. */
import { cpSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { gzipSync } from 'node:zlib'
import { type DataOptions, loadData } from 'diffeo/data'
import { encodePng } from 'diffeo/image'
import { describe, expect, it } from 'vitest'
import { npyBytes, ownFolder, zipBytes } from './files.js'

const at = ownFolder()
const put = (name: string, bytes: Uint8Array): void => {
  mkdirSync(dirname(at(name)), { recursive: true })
  writeFileSync(at(name), bytes)
}
const digest = async (name: DataOptions['name'], folder: string): Promise<string> =>
  (await loadData({ name, folder: at(folder), validation: 1, seed: 0 })).digest
/** A copy of a folder with one byte of a file changed. */
const changed = (from: string, to: string, file: string, place: (size: number) => number): void => {
  cpSync(at(from), at(to), { recursive: true })
  const bytes = readFileSync(at(to, file))
  bytes[place(bytes.length)]! ^= 1
  writeFileSync(at(to, file), bytes)
}
const picture = (side: number): Uint8Array =>
  encodePng({ width: side, height: side, channels: 3, data: new Uint8Array(3 * side * side).fill(side) })
const idx = (shape: readonly number[], size: number): Uint8Array =>
  Uint8Array.from([0, 0, 8, shape.length, ...shape.flatMap((n) => [0, 0, 0, n]), ...new Uint8Array(size)])

describe('the digest', () => {
  it('of pictures is that of their names and sizes, wherever they lie and however they are packed', async () => {
    const names = ['a.png', 'b.png', 'c.png', 'd.png']
    for (const [i, name] of names.entries()) put(`photos/${name}`, picture(3 + i))
    const own = await digest('folder', 'photos')
    cpSync(at('photos'), at('moved'), { recursive: true })
    expect(await digest('folder', 'moved')).toBe(own)
    put('photos.zip', zipBytes(names.map((name, i) => [`photos/${name}`, picture(3 + i)])))
    expect(await digest('folder', 'photos.zip')).toBe(own)
    put('moved/d.png', Buffer.concat([picture(6), Buffer.alloc(1)]))
    expect(await digest('folder', 'moved')).not.toBe(own)
    put('moved/d.png', picture(6))
    expect(await digest('folder', 'moved')).toBe(own)
    renameSync(at('moved/d.png'), at('moved/0.png'))
    expect(await digest('folder', 'moved')).not.toBe(own)
    renameSync(at('moved/0.png'), at('moved/d.png'))
    put('moved/e.png', picture(3))
    expect(await digest('folder', 'moved')).not.toBe(own)
  })
  it('of an array is that of its size and pieces from the first byte to the last', async () => {
    put(
      'arrays/train.npy',
      npyBytes("{'descr': '|u1', 'fortran_order': False, 'shape': (40, 64, 64), }", new Uint8Array(40 * 4096)),
    )
    const own = await digest('npy', 'arrays')
    for (const [i, place] of [(n: number) => n - 1, (n: number) => n / 3].entries()) {
      changed('arrays', `arrays ${i}`, 'train.npy', (n) => Math.floor(place(n)))
      expect(await digest('npy', `arrays ${i}`)).not.toBe(own)
    }
    expect(await digest('npy', 'arrays/train.npy')).toBe(own)
    put('arrays/test.npy', readFileSync(at('arrays/train.npy')))
    expect(await digest('npy', 'arrays')).not.toBe(own)
  })
  it('of IDX files and CIFAR-10 is that of their bytes, packed or not', async () => {
    for (const part of ['train', 't10k']) {
      put(`digits/${part}-images-idx3-ubyte`, idx([4, 28, 28], 4 * 784))
      put(`digits/${part}-labels-idx1-ubyte`, idx([4], 4))
    }
    const own = await digest('mnist', 'digits')
    for (const part of ['train', 't10k'])
      for (const file of ['images-idx3-ubyte', 'labels-idx1-ubyte'])
        put(`packed/${part}-${file}.gz`, gzipSync(readFileSync(at(`digits/${part}-${file}`))))
    expect(await digest('mnist', 'packed')).toBe(own)
    changed('digits', 'other', 't10k-images-idx3-ubyte', (n) => n / 2)
    expect(await digest('mnist', 'other')).not.toBe(own)
    for (const file of ['data_batch_1', 'data_batch_2', 'test_batch'])
      put(`cifar/${file}.bin`, new Uint8Array(2 * 3073))
    const cifar = await digest('cifar10', 'cifar')
    changed('cifar', 'cifar 2', 'data_batch_2.bin', (n) => n - 1)
    expect(await digest('cifar10', 'cifar 2')).not.toBe(cifar)
  })
})
