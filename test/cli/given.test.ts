/** Class-conditional runs, `--given labels`, from training to every command that uses a run. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { key, loadRun } from 'diffeo'
import { oneHot } from 'diffeo/data'
import { ready } from 'diffeo/engine'
import { decodeSafetensors, orThrow } from 'diffeo/fp'
import { decode } from 'fast-png'
import { beforeAll, describe, expect, it } from 'vitest'
import { diffeo, fewImages, small, temporary } from './support.js'

const { folder, at } = temporary('given')
const flags = ['--data', 'few', '--given', 'labels', '--validation', '20', ...small]
const json = (path: string) => JSON.parse(readFileSync(at(path), 'utf8'))
const trained = (out: string, steps: number, ...more: readonly string[]) =>
  diffeo(folder, 'train', 'mnist', ...flags, '--steps', `${steps}`, '--out', out, ...more)
const sizeOf = (path: string) => {
  const { width, height } = decode(readFileSync(at(path)))
  return [width, height]
}
/** Pixels of a grid of images of 28 with a border of 2 around each. */
const side = (images: number): number => 30 * images + 2

beforeAll(async () => {
  await ready('onnxruntime')
  await fewImages(at('few'))
  const { code, err } = await trained('run', 6, '--validate-every', '3')
  expect(`${code} ${err}`).toMatch(/^0 /)
})

describe('a run with --given labels', () => {
  it('keeps what it is conditional on, and says how well it tells classes apart', () => {
    expect(json('run/config.json').given).toEqual({ labels: 10 })
    const { classes, mean } = json('run/evaluation.json')
    expect(classes.count).toBe(53)
    expect(classes.accuracy).toBeGreaterThanOrEqual(0)
    expect(classes.accuracy).toBeLessThanOrEqual(1)
    // Jensen: the mixture of all classes is at most log 10 nats from the own class
    expect(classes.bitsPerDim).toBeLessThanOrEqual(mean + Math.log2(10) / 784 + 1e-4)
  })
  it('draws a row for each class, while it trains and at its end', () => {
    expect(sizeOf('run/samples.png')).toEqual([side(8), side(10)])
    expect(sizeOf('run/progress/3.png')).toEqual([side(8), side(10)])
  })
  it('has a report with those rows', () => {
    expect(readFileSync(at('run/report.html'), 'utf8')).toContain('a row for each class')
    expect(existsSync(at('run/classes.png'))).toBe(true)
  })
  it('resumes to the bit', async () => {
    const constant = ['--schedule', 'constant', '--no-report']
    await trained('whole', 4, ...constant)
    await trained('parts', 2, ...constant)
    await diffeo(folder, 'train', 'mnist', '--resume', '--out', 'parts', '--data', 'few', '--steps', '4', '--no-report')
    const tensors = (run: string) => decodeSafetensors(run)(readFileSync(at(`${run}/last.safetensors`)))
    const [whole, parts] = [orThrow(tensors('whole')), orThrow(tensors('parts'))]
    expect(whole.tensors.size).toBeGreaterThan(50)
    expect(parts.tensors).toEqual(whole.tensors)
  })
  it('is loaded by loadRun with the shape of its contexts', async () => {
    await expect(loadRun(at('run'))).rejects.toThrow(
      `loadRun ${at('run')}: expected given: [10], got no context; load it with { given: [10] }`,
    )
    await expect(loadRun(at('run'), { given: [3] })).rejects.toThrow('expected given: [10], got given: [3]')
    const model = await loadRun(at('run'), { given: [10] })
    const drawn = await model.given(oneHot([7], 10)).sample(2, { key: key(0) })
    expect(drawn.shape).toEqual([2, 28, 28, 1])
    await model.dispose()
  })
})

describe('its commands', () => {
  it('sample the classes that are named', async () => {
    const { out, code } = await diffeo(
      folder,
      'sample',
      'run',
      '--given',
      '7,3',
      '--n',
      '4',
      '--to',
      'two.png',
      '--json',
    )
    expect(code).toBe(0)
    expect(JSON.parse(out)).toMatchObject({ n: 4, classes: [7, 3] })
    expect(sizeOf('two.png')).toEqual([side(4), side(2)])
    await diffeo(folder, 'sample', 'run', '--given', '7', '--to', 'seven.png')
    expect(sizeOf('seven.png')).toEqual([side(8), side(8)])
  })
  it('sample the same images for a class, alone or among others', async () => {
    await diffeo(folder, 'sample', 'run', '--given', '3', '--n', '4', '--to', 'three.png')
    const rows = (path: string) => decode(readFileSync(at(path))).data
    const width = side(4)
    const [both, one] = [rows('two.png'), rows('three.png')]
    const apart = Array.from(one.subarray(0, width * 30), (v, i) => Math.abs(v - both[width * 30 + i]!))
    expect(Math.max(...apart)).toBeLessThanOrEqual(1)
  })
  it.each([
    ['evaluate', "classes by Bayes' rule: "],
    ['reconstruct', 'reconstruction error at most 0.0'],
    ['interpolate', 'between the test images '],
    ['inspect', 'figures of 50 test examples'],
    ['report', 'classes.png'],
  ])('%s works', async (name, says) => {
    const { code, out, err } = await diffeo(folder, name, 'run', ...(name === 'interpolate' ? ['--seed', '3'] : []))
    expect([code, err.includes('diffeo:')]).toEqual([0, false])
    expect(out).toContain(says)
  })
  it('export files that take the class as given', async () => {
    const { code, out } = await diffeo(folder, 'export', 'run', '--to', 'model.onnx')
    expect(code).toBe(0)
    expect(out).toContain('x, given → log_prob')
    expect(out).toContain('n, temperature, given → x')
  })
})

describe('--given is refused', () => {
  const refused = async (...args: readonly string[]): Promise<string> => {
    const { code, err } = await diffeo(folder, ...args)
    expect(code).toBe(1)
    return err
  }
  it('for data without labels', async () => {
    expect(await refused('train', 'moons', '--given', 'labels', '--steps', '1')).toContain(
      '--given labels: expected data with labels: mnist, fashion-mnist or cifar10, got moons; leave it out',
    )
  })
  it('for classes that do not exist', async () => {
    expect(await refused('sample', 'run', '--given', '12')).toContain('--given: expected classes from 0 to 9, got 12')
  })
  it('for a run without classes, and for a run that resumes', async () => {
    await diffeo(
      folder,
      'train',
      'mnist',
      '--data',
      'few',
      '--validation',
      '20',
      ...small,
      '--steps',
      '1',
      '--out',
      'plain',
    )
    expect(await refused('sample', 'plain', '--given', '1')).toContain(
      '--given: expected a run that was trained with --given labels, got one that was not; leave it out',
    )
    expect(
      await refused(
        'train',
        'mnist',
        '--data',
        'few',
        '--resume',
        '--out',
        'plain',
        '--given',
        'labels',
        '--steps',
        '2',
      ),
    ).toContain('--given: expected nothing, as in the resumed run, got labels; keep it, or start a new run')
    await expect(loadRun(at('plain'), { given: [10] })).rejects.toThrow('expected no context, got given: [10]')
  })
  it('for a model in a file that takes no context', async () => {
    writeFileSync(
      at('model.mjs'),
      `import { affine, atShape } from ${JSON.stringify(pathToFileURL(resolve('dist/src/index.js')).href)}
       export default atShape([28, 28, 1], affine)`,
    )
    const said = await refused('train', 'mnist', ...flags.slice(0, 4), '--model', './model.mjs', '--steps', '1')
    expect(said).toContain('model.mjs: expected a bijector with a context of 10, got no context; export a layer')
  })
})
