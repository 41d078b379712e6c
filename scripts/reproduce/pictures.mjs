/**
 * The pictures of `docs/results.md`: those that reports, `diffeo reconstruct` and `diffeo interpolate` left in the
 * folders of runs, in few colours and no wider than the page.
 */
import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import sharp from 'sharp'

const plane = 'density with training points, samples, and the grid of z as the inverse bends it'
const shown = [
  { run: 'moons', file: 'plane.png', about: `two moons: ${plane}` },
  { run: 'moons', file: 'curves.png', about: 'two moons: nats of batches and of validation' },
  { run: 'eight-gaussians', file: 'plane.png', about: `eight Gaussians: ${plane}` },
  { run: 'mnist', file: 'curves.png', about: 'MNIST: bits/dim of batches and of validation' },
  { run: 'mnist', file: 'temperatures.png', about: 'MNIST: the same draws at temperatures 0.5, 0.7, 0.85 and 1' },
  {
    run: 'mnist',
    file: 'scales.png',
    about: 'MNIST: test images; below, the finer latents drawn anew, one scale more in each row',
  },
  { run: 'mnist', file: 'reconstructions.png', about: 'MNIST: test images, and f⁻¹(f(x)) below' },
  { run: 'mnist', file: 'interpolations.png', about: 'MNIST: the manifold that four test images span in latent space' },
]

const nameOf = (/** @type {typeof shown[number]} */ { run, file }) => `${run}-${file}`
const WIDEST = 1000

/** Brings the pictures of the runs that are there; those of others stay as they are. */
export const bringPictures = async (/** @type {string} */ out, /** @type {string} */ folder) => {
  mkdirSync(folder, { recursive: true })
  for (const picture of shown) {
    const from = join(out, picture.run, picture.file)
    if (!existsSync(from)) continue
    const small = sharp(from).resize({ width: WIDEST, withoutEnlargement: true }).flatten({ background: 'white' })
    await small.png({ palette: true, compressionLevel: 9 }).toFile(join(folder, nameOf(picture)))
  }
}

/** What the page says of the pictures that are there. */
export const picturesSection = (/** @type {string} */ folder) => {
  const there = shown.filter((picture) => existsSync(join(folder, nameOf(picture))))
  if (there.length === 0) return ''
  const each = there.map((picture) => `${picture.about}:\n\n![${picture.about}](pictures/${nameOf(picture)})\n\n`)
  return `## Pictures\n\nOf the runs in the table, by \`diffeo report\` and \`diffeo interpolate\`.\n\n${each.join('')}`
}
