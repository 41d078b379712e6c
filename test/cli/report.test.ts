/** `diffeo report`: one page of a run of images, one of a run of points. */
import { existsSync, readFileSync } from 'node:fs'
import { orThrow } from 'diffeo'
import { decode } from 'fast-png'
import { pipe } from 'fp-ts/lib/function.js'
import * as TE from 'fp-ts/lib/TaskEither.js'
import { beforeAll, describe, expect, it } from 'vitest'
import { version } from '../../src/cli/about.js'
import { firstBatch, keysOf } from '../../src/cli/examples.js'
import { samplePicture } from '../../src/cli/pictures.js'
import { examplesOf, withRun } from '../../src/cli/run.js'
import { boxAround } from '../../src/report/plane.js'
import { diffeo, type Ended, fewImages, ioOf, small, temporary } from './support.js'

const { folder, at } = temporary('report')
const read = (path: string) => readFileSync(at(path), 'utf8')

/** Names and values at the top of a page. */
const factsOf = (page: string) =>
  Object.fromEntries([...page.matchAll(/<th>([^<]*)<\/th><td>([^<]*)<\/td>/g)].map(([, name, value]) => [name, value]))

/** The plots in a page, as text. */
const plotsOf = (page: string) =>
  [...page.matchAll(/data:image\/svg\+xml;base64,([^"]+)/g)].map(([, data]) => Buffer.from(data!, 'base64').toString())

const steps = ['--steps', '20', '--validate-every', '10']
let trained: Ended

beforeAll(async () => {
  await fewImages(at('few images'))
  const images = ['mnist', '--data', at('few images'), ...small]
  trained = await diffeo(folder, 'train', ...images, ...steps, '--seed', '3', '--out', 'images')
  await diffeo(folder, 'train', 'moons', '--hidden', '8', ...steps, '--out', 'points', '--no-report')
})

describe('a report', () => {
  it('is written at the end of a run of images, and tells what its files tell', () => {
    const { code, err, out } = trained
    expect([code, err]).toEqual([0, ''])
    expect(out).toContain(
      'images/report.html\nimages/curves.svg\nimages/curves.png\nimages/histogram.svg\nimages/histogram.png\nimages/temperatures.png\nimages/scales.png\nimages/events.out.tfevents.diffeo',
    )
    const page = read('images/report.html')
    const { mean, count, worst, each } = JSON.parse(read('images/evaluation.json'))
    const [{ command, engine, versions, began }] = JSON.parse(read('images/about.json'))
    for (const said of [
      `${mean.toFixed(4)} bits/dim on ${count} examples, worst ${worst.toFixed(3)}`,
      'realnvp on mnist',
    ])
      expect(page).toContain(said)
    // the command as it can be pasted: the folder has a space in its name
    expect(command).toBe(
      `diffeo train mnist --data '${at('few images')}' ${[...small, ...steps].join(' ')} --seed 3 --out images`,
    )
    expect(versions).toBe(`diffeo ${version}, Node ${process.versions.node}, ${process.platform} ${process.arch}`)
    expect(engine).toMatch(/^engine \w+ /)
    expect(factsOf(page)).toMatchObject({
      command,
      seed: '3',
      '': `${began}, ${engine}, ${versions}`,
      'this page': engine,
    })
    // the least and the most likely, by name of their figures
    expect(page).toContain(`least likely: ${worst.toFixed(3)} to `)
    expect(page).toContain(`likeliest: ${Math.min(...each).toFixed(3)} to `)
    // the figure of each example as bars that count them all, and latents with their mean and deviation
    const plots = plotsOf(page)
    for (const title of ['loss', '53 test examples', 'latent 1, and the standard normal'])
      expect(
        plots.some((plot) => plot.includes(`>${title}<`)),
        title,
      ).toBe(true)
    expect(page.match(/<figcaption>z\d: mean -?\d\.\d{3}, standard deviation \d\.\d{3}</g)).toHaveLength(2)
    for (const title of [
      'Learning',
      'Samples',
      'What each scale holds',
      'Reconstruction',
      'Likeliest and least likely',
      '−log p of each test example',
      'Samples as it learned',
      'Latents of test examples',
    ])
      expect(page).toContain(`<h2>${title}</h2>`)
    expect(page).toContain('step 10')
    expect(page).not.toMatch(/(src|href)="(?!data:)/)
    expect(read('images/curves.svg')).toContain('validation')
    // two pixels for each unit of the plot, and as many colours as its lines have
    const { width, channels } = decode(readFileSync(at('images/curves.png')))
    expect([width > 1100, channels]).toEqual([true, 4])
    expect(read('images/histogram.svg')).toContain('53 test examples')
    // twelve samples in each of four rows
    const rows = decode(readFileSync(at('images/temperatures.png')))
    expect([rows.width, rows.height]).toEqual([2 + 12 * 30, 2 + 4 * 30])
    expect(existsSync(at('images/scales.png'))).toBe(true)
    expect(read('images/events.out.tfevents.diffeo')).toContain('learningRate')
  })
  it('tells of a run of points what the plane looks like', async () => {
    expect(existsSync(at('points/report.html'))).toBe(false)
    expect((await diffeo(folder, 'report', 'points')).code).toBe(0)
    const page = read('points/report.html')
    for (const said of ['<h2>The plane</h2>', 'least possible', 'nats on 10000 examples']) expect(page).toContain(said)
    expect(read('points/plane.svg')).toContain('training points, and the grid of z')
    const { width, height } = decode(readFileSync(at('points/plane.png')))
    expect(width / height).toBeGreaterThan(2)
  })
  it('shows the same part of the plane at every step, with the points that are drawn in it', async () => {
    const [first, second] = [10, 20].map((step) => decode(readFileSync(at(`points/progress/${step}.png`))))
    const white = ({ data, channels }: typeof first & object) =>
      Array.from({ length: data.length / channels }, (_, i) => data.subarray(i * channels, i * channels + 3)).filter(
        (pixel) => pixel.every((level) => level === 255),
      ).length
    expect([white(first!) > 500, white(second!) > 500]).toEqual([true, true])
    // the part that the first batch takes, and not that of the samples
    const drawn = await withRun(at('points'), { engine: 'auto' }, ioOf([]), (run) =>
      pipe(
        examplesOf(run, { engine: 'auto' }),
        TE.flatMap((data) => async () => {
          const own = { n: 300, box: boxAround(await firstBatch(data)) }
          return samplePicture(run.flow, run.params, keysOf(run.config.recipe.seed).sample, own)
        }),
      ),
    )()
    expect(Buffer.from(orThrow(drawn).data).equals(Buffer.from(second!.data))).toBe(true)
  })
  it('says what is missing where there is no run', async () => {
    const { code, err } = await diffeo(folder, 'report', 'nothing')
    expect([code, err]).toEqual([1, expect.stringMatching(/^diffeo: run nothing: expected a checkpoint, got none/)])
    expect(existsSync(at('nothing'))).toBe(false)
  })
})
