import * as tf from '@tensorflow/tfjs-core'
import {
  atShape,
  compose,
  coupling,
  factorOut,
  flow,
  halves,
  input,
  key,
  mlp,
  realNvp,
  squeeze,
  standardNormal,
} from 'diffeo'
import { twoMoons } from 'diffeo/data'
import { orThrow } from 'diffeo/fp'
import { batch } from 'diffeo/tensor'
import protobuf from 'protobufjs/light.js'
import { describe, expect, it } from 'vitest'
import { eventHeader, eventRecord } from '../../src/report/events.js'
import { resampledRows, temperatureRows } from '../../src/report/images.js'
import { html } from '../../src/report/page.js'
import { boxAround, latentGrid, planeDensity, planePicture } from '../../src/report/plane.js'
import { histogram, lines, panels, toSvg } from '../../src/report/plot.js'
import { randomParams } from '../support.js'

describe('plots', () => {
  it('draw curves with their names, each in a colour and dash of its own', async () => {
    const points = Array.from({ length: 200 }, (_, i) => [i, 7 * Math.exp(-i / 20) + 1] as const)
    const svg = await toSvg(
      lines({
        title: 'loss',
        y: 'bits/dim',
        curves: [
          { name: 'train', points },
          { name: 'validation', points: points.filter(([i]) => i % 50 === 0) },
        ],
      }),
    )
    for (const said of ['loss', 'bits/dim', 'train', 'validation', 'stroke-dasharray="6,3"', '#0072b2', '#d55e00'])
      expect(svg).toContain(said)
  })
  it('name one curve alone by their title, without a legend', async () => {
    const curve = { name: 'only one', points: [1, 2, 3].map((i) => [i, i] as const) }
    const draw = (...curves: readonly (typeof curve)[]) => toSvg(lines({ title: 'rate', y: 'rate', curves }))
    const named = (svg: string) => ['only one', 'another'].filter((name) => svg.includes(`>${name}<`))
    expect(named(await draw(curve))).toEqual([])
    expect(named(await draw(curve, { ...curve, name: 'another' }))).toEqual(['only one', 'another'])
  })
  it('smooth long curves by medians of what came before, and leave short ones alone', () => {
    const values = (points: readonly (readonly [number, number])[]) =>
      (
        lines({ title: '', y: '', curves: [{ name: 'a', points }] }) as unknown as {
          data: { values: { step: number; value: number }[] }
        }
      ).data.values
    const zigzag = Array.from({ length: 100 }, (_, i) => [i, i % 2] as const)
    expect(values(zigzag).at(-1)).toEqual({ name: 'a', step: 99, value: 1 })
    expect(values(zigzag.slice(0, 40)).map(({ value }) => value)).toEqual(zigzag.slice(0, 40).map(([, v]) => v))
  })
  it('show all but the largest 3 % of the values, and a twentieth above them', () => {
    const domain = (...values: readonly number[]) => {
      const plot = lines({ title: '', y: '', curves: [{ name: 'a', points: values.map((v, i) => [i, v] as const) }] })
      return (plot as unknown as { encoding: { y: { scale: { domain?: number[] } } } }).encoding.y.scale.domain
    }
    // the largest of 35 values is out of sight, that of 34 is not
    const rising = (n: number) => Array.from({ length: n }, (_, i) => i)
    expect(domain(...rising(34), 1000)).toEqual([0, 33 * 1.05])
    expect(domain(...rising(33), 1000)).toEqual([0, 1050])
    expect(domain(Number.NaN, 2, Number.POSITIVE_INFINITY, 4)).toEqual([2, 4.1])
    expect([domain(3, 3), domain(Number.NaN), domain()]).toEqual([undefined, undefined, undefined])
  })
  it('show panels up to where the worst curve ends, but not above where the first begins', () => {
    const domain = (...curves: readonly (readonly number[])[]) => {
      const plot = panels({
        title: '',
        y: '',
        curves: curves.map((values, i) => ({ name: `${i}`, points: values.map((v, at) => [at, v] as const) })),
      })
      return (plot as unknown as { spec: { encoding: { y: { scale: { domain?: number[] } } } } }).spec.encoding.y.scale
        .domain
    }
    expect(domain([9, 1], [99, 6])).toEqual([0.5, 6.5])
    expect(domain([9, 1], [99, 50])).toEqual([1 - 0.8, 9 + 0.8])
    expect(domain([1, 1], [1, 1])).toBe(undefined)
  })
  it('count the ends of a histogram in, and nothing beyond', () => {
    const plot = histogram({ title: '', x: 'z', values: [0, 4, -1, 5, 1], bins: 4, range: [0, 4] }) as unknown as {
      layer: [{ data: { values: { density: number }[] } }]
    }
    expect(plot.layer[0].data.values.map(({ density }) => density)).toEqual([0.2, 0.2, 0, 0.2])
  })
  it('draw histograms whose bars are a density', () => {
    const plot = histogram({ title: '', x: 'z', values: [0, 0.1, 0.9, 1, Number.NaN], bins: 2 }) as unknown as {
      layer: [{ data: { values: { density: number }[] } }]
    }
    expect(plot.layer[0].data.values.map(({ density }) => density)).toEqual([1, 1])
  })
  it('draw bars that can be told from the paper', async () => {
    const svg = await toSvg(histogram({ title: '', x: 'z', values: [0, 1, 1] }))
    const fill = /layer_0_marks.*?fill="#(\w{6})"/s.exec(svg)?.[1] ?? 'ffffff'
    const light = (at: number) => Number.parseInt(fill.slice(at, at + 2), 16) / 255
    const [red, green, blue] = [0, 2, 4].map((at) => light(at) ** 2.2) as [number, number, number]
    // contrast with white, as WCAG counts it
    expect(1.05 / (0.2126 * red + 0.7152 * green + 0.0722 * blue + 0.05)).toBeGreaterThan(2)
  })
  it('draw a panel for each curve but the first, which is in all of them, dashed', async () => {
    const curve = (name: string, end: number) => ({ name, points: [1, 2, 3].map((i) => [i, end + 1 / i] as const) })
    const curves = [curve('baseline', 1), curve('plain', 1.1), curve('free', 0.9)]
    const svg = await toSvg(panels({ title: 'ablations', y: 'bits/dim', curves }))
    for (const said of ['ablations', 'baseline', '>plain<', '>free<', 'with the change']) expect(svg).toContain(said)
    // a line in each panel and one in the legend
    expect(svg.match(/stroke="#000000"[^>]*stroke-dasharray="4,3"/g)).toHaveLength(3)
    expect(svg.match(/stroke="#0072b2"/g)).toHaveLength(3)
  })
})

describe('the plane', () => {
  const b = compose(
    input([2]),
    coupling(halves(), mlp({ hidden: [8] })),
    coupling(halves('second'), mlp({ hidden: [8] })),
  )
  const moons = flow(b, standardNormal)
  const params = randomParams(b, key(1))
  const data = twoMoons().sample(key(2), 300)
  it('boxes points with a margin', () => {
    expect(boxAround(Float32Array.of(0, 0, 12, 24))).toEqual({ x: [-1, 13], y: [-2, 26] })
  })
  it('is refused without points', async () => {
    const nothing = { title: 'nothing', data: new Float32Array(), key: key(3) }
    expect(await planePicture(moons, params, nothing)).toMatchObject({
      left: { _tag: 'ShapeError', op: 'planePicture', expected: 'at least one point', got: 'none' },
    })
  })
  it('bends the grid as the inverse does', async () => {
    const lines = await latentGrid(moons, params, { lines: 3, reach: 2, points: 5 })
    const z = batch([2], [-2, -1])
    const [x] = b.bind(params).inverse(z)
    // the second point of the first line of constant z₁
    expect(lines[0]![1]![0]).toBeCloseTo((x as unknown as tf.Tensor).dataSync()[0]!, 4)
    expect(lines[0]![1]![1]).toBeCloseTo((x as unknown as tf.Tensor).dataSync()[1]!, 4)
    expect([lines.length, lines[0]!.length]).toEqual([6, 5])
  })
  it('shows density, samples and grid, and frees what it made', async () => {
    const draw = async () =>
      orThrow(await planePicture(moons, params, { title: 'two moons', data, key: key(3), resolution: 20, show: 50 }))
    const before = tf.memory().numTensors
    const svg = await toSvg(await draw())
    expect(tf.memory().numTensors).toBe(before)
    for (const said of ['two moons', 'samples', 'data:image/png;base64,']) expect(svg).toContain(said)
    // what the brightest colour means, and which axis is which, in each of the three
    const view = { box: boxAround(data), width: 20, height: 20 }
    const peak = Math.max(...(await planeDensity(moons, params, view)))
    expect(svg).toContain(`>density 0 to ${peak.toPrecision(3)}, and data<`)
    expect(['x₁', 'x₂'].map((title) => svg.split(`>${title}<`).length - 1)).toEqual([3, 3])
    // the points lie over the density too: 25 of them in white, and 50 in each of the other two
    const dots = (colour: string) => svg.match(new RegExp(`<path aria-label="[^"]*"[^>]*fill="${colour}"`, 'g'))
    expect(['#ffffff', '#0072b2', '#d55e00'].map((colour) => dots(colour)?.length)).toEqual([25, 50, 50])
  })
})

describe('images', () => {
  const model = atShape([8, 8, 1], realNvp({ scales: 2, width: 2, blocks: 1 }))
  const params = randomParams(model, key(1), 0.1)
  const own = flow(model, standardNormal)
  const pixels = batch(
    [8, 8, 1],
    Array.from({ length: 3 * 64 }, (_, i) => (i * 37) % 251),
  )
  it('keep all latents in the first row, which is then the images', async () => {
    const before = tf.memory().numTensors
    const { width, height, data } = orThrow(await resampledRows(own, params, key(2), pixels))
    expect(tf.memory().numTensors).toBe(before)
    expect([width, height]).toEqual([2 + 3 * 10, 2 + 2 * 10])
    const at = (row: number, column: number) => data[row * width + column]!
    const truth = (pixels as unknown as tf.Tensor).dataSync()
    for (let y = 0; y < 8; y++)
      for (let x = 0; x < 8; x++) expect(Math.abs(at(2 + y, 2 + x) - truth[y * 8 + x]!)).toBeLessThanOrEqual(1)
    // in the second row the finer latent is drawn anew
    const changed = Array.from({ length: 64 }, (_, i) => Math.abs(at(12 + (i >> 3), 2 + (i & 7)) - truth[i]!) > 2)
    expect(changed.filter(Boolean).length).toBeGreaterThan(5)
  })
  it('draw a row for each temperature', async () => {
    const before = tf.memory().numTensors
    const { height } = orThrow(await temperatureRows(own, params, key(2), [0.5, 1, 2], 4))
    expect(tf.memory().numTensors).toBe(before)
    expect(height).toBe(2 + 3 * 10)
  })
  it('refuse channels that have no colours', async () => {
    const odd = compose(input([4, 4, 2]), squeeze, factorOut)
    expect(await temperatureRows(flow(odd, standardNormal), {}, key(0))).toMatchObject({
      left: { expected: '1 or 3 channels' },
    })
  })
})

describe('event files', () => {
  it('frame records with the checksums of TFRecord', () => {
    // as TensorBoard's RecordWriter writes Event(wall_time=1, file_version='brain.Event:2')
    const theirs = '1800000000000000a37f4b2209000000000000f03f1a0d627261696e2e4576656e743a3286bf577a'
    expect(Buffer.from(eventHeader(1)).toString('hex')).toBe(theirs)
  })
  it('hold scalars and pictures', () => {
    const bytes = eventRecord(5, 100, [
      { tag: 'bits/dim', value: 1.5 },
      { tag: 'samples', png: Uint8Array.of(1, 2, 3), width: 4, height: 2 },
    ])
    const body = bytes.subarray(12, bytes.length - 4)
    const reader = protobuf.Reader.create(body)
    expect([reader.uint32() >>> 3, reader.double(), reader.uint32() >>> 3, reader.int32()]).toEqual([1, 5, 2, 100])
    expect(Buffer.from(body).includes('bits/dim')).toBe(true)
    expect(Buffer.from(body).includes(Buffer.of(1, 2, 3))).toBe(true)
  })
})

describe('pages', () => {
  it('need nothing beside them, and escape what they are given', () => {
    const page = html({
      title: 'a < b',
      facts: [['command', 'diffeo "train" & more']],
      sections: [
        {
          title: 'curves',
          text: 'text',
          figures: [
            { caption: 'c', image: '<svg/>' },
            { caption: 'd', image: Uint8Array.of(1) },
          ],
        },
      ],
    })
    expect(page).toContain('<title>a &lt; b</title>')
    expect(page).toContain('diffeo &quot;train&quot; &amp; more')
    expect(page).toContain(`data:image/svg+xml;base64,${btoa('<svg/>')}`)
    expect(page).not.toMatch(/(src|href)="(?!data:)/)
  })
})
