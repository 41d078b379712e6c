/** Which files are pictures, where they may lie, and what of them is held at once. */
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { type DataOptions, firstIndices, type ImageSet, loadData } from 'diffeo/data'
import { findPictures, orThrow, pictureSet } from 'diffeo/fp'
import { encodePng } from 'diffeo/image'
import { encode } from 'fast-png'
import { pipe } from 'fp-ts/lib/function.js'
import * as TE from 'fp-ts/lib/TaskEither.js'
import sharp from 'sharp'
import { describe, expect, it } from 'vitest'
import { weightedLimit } from '../../src/data/weighted-limit.js'
import { ownFolder, said, zipBytes } from './files.js'

const at = ownFolder()
const put = (name: string, bytes: Uint8Array | string): string => {
  mkdirSync(dirname(at(name)), { recursive: true })
  writeFileSync(at(name), bytes)
  return at(name)
}
const png = (level: number, width = 2, height = 2): Uint8Array =>
  encodePng({ width, height, channels: 1, data: new Uint8Array(width * height).fill(level) })
const names = async (folder: string) => orThrow(await findPictures(folder)()).names
const images = (folder: string, size = 4) =>
  pipe(
    findPictures(folder),
    TE.flatMap((pictures) => pictureSet('pictures', pictures, { size })),
  )
const loaded = async (folder: string, options: Partial<DataOptions> = {}) =>
  await loadData({ name: 'folder', validation: 1, seed: 0, size: 16, folder, ...options })
/** The gray levels of a set's images. */
const levels = async (set: ImageSet): Promise<readonly number[]> => {
  const all = await set.read(firstIndices(set.count))
  return Array.from({ length: set.count }, (_, i) => all[i * 16 * 16 * 3]!).sort((a, b) => a - b)
}

describe('a folder of pictures', () => {
  it('leaves out what systems put beside pictures', async () => {
    for (const name of ['a.png', 'b.PNG', 'c.jpg', 'd.JPEG', 'trip/e.Jpg']) put(`systems/${name}`, png(1))
    for (const name of ['.DS_Store', 'Thumbs.db', 'desktop.ini', '._a.png', '__MACOSX/._a.png', '__MACOSX/b.png'])
      put(`systems/${name}`, png(1))
    put('systems/.thumbnails/a.png', png(1))
    put('systems/trip/.git/a.png', png(1))
    expect(await names(at('systems'))).toEqual(['a.png', 'b.PNG', 'c.jpg', 'd.JPEG', 'trip/e.Jpg'])
  })
  it('has each picture once, wherever links lead', async () => {
    put('links/photos/a.png', png(1))
    put('links/photos/trip/b.png', png(2))
    put('links/outside.png', png(3))
    put('links/elsewhere/c.png', png(4))
    const link = (target: string, name: string) => symlinkSync(target, at(`links/photos/${name}`))
    link('.', 'self')
    link('..', 'parent')
    link('../..', 'above')
    link('trip', 'again')
    link('../..', 'trip/back')
    link('../elsewhere', 'more')
    link('../elsewhere', 'more again')
    link('../outside.png', 'one.png')
    symlinkSync('../photos', at('links/elsewhere/round'))
    expect(await names(at('links/photos'))).toEqual(['a.png', 'more/c.png', 'one.png', 'trip/b.png'])
    symlinkSync('photos', at('links/by link'))
    expect((await names(at('links/by link'))).length).toBe(4)
  })
  it('is told from a file that is no archive', async () => {
    expect(await said(findPictures(put('one.png', png(1))))).toMatch(
      /one\.png: expected a folder or a \.zip archive of pictures, got .*; name the folder that holds the pictures/,
    )
  })
})

describe('an archive', () => {
  const four = [1, 2, 3, 4].map((i) => [`${i}.png`, png(i)] as const)
  it.each(['UP.ZIP', 'Mixed.Zip', 'no ending'])('may be called %s', async (name) => {
    expect(await names(put(name, zipBytes(four)))).toEqual(['1.png', '2.png', '3.png', '4.png'])
  })
  it('leaves out what macOS adds', async () => {
    const more = ['__MACOSX/photos/._1.png', '__MACOSX/x.png', 'photos/.DS_Store', 'photos/._1.png'] as const
    const archive = zipBytes([...four, ...more.map((name) => [name, png(9)] as const)])
    expect(await names(put('mac.zip', archive))).toEqual(['1.png', '2.png', '3.png', '4.png'])
  })
})

describe('parts', () => {
  const files = [10, 20, 30, 40, 50, 60].map(
    (level, i) => [`${i < 4 ? 'train' : 'test'}/${i}.png`, png(level)] as const,
  )
  const holds = (name: string, all: ReadonlyArray<readonly [string, Uint8Array]>) => {
    put(`${name}.zip`, zipBytes(all))
    for (const [file, bytes] of all) put(`${name}/${file}`, bytes)
    return [at(`${name}.zip`), at(name)]
  }
  const prefixed = (prefix: string) => files.map(([name, bytes]) => [`${prefix}${name}`, bytes] as const)
  const capital = files.map(([name, bytes]) => [name.replace(/^t/, 'T'), bytes] as const)
  it.each([
    ['train and test', files],
    ['the same in a folder', prefixed('photos/')],
    ['in two folders', prefixed('a/b/')],
    ['with capitals', capital],
    ['beside the files of macOS', [...files, ['__MACOSX/train/._0.png', png(9)] as const]],
  ])('are those of an archive and of a folder alike: %s', async (name, all) => {
    for (const place of holds(`split ${name}`, all)) {
      const { train, validation, test } = await loaded(place)
      expect(await levels(test)).toEqual([50, 60])
      expect([...(await levels(train)), ...(await levels(validation))].sort()).toEqual([10, 20, 30, 40])
    }
  })
  it('have the same digest packed and unpacked', async () => {
    const [packed, unpacked] = holds('digested', files)
    expect((await loaded(packed!)).digest).toBe((await loaded(unpacked!)).digest)
  })
  it('may include a validation set, and leave out the rest', async () => {
    for (const folder of ['validation', 'valid', 'val', 'VAL'])
      for (const place of holds(`three ${folder}`, [...files, [`${folder}/6.png`, png(70)], ['7.png', png(80)]])) {
        const { train, validation, test, summary } = await loaded(place)
        expect(await Promise.all([train, validation, test].map(levels))).toEqual([[10, 20, 30, 40], [70], [50, 60]])
        expect(summary).toMatch(/, without 1 beside its parts$/)
      }
  })
  it('are drawn from all pictures where only one part is there', async () => {
    for (const place of holds('only', files.slice(0, 4))) {
      const { train, validation, test } = await loaded(place)
      expect([train.count, validation.count, test.count]).toEqual([2, 1, 1])
    }
  })
})

describe('content', () => {
  const gif = Buffer.from('R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7', 'base64')
  const square = () => sharp({ create: { width: 2, height: 2, channels: 3, background: '#123' } })
  it.each([
    ['GIF', async () => gif, 'a GIF file'],
    ['WebP', () => square().webp().toBuffer(), 'a WebP file'],
    ['TIFF', () => square().tiff().toBuffer(), 'a TIFF file'],
    ['AVIF', () => square().avif().toBuffer(), 'an AVIF file'],
    [
      'SVG',
      async () => Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="2" height="2"/>'),
      'an SVG or XML file',
    ],
    [
      'SVG behind a declaration',
      async () => Buffer.from('<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" width="2" height="2"/>'),
      'an SVG or XML file',
    ],
    [
      'SVG behind a space',
      async () => Buffer.from('\n<svg xmlns="http://www.w3.org/2000/svg" width="2" height="2"/>'),
      'Input file contains unsupported image format',
    ],
    ['PDF', async () => Buffer.from('%PDF-1.7'), 'a PDF file'],
    ['BMP', async () => Buffer.from('BM123456789012345678901234567890'), 'a BMP file'],
    ['nothing', async () => Buffer.alloc(0), 'an empty file'],
    ['the start of a PNG', async () => Buffer.from(png(1)).subarray(0, 12), 'a truncated PNG file'],
    ['the start of a JPEG', async () => (await square().jpeg().toBuffer()).subarray(0, 30), 'a truncated JPEG file'],
  ])('that is %s is refused whatever its name, packed or not', async (kind, bytes, got) => {
    for (const name of ['a.png', 'a.jpg']) {
      const content = await bytes()
      const sentence = `expected a whole PNG or JPEG picture, got ${got}; replace it or remove it`
      expect(await said(images(dirname(put(`content ${kind}/${name}`, content))))).toContain(sentence)
      expect(await said(images(put('content.zip', zipBytes([[name, content]]))))).toContain(sentence)
    }
  })
  it('decides, not the name: a JPEG called .png and a PNG called .jpg', async () => {
    put('swapped/a.png', await square().jpeg().toBuffer())
    put('swapped/b.jpg', png(7))
    expect(await said(images(at('swapped')))).toBe('accepted')
  })
  it('may be progressive, and have metadata before its size', async () => {
    put(
      'rich/a.jpg',
      await square()
        .jpeg({ progressive: true })
        .withExif({ IFD0: { Copyright: 'x'.repeat(9000) } })
        .toBuffer(),
    )
    expect(await said(images(at('rich')))).toBe('accepted')
  })
  it('of many pixels in few bytes is refused before it is decoded', async () => {
    const header = Buffer.from(png(1))
    header.writeUInt32BE(2 ** 14, 16)
    header.writeUInt32BE(2 ** 13, 20)
    expect(await said(images(dirname(put('large/a.png', header))))).toMatch(
      /got 16384×8192 pixels, more than 67108864;/,
    )
    const jpeg = await square().jpeg().toBuffer()
    const frame = jpeg.indexOf(Buffer.from([0xff, 0xc0]))
    jpeg.writeUInt16BE(60_000, frame + 5)
    jpeg.writeUInt16BE(60_000, frame + 7)
    expect(await said(images(dirname(put('large jpeg/a.jpg', jpeg))))).toMatch(/got 60000×60000 pixels, more than/)
  })
  it('becomes three channels of any kind of picture, whatever its size', async () => {
    const kinds: ReadonlyArray<readonly [string, Uint8Array, number]> = [
      ['gray', encode({ width: 1, height: 1, channels: 1, depth: 8, data: Uint8Array.of(77) }), 77],
      ['gray with alpha', encode({ width: 1, height: 1, channels: 2, depth: 8, data: Uint8Array.of(77, 255) }), 77],
      ['transparent gray', encode({ width: 1, height: 1, channels: 2, depth: 8, data: Uint8Array.of(77, 0) }), 255],
      ['deep gray', encode({ width: 1, height: 1, channels: 1, depth: 16, data: Uint16Array.of(77 * 257) }), 77],
      [
        'deep gray with alpha',
        encode({ width: 1, height: 1, channels: 2, depth: 16, data: Uint16Array.of(77 * 257, 65535) }),
        77,
      ],
      [
        'deep with alpha',
        encode({
          width: 1,
          height: 1,
          channels: 4,
          depth: 16,
          data: Uint16Array.of(...Array(3).fill(77 * 257), 65535),
        }),
        77,
      ],
      ['palette', await sharp(png(77)).png({ palette: true }).toBuffer(), 77],
      ['CMYK', await sharp(png(255)).toColourspace('cmyk').jpeg().toBuffer(), 255],
      ['27×31', png(77, 27, 31), 77],
      ['1×300', png(77, 1, 300), 77],
    ]
    for (const [i, [, bytes]] of kinds.entries()) put(`kinds/${i}.png`, bytes)
    const set = orThrow(await images(at('kinds'))())
    expect(set.shape).toEqual([4, 4, 3])
    const all = await set.read(firstIndices(set.count))
    kinds.forEach(([kind, , level], i) => {
      for (const value of all.subarray(i * 48, i * 48 + 3)) expect(Math.abs(value - level), kind).toBeLessThanOrEqual(1)
    })
  })
})

describe('memory', () => {
  it('holds a few large entries of an archive at once', async () => {
    // 600 MB of a picture that goes on with zeros, in 3 MB
    const entry = Buffer.concat([png(7), Buffer.alloc(60_000_000)])
    const archive = zipBytes(
      Array.from({ length: 10 }, (_, i) => [`${i}.png`, entry] as const),
      () => true,
    )
    expect(archive.length).toBeLessThan(3e6)
    const set = orThrow(await images(put('bomb.zip', archive))())
    const before = process.memoryUsage().rss
    let peak = before
    const watch = setInterval(() => {
      peak = Math.max(peak, process.memoryUsage().rss)
    }, 5)
    expect([...(await set.read(firstIndices(10)))].every((level) => level === 7)).toBe(true)
    clearInterval(watch)
    expect(Math.max(peak, process.memoryUsage().rss) - before).toBeLessThan(400e6)
  })
  it('is bounded by weights, in the order of the tasks, and one of any weight runs', async () => {
    const limit = weightedLimit(10)
    let [used, most] = [0, 0]
    const order: number[] = []
    const weights = [4, 4, 4, 25, 1, 9, 10, 0]
    await Promise.all(
      weights.map((weight, i) =>
        limit(weight, async () => {
          order.push(i)
          used += weight
          most = Math.max(most, used)
          if (weight === 25) expect(used).toBe(25)
          else expect(used).toBeLessThanOrEqual(10)
          await new Promise((next) => setImmediate(next))
          used -= weight
        }),
      ),
    )
    expect(order).toEqual([...weights.keys()])
    expect(most).toBe(25)
    await expect(limit(3, () => Promise.reject(new Error('no')))).rejects.toThrow('no')
    expect(await limit(10, async () => 'still runs')).toBe('still runs')
  })
})
