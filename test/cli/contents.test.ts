/** A run knows its data again: parts that would be made anew of other files are refused. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { decodeSafetensors, orThrow } from 'diffeo/fp'
import { encodePng } from 'diffeo/image'
import { encodeSafetensors } from 'diffeo/train'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { diffeo, small, temporary } from './support.js'

const { folder, at } = temporary('contents')
afterAll(() => rmSync(folder, { recursive: true }))

const picture = (i: number): Uint8Array =>
  encodePng({ width: 16, height: 16, channels: 3, data: Uint8Array.from({ length: 768 }, (_, j) => (i * j) % 256) })
const add = (name: string, i: number): void => writeFileSync(at(`photos/${name}.png`), picture(i))
const json = (path: string) => JSON.parse(readFileSync(at(path), 'utf8'))
const data = ['folder', '--data', 'photos'] as const
const train = (...more: readonly string[]) => diffeo(folder, 'train', ...data, ...more)
const resume = (steps: number, ...more: readonly string[]) =>
  train('--resume', '--out', 'run', '--no-report', '--steps', `${steps}`, ...more)

let out: string
beforeAll(async () => {
  mkdirSync(at('photos'))
  for (let i = 0; i < 20; i++) add(`${10 + i}`, i)
  const options = ['--size', '16', '--validation', '4', '--schedule', 'constant']
  const ended = await train(...small, ...options, '--steps', '2', '--out', 'run')
  expect([ended.code, ended.err]).toEqual([0, ''])
  out = ended.out
})

const summary = 'pictures 16×16×3: 14 images to train, 4 to validate, 2 to test; photos'
const spoilt =
  /^diffeo: data: expected the data that the run began with, 14 examples to train, 4 to validate and 2 to test, got /
const fix = 'restore the files, or start a new run: with another split the run would be tested on its training data'

describe('the data of a run', () => {
  it('are told when it starts, in about.json and in the report', () => {
    expect(out).toContain(`\n${summary}\n`)
    expect(json('run/about.json')).toMatchObject([{ data: summary }])
    expect(readFileSync(at('run/report.html'), 'utf8')).toContain(`<th>data</th><td>${summary}</td>`)
  })
  it('are kept in its configuration', () => {
    expect(json('run/config.json').contents).toEqual({
      train: 14,
      validation: 4,
      test: 2,
      digest: expect.stringMatching(/^[\da-f]{64}$/),
    })
  })
  it('refuse to be others where it goes on, is tested or reported, until they are back', async () => {
    add('30', 30)
    for (const ended of [
      await resume(3),
      await diffeo(folder, 'evaluate', 'run'),
      await diffeo(folder, 'report', 'run'),
      await diffeo(folder, 'reconstruct', 'run'),
    ]) {
      expect(ended.err).toMatch(spoilt)
      expect(ended.err).toContain(`got 15 examples to train, 4 to validate and 2 to test; ${fix}`)
      expect([ended.code, ended.err.trim().split('\n').length]).toEqual([1, 1])
    }
    rmSync(at('photos/30.png'))
    writeFileSync(at('photos/29.png'), Buffer.concat([picture(29), Buffer.alloc(1)]))
    expect((await resume(3)).err).toContain(`got as many of other files; ${fix}`)
    add('29', 19)
    expect((await resume(3)).err).toBe('')
  })
  it('are said to be others where its configuration makes a run of them', async () => {
    const like = (out: string) => train('--config', 'run/config.json', '--out', out, '--no-report')
    expect((await like('same')).err).toBe('')
    add('30', 30)
    const { code, err } = await like('like')
    expect([code, err]).toEqual([0, 'data: not those of run/config.json, so this is another run\n'])
    expect(json('like/config.json').contents).toMatchObject({ train: 15 })
    rmSync(at('photos/30.png'))
  })
  it('of a run from before they were known are believed, and known from then on', async () => {
    const path = at('run/last.safetensors')
    const { metadata, tensors } = orThrow(decodeSafetensors('')(readFileSync(path)))
    const { sha256: _, config, ...rest } = metadata
    const { contents: __, ...before } = JSON.parse(config!)
    writeFileSync(path, encodeSafetensors({ metadata: { ...rest, config: JSON.stringify(before) }, tensors }))
    add('30', 30)
    expect((await resume(4)).err).toBe('')
    expect(json('run/config.json').contents).toMatchObject({ train: 15 })
    rmSync(at('photos/30.png'))
    expect((await resume(5)).err).toMatch(/expected the data that the run began with, 15 examples to train/)
  })
})
