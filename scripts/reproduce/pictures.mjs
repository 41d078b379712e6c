/**
 * Copies the pictures of `docs/results.md` from the folders of runs, where `diffeo report`, `diffeo reconstruct` and
 * `diffeo interpolate` wrote them. It reduces their colours, and their width to that of the page.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import sharp from 'sharp'
import { recordOf } from './page.mjs'

const plane = 'density with training points, samples, and a grid of z mapped by the inverse'
const [moons, eight, mnist] = [
  { run: 'moons', title: 'two moons' },
  { run: 'eight-gaussians', title: 'eight Gaussians' },
  { run: 'mnist', title: 'MNIST' },
]
const shown = [
  { ...moons, file: 'plane.png', about: plane },
  { ...moons, file: 'curves.png', about: 'training and validation loss in nats' },
  { ...eight, file: 'plane.png', about: plane },
  { ...mnist, file: 'curves.png', about: 'training and validation loss in bits/dim' },
  { ...mnist, file: 'temperatures.png', about: 'the same draws at temperatures 0.5, 0.7, 0.85 and 1, a row each' },
  {
    ...mnist,
    file: 'scales.png',
    about: 'test images; below, the finer latents resampled, one more scale in each row',
  },
  { ...mnist, file: 'reconstructions.png', about: 'test images, and f⁻¹(f(x)) below' },
  { ...mnist, file: 'interpolations.png', about: 'the manifold spanned by four test images in latent space' },
]

/** The run of each picture. This file is kept with the pictures, because the folders of runs may be deleted. */
const RUNS = 'runs.json'
const runsOf = (/** @type {string} */ folder) =>
  existsSync(join(folder, RUNS)) ? JSON.parse(readFileSync(join(folder, RUNS), 'utf8')) : {}

const nameOf = (/** @type {typeof shown[number]} */ { run, file }) => `${run}-${file}`
const WIDEST = 1000

/** Copies the pictures of the runs in `out`. Pictures of other runs stay as they are. */
export const copyPictures = async (/** @type {string} */ out, /** @type {string} */ folder) => {
  mkdirSync(folder, { recursive: true })
  const runs = runsOf(folder)
  for (const picture of shown) {
    const from = join(out, picture.run, picture.file)
    if (!existsSync(from)) continue
    const { command, evaluation } = recordOf(join(out, picture.run))
    runs[picture.run] = { command, step: evaluation.step }
    const small = sharp(from).resize({ width: WIDEST, withoutEnlargement: true }).flatten({ background: 'white' })
    await small.png({ palette: true, compressionLevel: 9 }).toFile(join(folder, nameOf(picture)))
  }
  writeFileSync(join(folder, RUNS), `${JSON.stringify(runs, undefined, 2)}\n`)
}

/**
 * The section of pictures. It says so where a picture is of another run than the row of that name.
 *
 * @param {string} folder
 * @param {readonly import('./page.mjs').Run[]} results
 */
export const picturesSection = (folder, results) => {
  const there = shown.filter((picture) => existsSync(join(folder, nameOf(picture))))
  if (there.length === 0) return ''
  const runs = runsOf(folder)
  const each = there.map((picture, i) => {
    const { command, step } = runs[picture.run]
    const row = results.find(({ name }) => name === picture.run)
    const other =
      row?.evaluation === undefined || (row.command === command && row.evaluation.step === step)
        ? ''
        : ` This is a different run from the row above, which has ${row.evaluation.step} steps.`
    const begins =
      picture.run === there[i - 1]?.run ? '' : `### ${picture.title}\n\n\`npx ${command}\`, step ${step}.${other}\n\n`
    return `${begins}![${picture.title}: ${picture.about}](pictures/${nameOf(picture)})\n\n${picture.about}\n\n`
  })
  return `## Pictures\n\n\`diffeo report\` and \`diffeo interpolate\` drew these.\n\n${each.join('')}`
}
