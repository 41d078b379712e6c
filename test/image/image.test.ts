import { decode } from 'fast-png'
import * as E from 'fp-ts/lib/Either.js'
import { describe, expect, it } from 'vitest'
import { describeError, orThrow } from '../../src/error.js'
import { imageGrid } from '../../src/image/grid.js'
import { gridPoints, heatMap, viridis } from '../../src/image/heatmap.js'
import { encodePng, type Raster } from '../../src/image/png.js'

const sentence = (e: E.Either<Parameters<typeof describeError>[0], unknown>): string =>
  E.match(describeError, () => 'accepted')(e)

const pixel = ({ width, channels, data }: Raster, row: number, column: number): readonly number[] => [
  ...data.subarray((row * width + column) * channels, (row * width + column + 1) * channels),
]

describe('imageGrid', () => {
  it('puts tiles in reading order, with the ground around and between', () => {
    const image = orThrow(imageGrid({ columns: 2, padding: 1, ground: 9 })(Uint8Array.of(1, 2, 3), [3, 1, 1, 1]))
    expect(image).toEqual({
      width: 5,
      height: 5,
      channels: 1,
      data: Uint8Array.of(9, 9, 9, 9, 9, 9, 1, 9, 2, 9, 9, 9, 9, 9, 9, 9, 3, 9, 9, 9, 9, 9, 9, 9, 9),
    })
  })
  it('keeps rows and colours', () => {
    const tile = Uint8Array.from({ length: 2 * 3 * 3 }, (_, i) => i)
    const image = orThrow(imageGrid({ padding: 0 })(tile, [1, 2, 3, 3]))
    expect(image).toEqual({ width: 3, height: 2, channels: 3, data: tile })
  })
  it('is about square unless told', () => {
    const { width, height } = orThrow(imageGrid({ padding: 0 })(new Uint8Array(10), [10, 1, 1, 1]))
    expect([width, height]).toEqual([4, 3])
    const one = orThrow(imageGrid({ columns: 9 })(Uint8Array.of(7), [1, 1, 1, 1]))
    expect(one).toMatchObject({ width: 5, height: 5, data: new Uint8Array(25).fill(255).fill(7, 12, 13) })
  })
  it('says what is wrong', () => {
    expect(sentence(imageGrid()(new Uint8Array(4), [1, 1, 2, 2]))).toBe(
      'imageGrid: expected 1 or 3 channels, got 2 in 1×1×2×2',
    )
    expect(sentence(imageGrid()(new Uint8Array(5), [1, 2, 2, 1]))).toContain('1×2×2×1 bytes, got 5 bytes')
    expect(sentence(imageGrid()(new Uint8Array(), [0, 2, 2, 1]))).toContain('expected at least one image')
  })
})

describe('encodePng', () => {
  it.each([1, 3] as const)('comes back from a decoder, %s channels', (channels) => {
    const data = Uint8Array.from({ length: 5 * 4 * channels }, (_, i) => (i * 37) % 256)
    const png = orThrow(encodePng({ width: 5, height: 4, channels, data }))
    expect(decode(png)).toMatchObject({ width: 5, height: 4, channels, depth: 8, data })
  })
  it('gives the same bytes for the same image', () => {
    const image: Raster = { width: 2, height: 1, channels: 1, data: Uint8Array.of(1, 2) }
    expect(encodePng(image)).toEqual(encodePng(image))
  })
  it('refuses data that do not fill the image, and no image at all', () => {
    expect(sentence(encodePng({ width: 2, height: 2, channels: 1, data: new Uint8Array(3) }))).toBe(
      'png: expected at least one pixel and 2×2×1 bytes, got 3 bytes',
    )
    expect(E.isLeft(encodePng({ width: 0, height: 2, channels: 1, data: new Uint8Array() }))).toBe(true)
  })
})

describe('heatMap', () => {
  const view = { box: { x: [0, 4], y: [0, 2] }, width: 4, height: 2 } as const

  it('has pixel centres row by row, y pointing up', () => {
    const points = gridPoints(view)
    expect([...points.subarray(0, 4)]).toEqual([0.5, 1.5, 1.5, 1.5])
    expect([...points.subarray(-2)]).toEqual([3.5, 0.5])
  })
  it('runs from the darkest to the brightest colour', () => {
    const image = orThrow(heatMap(view)([2, 3, 4, 5, Infinity, -Infinity, Number.NaN, 9]))
    expect(pixel(image, 0, 0)).toEqual([68, 1, 84])
    expect(pixel(image, 1, 3)).toEqual([253, 231, 37])
  })
  it('clamps to a range, shows NaN in gray, and survives a constant', () => {
    const image = orThrow(heatMap({ ...view, range: [0, 1] })([-5, 5, Number.NaN, Infinity, -Infinity, 0, 0, 0]))
    expect([0, 1, 2, 3].map((k) => pixel(image, 0, k))).toEqual([viridis(0), viridis(1), [128, 128, 128], viridis(1)])
    expect(pixel(orThrow(heatMap(view)(new Float32Array(8))), 0, 0)).toEqual(viridis(0))
  })
  it('draws points where they are, and cuts them at the edge', () => {
    const white = (size: { readonly pointSize?: number }, ...points: readonly number[]) => {
      const image = orThrow(heatMap({ ...view, ...size, points: Float32Array.from(points) })(new Float32Array(8)))
      return [0, 1].flatMap((r) => [0, 1, 2, 3].filter((k) => pixel(image, r, k)[0] === 255).map((k) => `${r} ${k}`))
    }
    expect(white({ pointSize: 1 }, 2.5, 0.5, 99, 99, -7, 1)).toEqual(['1 2'])
    expect(white({}, 0, 1)).toEqual(['0 0', '1 0'])
  })
  it('refuses another number of values', () =>
    expect(sentence(heatMap(view)([1]))).toBe('heatMap: expected 2×4 values, one per pixel, got 1 values'))
})

describe('viridis', () => {
  it('grows brighter all the way, as perceived luminance', () => {
    const luminance = Array.from({ length: 101 }, (_, i) => {
      const [r, g, b] = viridis(i / 100)
      return 0.2126 * (r / 255) ** 2.2 + 0.7152 * (g / 255) ** 2.2 + 0.0722 * (b / 255) ** 2.2
    })
    luminance.reduce((before, l) => {
      expect(l).toBeGreaterThan(before)
      return l
    })
  })
})
