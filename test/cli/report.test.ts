/** `diffeo report`: one page of a run of images, one of a run of points. */
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { decode } from 'fast-png'
import protobuf from 'protobufjs/light.js'
import { beforeAll, describe, expect, it } from 'vitest'
import { reportRun } from '../../src/cli/commands/report.js'
import { samplePicture } from '../../src/cli/evaluation/pictures.js'
import { version } from '../../src/cli/run/about.js'
import { firstBatch, keysOf } from '../../src/cli/run/examples.js'
import { examplesIn, flowFor } from '../../src/cli/run/given.js'
import { examplesOf, withRun } from '../../src/cli/run/open-run.js'
import { boxAround } from '../../src/report/plane.js'
import { latentTensors, unwrap } from '../../src/tensor/tensor.js'
import { diffeo, type Ended, fewImages, ioOf, small, temporary, testImage, tile } from './support.js'

const { folder, at } = temporary('report')
const read = (path: string) => readFileSync(at(path), 'utf8')

/** Names and values at the top of a page. */
const factsOf = (page: string) =>
  Object.fromEntries([...page.matchAll(/<th>([^<]*)<\/th><td>([^<]*)<\/td>/g)].map(([, name, value]) => [name, value]))

/** The plots in a page, as text. */
const plotsOf = (page: string) =>
  [...page.matchAll(/data:image\/svg\+xml;base64,([^"]+)/g)].map(([, data]) => Buffer.from(data!, 'base64').toString())

/** The picture of the figure whose caption begins so. */
const pictureOf = (page: string, caption: string) =>
  Buffer.from(new RegExp(`<img src="data:image/png;base64,([^"]+)" alt="${caption}`).exec(page)?.[1] ?? '', 'base64')

/** The events of TensorBoard's file, after its header: by their numbers alone. */
const eventsIn = (bytes: Buffer) => {
  const field = (type: string, id: number) => ({ type, id })
  const { Event } = protobuf.Root.fromJSON({
    nested: {
      Event: { fields: { wallTime: field('double', 1), step: field('int32', 2), summary: field('Summary', 5) } },
      Summary: { fields: { value: { ...field('Value', 1), rule: 'repeated' } } },
      Value: { fields: { tag: field('string', 1), simpleValue: field('float', 2) } },
    },
  }).nested as { readonly Event: protobuf.Type }
  const events: Record<string, never>[] = []
  for (let at = 0; at < bytes.length; ) {
    const size = Number(bytes.readBigUInt64LE(at))
    events.push(Event.toObject(Event.decode(bytes.subarray(at + 12, at + 12 + size))) as never)
    at += 16 + size
  }
  return events.slice(1) as unknown as readonly {
    readonly wallTime: number
    readonly step: number
    readonly summary: { readonly value: readonly { readonly tag: string; readonly simpleValue: number }[] }
  }[]
}

const linesOf = (path: string) =>
  read(path)
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Readonly<Record<string, number | string | boolean>>)

const steps = ['--steps', '24', '--validate-every', '10']
let trained: Ended

beforeAll(async () => {
  await fewImages(at('few images'))
  const images = ['mnist', '--data', at('few images'), ...small]
  trained = await diffeo(folder, 'train', ...images, ...steps, '--seed', '3', '--out', 'images')
  const points = ['--steps', '20', '--validate-every', '10', '--out', 'points']
  await diffeo(folder, 'train', 'moons', '--hidden', '8', ...points, '--no-report')
})

describe('a report', () => {
  it('is written at the end of a run of images, and tells what its files tell', () => {
    const { code, err, out } = trained
    expect([code, err]).toEqual([0, ''])
    expect(out).toContain(
      'images/report.html\nimages/curves.svg\nimages/curves.png\nimages/histogram.svg\nimages/histogram.png\nimages/temperatures.png\nimages/scales.png\nimages/events.out.tfevents.diffeo',
    )
    const page = read('images/report.html')
    const { mean, count, worst, worstIndex, each } = JSON.parse(read('images/evaluation.json'))
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
    expect(worst).toBe(each[worstIndex])
    const likeliest = each.indexOf(Math.min(...each))
    for (const [caption, index] of [
      ['least likely', worstIndex],
      ['likeliest', likeliest],
    ] as const)
      expect(tile(pictureOf(page, `${caption}: `), 0, 12), caption).toEqual([...testImage(at('few images'), index)])
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
  })
  it('has the metrics of the run as events, one for each line', () => {
    const lines = linesOf('images/metrics.jsonl')
    const events = eventsIn(readFileSync(at('images/events.out.tfevents.diffeo')))
    expect(lines.map(({ step }) => step)).toEqual([10, 10, 20, 20])
    expect(events.map(({ step }) => step)).toEqual(lines.map(({ step }) => step))
    const began = Date.parse(JSON.parse(read('images/about.json'))[0].began) / 1000
    for (const [i, { time, ...line }] of lines.entries()) {
      expect(events[i]!.wallTime).toBeCloseTo(began + Number(time), 5)
      const { step: _, images: __, ...numbers } = line
      const told = Object.entries(numbers).filter(([, value]) => typeof value === 'number')
      expect(told.length).toBeGreaterThan(1)
      expect(events[i]!.summary.value).toEqual(
        told.map(([tag, value]) => ({ tag, simpleValue: Math.fround(Number(value)) })),
      )
    }
  })
  it('has the mean and the deviation of the latents', async () => {
    const said: string[] = []
    const parts = await withRun(at('images'), { engine: 'auto' }, ioOf(said), async (run) => {
      const { test } = await examplesOf(run, { engine: 'auto' })
      const batch = await test.at(0)
      const [z] = flowFor(run.flow, batch).bijector.bind(run.params).forward(examplesIn(batch))
      return latentTensors(z).map((part) => Array.from(unwrap(part).dataSync()))
    })
    const told = [
      ...read('images/report.html').matchAll(/<figcaption>z\d: mean ([-\d.]+), standard deviation ([\d.]+)</g),
    ]
    expect([told.length, parts.length]).toEqual([2, 2])
    for (const [i, z] of parts.entries()) {
      const mean = z.reduce((a, b) => a + b, 0) / z.length
      const deviation = Math.sqrt(z.reduce((a, b) => a + (b - mean) ** 2, 0) / z.length)
      expect(deviation).toBeGreaterThan(0.1)
      for (const [j, own] of [mean, deviation].entries())
        expect(Math.abs(Number(told[i]![j + 1]) - own)).toBeLessThan(0.002)
    }
  })
  it('tells the steps of its checkpoint, their examples, and the time as far as it is known', async () => {
    const minutes = (path: string, step: number) =>
      (Number(linesOf(path).findLast((line) => Number(line['step']) <= step)?.['time']) / 60).toFixed(1)
    const facts = (path: string) => factsOf(read(path))
    expect(facts('images/report.html')).toMatchObject({
      checkpoint: 'last.safetensors',
      steps: `24, 96 examples, ${minutes('images/metrics.jsonl', 24)} minutes up to step 20`,
    })
    await diffeo(folder, 'train', 'moons', '--hidden', '8', '--steps', '7', '--validate-every', '5', '--out', 'short')
    expect(facts('short/report.html')).toMatchObject({
      checkpoint: 'last.safetensors',
      steps: `7, 1,792 examples, ${minutes('short/metrics.jsonl', 7)} minutes up to step 5`,
    })
    expect((await diffeo(folder, 'report', 'short', '--checkpoint', 'best')).code).toBe(0)
    expect(facts('short/report.html')).toMatchObject({
      checkpoint: 'best.safetensors',
      steps: `5, 1,280 examples, ${minutes('short/metrics.jsonl', 5)} minutes`,
    })
    rmSync(at('short/metrics.jsonl'))
    expect((await diffeo(folder, 'report', 'short')).code).toBe(0)
    expect(facts('short/report.html')['steps']).toBe('7, 1,792 examples')
  })
  it('tells of a run of points what the plane looks like', async () => {
    expect(existsSync(at('points/report.html'))).toBe(false)
    const drawn: string[] = []
    const results: unknown[] = []
    const io = ioOf([], results, undefined, drawn)
    expect(await reportRun(at('points'), { engine: 'auto' }, io)).toBe('done')
    expect(results).toMatchObject([{ run: at('points'), checkpoint: 'last.safetensors' }])
    expect(drawn.join('\n')).toMatch(/drawing the report: 5 sections, [\d.]+ sections\/s, 0:00 left/)
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
    const drawn = await withRun(at('points'), { engine: 'auto' }, ioOf([]), async (run) => {
      const data = await examplesOf(run, { engine: 'auto' })
      const own = { n: 300, box: boxAround(await firstBatch(data)) }
      return samplePicture(run.flow, run.params, keysOf(run.config.recipe.seed).sample, own)
    })
    expect(Buffer.from(drawn.data).equals(Buffer.from(second!.data))).toBe(true)
  })
  it('says what is missing where there is no run', async () => {
    const { code, err } = await diffeo(folder, 'report', 'nothing')
    expect([code, err]).toEqual([1, expect.stringMatching(/^diffeo: run nothing: expected a checkpoint, got none/)])
    expect(existsSync(at('nothing'))).toBe(false)
  })
})
