import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { firstIndices } from 'diffeo/data'
import { asError, findPictures, loadData, orThrow, pictureSet } from 'diffeo/fp'
import { encodePng } from 'diffeo/image'
import fc from 'fast-check'
import { encode } from 'fast-png'
import * as E from 'fp-ts/lib/Either.js'
import { pipe } from 'fp-ts/lib/function.js'
import * as TE from 'fp-ts/lib/TaskEither.js'
import sharp from 'sharp'
import { describe, expect, it } from 'vitest'
import { parsePartition } from '../../src/data/celeba.js'
import { ownFolder, said, zipBytes } from './files.js'

const at = ownFolder()
const put = (name: string, bytes: Uint8Array | string): string => {
  mkdirSync(dirname(at(name)), { recursive: true })
  writeFileSync(at(name), bytes)
  return at(name)
}
const plain = (width: number, height: number, colour: readonly [number, number, number]): Uint8Array =>
  encodePng({
    width,
    height,
    channels: 3,
    data: Uint8Array.from({ length: width * height * 3 }, (_, i) => colour[i % 3]!),
  })
/** A face of CelebA's size: the colour inside of the paper's crop, white outside. */
const face = (colour: readonly [number, number, number]): Promise<Buffer> => {
  const data = Buffer.alloc(218 * 178 * 3, 255)
  for (let y = 40; y < 188; y++) for (let x = 15; x < 163; x++) data.set(colour, (y * 178 + x) * 3)
  return sharp(data, { raw: { width: 178, height: 218, channels: 3 } })
    .jpeg({ quality: 100, chromaSubsampling: '4:4:4' })
    .toBuffer()
}
const images = (folder: string, size = 4) =>
  pipe(
    findPictures(folder),
    TE.flatMap((pictures) => pictureSet('pictures', pictures, { size })),
  )

describe('a folder of pictures', () => {
  it('has those in folders inside, by name, gray, transparent and deep ones too', async () => {
    put('mixed/b/2.png', plain(9, 5, [10, 20, 30]))
    put(
      'mixed/a.JPG',
      await sharp({ create: { width: 8, height: 8, channels: 3, background: '#f00' } })
        .jpeg()
        .toBuffer(),
    )
    put('mixed/c.png', encode({ width: 1, height: 1, channels: 1, depth: 8, data: Uint8Array.of(77) }))
    put('mixed/d.png', encode({ width: 1, height: 1, channels: 4, depth: 8, data: Uint8Array.of(9, 9, 9, 0) }))
    put('mixed/e.png', encode({ width: 1, height: 1, channels: 3, depth: 16, data: Uint16Array.of(65535, 0, 32896) }))
    put('mixed/notes.txt', 'no picture')
    put('mixed/.hidden.png', 'no picture')
    const set = orThrow(await images(at('mixed'))())
    expect([set.count, ...set.shape]).toEqual([5, 4, 4, 3])
    const all = await set.read(firstIndices(5))
    const first = (i: number) => [...all.subarray(i * 48, i * 48 + 3)]
    expect([254, 255]).toContain(first(0)[0])
    expect([1, 2, 3, 4].map(first)).toEqual([
      [10, 20, 30],
      [77, 77, 77],
      [255, 255, 255],
      [255, 0, 128],
    ])
  })
  it('keeps the square in the middle, and averages over what a pixel covers', async () => {
    const stripes = Uint8Array.from(
      { length: 12 * 4 * 3 },
      (_, i) => [0, 200, 0][Math.floor((Math.floor(i / 3) % 12) / 4)]!,
    )
    put('wide/a.png', encodePng({ width: 12, height: 4, channels: 3, data: stripes }))
    expect(new Set(await orThrow(await images(at('wide'))()).read(firstIndices(1)))).toEqual(new Set([200]))
    const fine = Uint8Array.from({ length: 64 * 64 }, (_, i) => (i % 2 === 0 ? 0 : 200))
    put('fine/a.png', encodePng({ width: 64, height: 64, channels: 1, data: fine }))
    const [least, most] = ((list) => [Math.min(...list), Math.max(...list)])([
      ...(await orThrow(await images(at('fine'))()).read(firstIndices(1))),
    ])
    expect(least).toBeGreaterThan(90)
    expect(most).toBeLessThan(110)
  })
  it('turns pictures as their cameras say', async () => {
    const rows = Uint8Array.from({ length: 8 * 8 * 3 }, (_, i) => (i < 96 ? 0 : 200))
    const of = (orientation: number) =>
      sharp(rows, { raw: { width: 8, height: 8, channels: 3 } })
        .withMetadata({ orientation })
        .png()
        .toBuffer()
    // as they are, on their heads, and to the right: what was above is left of the viewer no more
    for (const [i, orientation] of [1, 3, 6].entries()) put(`turned/${i}.png`, await of(orientation))
    const all = await orThrow(await images(at('turned'), 8)()).read(firstIndices(3))
    const level = (i: number, y: number, x: number) => all[3 * (64 * i + 8 * y + x)]
    const corners = [0, 1, 2].map((i) => [level(i, 1, 1), level(i, 1, 6), level(i, 6, 1), level(i, 6, 6)])
    expect(corners).toEqual([
      [0, 0, 200, 200],
      [200, 200, 0, 0],
      [200, 0, 200, 0],
    ])
  })
  it('has no folder of such a name, and says which link leads nowhere', async () => {
    put('named/a.png', plain(2, 2, [1, 2, 3]))
    put('named/folder.png/b.png', plain(2, 2, [4, 5, 6]))
    expect(orThrow(await findPictures(at('named'))()).names).toEqual(['a.png', 'folder.png/b.png'])
    symlinkSync('loop.png', at('named/loop.png'))
    expect(await said(findPictures(at('named')))).toMatch(/^read .*named.loop\.png: expected .*, got .*ELOOP/)
    rmSync(at('named/loop.png'))
    symlinkSync('nothing', at('named/gone.png'))
    expect(await said(findPictures(at('named')))).toMatch(/^read .*named.gone\.png: expected a file, got nothing there/)
  })
  it('is shared out, or has its own parts', async () => {
    for (let i = 0; i < 20; i++) put(`own/${i}.png`, plain(2, 2, [i, 0, 0]))
    const options = { name: 'folder', validation: 3, seed: 0, size: 16 } as const
    const own = orThrow(await loadData({ ...options, folder: at('own') })())
    expect([own.train.count, own.validation.count, own.test.count, own.flips]).toEqual([15, 3, 2, true])
    for (let i = 0; i < 6; i++) put(`parts/${i < 4 ? 'train' : 'test'}/${i}.png`, plain(2, 2, [i, 0, 0]))
    const parts = orThrow(await loadData({ ...options, folder: at('parts') })())
    expect([parts.train.count, parts.validation.count, parts.test.count]).toEqual([1, 3, 2])
    expect(parts.train.shape).toEqual([16, 16, 3])
    // one part alone is a folder like any other
    for (let i = 0; i < 20; i++) put(`one/train/${i}.png`, plain(2, 2, [i, 0, 0]))
    const one = orThrow(await loadData({ ...options, folder: at('one') })())
    expect([one.train.count, one.validation.count, one.test.count]).toEqual([15, 3, 2])
  })
  it.each([
    ['no folder', () => at('nowhere'), /read .*nowhere: expected a folder of pictures, got nothing there/],
    [
      'no picture',
      () => dirname(put('text/a.txt', 'a')),
      /expected pictures \(.png, .jpg, .jpeg\), got none; name a folder or a .zip/,
    ],
    [
      'a foreign file',
      () => dirname(put('foreign/a.png', 'hello')),
      /a.png: expected a whole PNG or JPEG picture, got Input file contains unsupported image format; replace it/,
    ],
    [
      'a truncated file',
      () => dirname(put('cut/a.png', plain(99, 99, [1, 2, 3]).subarray(0, 90))),
      /cut.a.png: expected a whole PNG or JPEG picture, got/,
    ],
    [
      'a header that claims 65535×65535',
      () => {
        const bytes = Buffer.from(plain(1, 1, [0, 0, 0]))
        bytes.writeUInt32BE(65535, 16)
        bytes.writeUInt32BE(65535, 20)
        return dirname(put('bomb/a.png', bytes))
      },
      /bomb.a.png: expected a whole PNG or JPEG picture, got/,
    ],
  ])('says what is wrong: %s', async (_, folder, sentence) => expect(await said(images(folder()))).toMatch(sentence))
  it('answers an image or a sentence for any damage to a PNG or a JPEG', async () => {
    const good = [Buffer.from(plain(9, 9, [1, 2, 3])), await face([9, 9, 9])]
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...good),
        fc.array(fc.tuple(fc.nat(2000), fc.nat(255)), { minLength: 1, maxLength: 8 }),
        fc.option(fc.nat(3000)),
        async (whole, edits, cut) => {
          const bytes = Buffer.from(whole.subarray(0, cut ?? whole.length))
          for (const [i, v] of edits) if (i < bytes.length) bytes[i] = v
          const folder = dirname(put('fuzz/a.png', bytes))
          expect(await said(images(folder))).toMatch(/^accepted$|a\.png: expected a whole PNG or JPEG picture, got/)
        },
      ),
      { numRuns: 300 },
    )
  })
  it('stays within a bound of memory, however many pictures there are', async () => {
    const noise = Uint8Array.from({ length: 800 * 800 * 3 }, (_, i) => (i * 2654435761) >>> 24)
    const picture = encodePng({ width: 800, height: 800, channels: 3, data: noise })
    for (let i = 0; i < 100; i++) put(`many/${i}.png`, picture)
    const set = orThrow(await images(at('many'), 32)())
    const before = process.memoryUsage().rss
    // 192 MB of pixels as they are decoded
    for (let i = 0; i < 100; i += 20) await set.read(firstIndices(20).map((n) => n + i))
    expect(process.memoryUsage().rss - before).toBeLessThan(150e6)
  })
})

describe('a zip archive', () => {
  const pictures = [0, 1, 2, 3].map((i) => [`faces/${i}.png`, plain(3, 3, [i, 50, 60])] as const)
  const archive = zipBytes([...pictures, ['faces/readme.txt', Buffer.from('no picture')]])
  it('is a folder of pictures, stored and deflated', async () => {
    const set = orThrow(await images(put('faces.zip', archive))())
    expect(set.count).toBe(4)
    const read = await set.read(Uint32Array.of(3, 0, 1))
    expect([0, 48, 96].map((i) => [...read.subarray(i, i + 3)])).toEqual([
      [3, 50, 60],
      [0, 50, 60],
      [1, 50, 60],
    ])
  })
  it('is refused if it is cut, or is none, or leads out of itself', async () => {
    expect(await said(images(put('cut.zip', archive.subarray(0, 300))))).toMatch(
      /cut.zip: expected a whole zip archive, got .*; download it again/,
    )
    expect(await said(images(put('none.zip', '')))).toMatch(/none.zip: expected a whole zip archive/)
    expect(await said(images(put('tricks.zip', zipBytes([['../../a.png', pictures[0]![1]]]))))).toMatch(
      /invalid relative path/,
    )
  })
  it('names a picture of which a byte has changed, which a decoder may not see', async () => {
    const photo = await face([200, 100, 50])
    const whole = zipBytes([
      ['a.jpg', photo],
      ['b.png', pictures[1]![1]],
    ])
    const read = (bytes: Uint8Array) =>
      pipe(
        images(put('changed.zip', bytes)),
        TE.flatMap((set) => TE.tryCatch(() => set.read(firstIndices(2)), asError)),
      )
    expect(await said(read(whole))).toBe('accepted')
    // stored: among the coefficients of the photograph
    const stored = Buffer.from(whole)
    stored[whole.indexOf(photo) + photo.length - 100]! ^= 1
    // deflated: as well as if its checksum had changed
    const deflated = Buffer.from(whole)
    deflated[whole.lastIndexOf('PK\x01\x02') + 16]! ^= 1
    for (const [name, bytes] of [
      ['a.jpg', stored],
      ['b.png', deflated],
    ] as const)
      expect(await said(read(bytes))).toMatch(
        new RegExp(
          `changed.zip: ${name}: expected a whole entry, got other bytes than its CRC-32 says; download it again`,
        ),
      )
  })
  it('is refused if an entry says that it is huge', async () => {
    const bytes = Buffer.from(archive)
    const directory = bytes.indexOf('PK\x01\x02')
    bytes.writeUInt32LE(2 ** 31, directory + 20)
    bytes.writeUInt32LE(2 ** 31, directory + 24)
    expect(await said(images(put('huge.zip', bytes)))).toMatch(
      /0.png is encrypted, packed in an unknown way, or larger than/,
    )
  })
  it('answers images or a sentence for any damage', () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(archive.length - 1), fc.nat(255)), { minLength: 1, maxLength: 6 }),
        fc.option(fc.nat(archive.length), { freq: 4 }),
        async (edits, cut) => {
          const bytes = Buffer.from(archive.subarray(0, cut ?? archive.length))
          for (const [i, v] of edits) if (i < bytes.length) bytes[i] = v
          const read = pipe(
            images(put('fuzz.zip', bytes)),
            TE.flatMap((set) =>
              TE.tryCatch(
                () => set.read(firstIndices(set.count)),
                (thrown) => (thrown as { error: never }).error,
              ),
            ),
          )
          expect(await said(read)).toMatch(/^accepted$|fuzz.zip.*: expected .*, got /s)
        },
      ),
      { numRuns: 500 },
    ))
})

describe('CelebA', () => {
  const colours = [0, 1, 2, 3, 4].map((i) => [40 * i, 100, 200] as const)
  const names = colours.map((_, i) => `00000${i + 1}.jpg`)
  const options = { name: 'celeba', validation: 1, seed: 0 } as const
  it('is the crop of the paper, at either size, from a folder or its archive', async () => {
    const faces = await Promise.all(colours.map(face))
    for (const [i, bytes] of faces.entries()) put(`celeba/img_align_celeba/${names[i]}`, bytes)
    put('zipped/img_align_celeba.zip', zipBytes(faces.map((bytes, i) => [`img_align_celeba/${names[i]}`, bytes])))
    for (const [folder, size] of [
      ['celeba', 64],
      ['zipped', 32],
    ] as const) {
      const data = orThrow(await loadData({ ...options, folder: at(folder), size })())
      expect([data.train.count, data.validation.count, data.test.count, ...data.train.shape]).toEqual([
        3,
        1,
        1,
        size,
        size,
        3,
      ])
      // no white of outside of the crop in the corners
      const image = await data.test.read(firstIndices(1))
      for (const place of [0, size - 1, size * (size - 1), size * size - 1]) {
        expect(Math.abs(image[3 * place + 1]! - 100)).toBeLessThan(12)
        expect(Math.abs(image[3 * place + 2]! - 200)).toBeLessThan(12)
      }
      expect(data.summary).toMatch(/5 of the 202,599 photographs, without list_eval_partition.txt/)
    }
  })
  it('has the parts of its authors where they are known', async () => {
    put('celeba/list_eval_partition.txt', names.map((name, i) => `${name} ${[0, 2, 1, 0, 1][i]}\n`).join(''))
    const data = orThrow(await loadData({ ...options, validation: 2, folder: at('celeba') })())
    const reds = async (set: typeof data.train) => {
      const images = await set.read(firstIndices(set.count))
      return Array.from({ length: set.count }, (_, i) => Math.round(images[i * 64 * 64 * 3 + 64 * 3 * 32 + 96]! / 40))
    }
    expect(await Promise.all([data.train, data.validation, data.test].map(reds))).toEqual([[0, 3], [2, 4], [1]])
    expect(data.summary).toMatch(
      /5 of the 202,599 .*, in parts of 2 \+ 2 \+ 1 by its list, which are not the official 162,770 \+/,
    )
  })
  it('says what to download, and what is wrong', async () => {
    mkdirSync(at('void'))
    expect(await said(loadData({ ...options, folder: at('void') }))).toMatch(
      /expected pictures .*, got none; download img_align_celeba.zip and list/,
    )
    put('small/1.png', plain(64, 64, [1, 2, 3]))
    expect(await said(loadData({ ...options, folder: at('small') }))).toMatch(
      /1.png: expected a whole PNG or JPEG picture of at least 163×188 pixels, got/,
    )
    expect(await said(loadData({ ...options, folder: at('celeba'), size: 48 }))).toBe(
      'size: expected one of 64, 32, got 48',
    )
    put('parted/000001.jpg', await face([1, 2, 3]))
    put('parted/list_eval_partition.txt', '000001.jpg 0\n000002.jpg 1\n')
    expect(await said(loadData({ ...options, folder: at('parted') }))).toMatch(
      /list_eval_partition\.txt: expected photographs of its validation part, got none in the folder; download img_align/,
    )
    expect(await said(TE.fromEither(parsePartition('list')('000001.jpg 0\n000002.jpg 7')))).toMatch(
      /list line 2: expected a file name and 0, 1 or 2, got '000002.jpg 7'/,
    )
  })
  it('reads any partition or says which line is none', () =>
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc
            .array(fc.constantFrom('a.jpg 0', 'b.jpg 2', ' e.jpg\t1 ', 'a.jpg 1', 'c 3', 'c constructor', '', 'd'))
            .map((l) => l.join('\n')),
        ),
        (text) => {
          const lines = text.split(/\r?\n/).filter((line) => line.trim() !== '')
          const good = lines.map((line) => /^\s*(\S+)\s+([012])(\s|$)/.exec(line))
          const wrong = good.indexOf(null)
          expect(parsePartition('list')(text)).toEqual(
            wrong < 0
              ? E.right(new Map(good.map((found) => [found![1], ['train', 'validation', 'test'][Number(found![2])]])))
              : E.left(
                  expect.objectContaining({ op: `list line ${wrong + 1}`, expected: 'a file name and 0, 1 or 2' }),
                ),
          )
        },
      ),
    ))
})
