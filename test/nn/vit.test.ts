import * as tf from '@tensorflow/tfjs-core'
import { describeError, key, type Shape, vit } from 'diffeo'
import { orThrow } from 'diffeo/fp'
import { randomBatch, randomParams } from 'diffeo/laws'
import { type AnyTensor, branch, type Params, unwrap } from 'diffeo/tensor'
import * as E from 'fp-ts/lib/Either.js'
import { pipe } from 'fp-ts/lib/function.js'
import { describe, expect, it } from 'vitest'
import { values } from '../support.js'
import { netLaws } from './support.js'

const net = vit({ width: 6, depth: 2, heads: 3 })
describe('vit', () => {
  netLaws(net, [2, 3, 2], [2, 3, 4])
})

/** The net in float64, token by token. */
const reference = (
  params: Params,
  image: readonly number[],
  [h, w, c]: readonly [number, number, number],
): number[] => {
  const [width, heads] = [6, 3]
  const of = (p: Params, name: string) => values(p[name] as AnyTensor)
  const dense = (p: Params, rows: number[][]): number[][] => {
    const [kernel, bias] = [of(p, 'kernel'), of(p, 'bias')]
    return rows.map((row) => bias.map((b, j) => row.reduce((sum, x, i) => sum + x * kernel[i * bias.length + j]!, b)))
  }
  const norm = (p: Params, rows: number[][]): number[][] =>
    rows.map((row) => {
      const mean = row.reduce((a, b) => a + b, 0) / row.length
      const variance = row.reduce((a, b) => a + (b - mean) ** 2, 0) / row.length
      const [gain, bias] = [of(p, 'gain'), of(p, 'bias')]
      return row.map((x, i) => ((x - mean) / Math.sqrt(variance + 1e-5)) * gain[i]! + bias[i]!)
    })
  /** Φ by Simpson's rule on 400 pieces. */
  const normalCdf = (x: number): number => {
    const at = (i: number) => Math.exp(-(((x * i) / 400) ** 2) / 2)
    let sum = at(0) + at(400)
    for (let i = 1; i < 400; i++) sum += at(i) * (i % 2 === 1 ? 4 : 2)
    return 0.5 + (x / 1200) * (sum / Math.sqrt(2 * Math.PI))
  }
  const attend = (p: Params, rows: number[][]): number[][] => {
    const all = dense(branch(p, 'qkv'), rows)
    const size = width / heads
    const part = (row: number[], which: number, head: number) =>
      row.slice(which * width + head * size, which * width + (head + 1) * size)
    const joined = all.map((row) =>
      Array.from({ length: heads }, (_, head) => {
        const scores = all.map((other) => {
          const k = part(other, 1, head)
          return Math.exp(part(row, 0, head).reduce((sum, q, i) => sum + q * k[i]!, 0) / Math.sqrt(size))
        })
        const total = scores.reduce((a, b) => a + b, 0)
        return Array.from({ length: size }, (_, i) =>
          all.reduce((sum, other, j) => sum + (scores[j]! / total) * part(other, 2, head)[i]!, 0),
        )
      }).flat(),
    )
    return dense(branch(p, 'out'), joined)
  }
  const plus = (a: number[][], b: number[][]) => a.map((row, i) => row.map((x, j) => x + b[i]![j]!))
  const position = of(params, 'position')
  let rows = dense(
    branch(params, 'embed'),
    Array.from({ length: h * w }, (_, t) => image.slice(t * c, (t + 1) * c)),
  ).map((row, t) => row.map((x, i) => x + position[t * width + i]!))
  for (const name of ['block0', 'block1']) {
    const p = branch(params, name)
    rows = plus(rows, attend(p, norm(branch(p, 'norm1'), rows)))
    const up = dense(branch(p, 'up'), norm(branch(p, 'norm2'), rows))
    rows = plus(
      rows,
      dense(
        branch(p, 'down'),
        up.map((row) => row.map((x) => x * normalCdf(x))),
      ),
    )
  }
  return dense(branch(params, 'out'), norm(branch(params, 'norm'), rows)).flat()
}

it('computes attention and GELU as float64 does', () => {
  tf.tidy(() => {
    const module = orThrow(net.at([2, 3, 2], [2, 3, 4]))
    const params = randomParams(module.spec, key(1))
    const x = randomBatch([2, 3, 2], [-1, 1], 2, key(2))
    const got = values(module.run(params, x, false)[0])
    const wanted = [0, 1].flatMap((n) => reference(params, values(x).slice(12 * n, 12 * (n + 1)), [2, 3, 2]))
    got.forEach((v, i) => {
      expect(v).toBeCloseTo(wanted[i]!, 4)
    })
    expect(unwrap(module.run(params, x, false)[0]).shape).toEqual([2, 2, 3, 4])
  })
})

it.each<[ReturnType<typeof vit>, Shape, Shape, string]>([
  [vit({ width: 5, heads: 2 }), [2, 2, 1], [2, 2, 1], 'vit: expected a width that is a multiple of 2 heads, got 5'],
  [vit({ depth: 0 }), [2, 2, 1], [2, 2, 1], 'vit: expected a whole number of blocks from 1, got 0'],
  [vit(), [4], [2, 2, 1], 'vit: expected height×width×channels, got 4'],
  [vit(), [2, 2, 1], [2, 3, 1], 'vit: expected 2×2×channels as output, got 2×3×1'],
])('refuses %#', (wrong, from, to, sentence) => {
  expect(pipe(wrong.at(from, to), E.mapLeft(describeError))).toEqual(E.left(sentence))
})
