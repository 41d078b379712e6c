/** The commands that use a run, on one that is trained once on a few images; and models from files. */
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import * as tf from '@tensorflow/tfjs-core'
import { compose, flow, input, key, logit, standardNormal } from 'diffeo'
import { encodePng } from 'diffeo/image'
import { uniformArray } from 'diffeo/tensor'
import { decode } from 'fast-png'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { EngineName } from '../../src/backends/engine.js'
import { checkData } from '../../src/cli/commands/data.js'
import { evaluateRun } from '../../src/cli/commands/evaluate.js'
import { inspectWhat } from '../../src/cli/commands/inspect.js'
import { interpolateRun, manifoldWeights } from '../../src/cli/commands/interpolate.js'
import { reconstructRun } from '../../src/cli/commands/reconstruct.js'
import { sampleRun } from '../../src/cli/commands/sample.js'
import { train } from '../../src/cli/commands/train.js'
import { reconstruct } from '../../src/cli/evaluation/pictures.js'
import { loadSaved } from '../../src/cli/run/folder.js'
import { trust } from '../../src/tensor/tensor.js'
import { command, diffeo, endOf, fewImages, ioOf, started, temporary, testImage, tile } from './support.js'

const { folder, at } = temporary('commands')
afterAll(() => rmSync(folder, { recursive: true }))
const data = at('few')
const run = at('run')
/** The second test command names the engine. */
const flags = { engine: (process.env['DIFFEO_TEST_ENGINE'] as EngineName) ?? 'auto' } as const
const small = { batch: 4, saveEvery: 30, resume: false, report: false, ...flags }

const told = async (run: (io: ReturnType<typeof ioOf>) => Promise<unknown>) => {
  const said: string[] = []
  const results: unknown[] = []
  const drawn: string[] = []
  const ended = await endOf(run(ioOf(said, results, undefined, drawn)))
  const result = results[0] as Record<string, never>
  return { said: said.join('\n'), result, drawn: drawn.join('\n'), ended }
}

let trained: string
beforeAll(async () => {
  await fewImages(data)
  const { ended, drawn } = await told((io) =>
    train(
      'mnist',
      { ...small, data, scales: 2, width: 2, blocks: 0, validation: 512, steps: 20, validateEvery: 10, out: run },
      io,
    ),
  )
  expect(ended).toBe('done')
  trained = drawn
})

const pictureOf = (path: string) => {
  const { width, height, channels } = decode(readFileSync(path))
  return [width, height, channels]
}

describe('of a run', () => {
  it('train tells how fast it is, and how long it will take, its validations too', () => {
    expect(trained).toMatch(/step 20 · \d+ images\/s · train \d\.\d{3} bits\/dim, validation \d\.\d{3} · 0:00 left/)
    expect(trained).toMatch(/step 10 · [^\n]* validation \d+ images, [\d.]+ images\/s, 0:0\d left/)
    expect(trained).toMatch(/testing: 53 images/)
  })
  it('evaluate answers what train said, and leaves no tensor', async () => {
    const trained = JSON.parse(readFileSync(join(run, 'evaluation.json'), 'utf8'))
    const before = tf.memory().numTensors
    const { result, said, drawn } = await told((io) => evaluateRun(run, flags, io))
    expect(said).toContain(`${run}/last.safetensors, step 20\n`)
    expect(tf.memory().numTensors).toBe(before)
    expect([result['mean'], result['worst'], result['count']]).toEqual([trained.mean, trained.worst, 53])
    expect(said).toContain(`test ${trained.mean.toFixed(3)} bits/dim on 53 images`)
    expect(said).toMatch(/; batch-statistics gap on held-out data: -?\d\.\d{4} \(batch size 200\)$/m)
    expect(drawn).toMatch(/testing: 53 images, [\d.]+ images\/s, 0:00 left/)
    // 512 held out, 200 at a time, twice
    expect(drawn).toMatch(/batch-statistics gap: 800 images, [\d.]+ images\/s, 0:00 left/)
  })
  it('names the checkpoint that an answer is of, and has no best where no validation left one', async () => {
    const both = at('both')
    cpSync(run, both, { recursive: true })
    cpSync(join(run, 'last.safetensors'), join(both, 'best.safetensors'))
    for (const which of ['last', 'best'] as const) {
      const { result } = await told((io) => evaluateRun(both, { ...flags, checkpoint: which }, io))
      expect(result['checkpoint']).toBe(`${which}.safetensors`)
      expect(JSON.parse(readFileSync(join(both, 'evaluation.json'), 'utf8')).checkpoint).toBe(`${which}.safetensors`)
    }
    rmSync(join(both, 'best.safetensors'))
    const best = { ...flags, checkpoint: 'best' } as const
    const refused = `--checkpoint best: expected ${both}/best.safetensors, which a validation writes, got a run without one; leave it out, or train with a smaller --validate-every`
    expect((await told((io) => evaluateRun(both, best, io))).ended).toBe(refused)
    expect((await told((io) => sampleRun(both, { ...best, temperature: [1] }, io))).ended).toBe(refused)
    expect((await told((io) => evaluateRun(at('nowhere'), best, io))).ended).toContain(
      'expected a checkpoint, got none',
    )
  })
  it('sample draws a grid, and a row for each temperature', async () => {
    const before = tf.memory().numTensors
    const to = at('grid.png')
    expect((await told((io) => sampleRun(run, { ...flags, temperature: [1], to }, io))).ended).toBe('done')
    expect(pictureOf(to)).toEqual([2 + 8 * 30, 2 + 8 * 30, 1])
    const rows = at('rows.png')
    const { said, drawn } = await told((io) => sampleRun(run, { ...flags, temperature: [0.5, 1], to: rows }, io))
    expect(drawn).toMatch(/drawing: 16 images, [\d.]+ images\/s, 0:00 left/)
    expect(said).toContain('8 samples at temperatures 0.5, 1')
    expect(pictureOf(rows)).toEqual([2 + 8 * 30, 2 + 2 * 30, 1])
    await told((io) => sampleRun(run, { ...flags, temperature: [0.5, 1], n: 12, to: rows }, io))
    expect(pictureOf(rows)).toEqual([2 + 12 * 30, 2 + 2 * 30, 1])
    expect(tf.memory().numTensors).toBe(before)
  })
  it('reconstruct finds rounding errors alone', async () => {
    const to = at('back.png')
    const { result, said, drawn } = await told((io) => reconstructRun(run, { ...flags, to }, io))
    expect(said).toMatch(/^reconstruction error at most 0\.00\d+ of 256 gray levels on the first 50 test images$/m)
    expect([result['count'], result['checkpoint']]).toEqual([50, 'last.safetensors'])
    expect(drawn).toMatch(/reconstructing: 100 images, [\d.]+ images\/s, 0:00 left/)
    expect(result['largestError']).toBeGreaterThan(0)
    expect(result['largestError']).toBeLessThan(0.01)
    expect(pictureOf(to)).toEqual([2 + 16 * 30, 2 + 2 * 30, 1])
  })
  it('interpolate has the four images in its corners', async () => {
    const to = at('between.png')
    const before = tf.memory().numTensors
    const { ended, drawn, result } = await told((io) => interpolateRun(run, { ...flags, seed: 0, to }, io))
    expect(drawn).toMatch(/interpolating: 68 images, [\d.]+ images\/s, 0:00 left/)
    expect(ended).toBe('done')
    expect(tf.memory().numTensors).toBe(before)
    expect(pictureOf(to)).toEqual([2 + 8 * 30, 2 + 8 * 30, 1])
    const weights = manifoldWeights()
    const chosen = result['images'] as unknown as readonly number[]
    expect([chosen.length, new Set(chosen).size]).toEqual([4, 4])
    // φ, φ′ ∈ {0, π/2}: rows and columns 0 and 2 of eight
    for (const [i, place] of [0, 2, 16, 18].entries()) {
      weights[place]!.forEach((weight, j) => {
        expect(weight).toBeCloseTo(i === j ? 1 : 0, 12)
      })
      const image = testImage(data, chosen[i]!)
      const gaps = tile(readFileSync(to), place, 8).map((level, p) => Math.abs(level - image[p]!))
      expect(Math.max(...gaps)).toBeLessThanOrEqual(1)
    }
    for (const row of weights) expect(row.reduce((sum, w) => sum + w * w, 0)).toBeCloseTo(1, 12)
  })
  it("inspect's shares sum to the figure of the same examples", async () => {
    const { result, said, drawn } = await told((io) => inspectWhat(run, flags, io))
    expect(drawn).toMatch(/counting: \d+ layers, [\d.]+ layers\/s, 0:00 left$/)
    expect(result).toMatchObject({ run, checkpoint: 'last.safetensors' })
    const layers = result['layers'] as unknown as readonly {
      readonly name: string
      readonly share: number
      parameters: number
    }[]
    const { each } = JSON.parse(readFileSync(join(run, 'evaluation.json'), 'utf8'))
    const mean = each.slice(0, 50).reduce((a: number, b: number) => a + b, 0) / 50
    expect(result['figure']).toBeCloseTo(mean, 4)
    expect(layers.reduce((sum, { share }) => sum + share, 0) + Number(result['base'])).toBeCloseTo(mean, 4)
    expect(said).toMatch(/^squeeze +28×28×1 +14×14×4 +0 +0 /m)
    expect(said).toMatch(/^factorOut +14×14×4 +14×14×2, 14×14×2/m)
  })
  it('of the first version has the figures that it had', async () => {
    const first = at('first')
    cpSync(resolve('test/cli/first'), first, { recursive: true })
    const { saved } = await loadSaved(first)
    expect([saved.step, saved.config.recipe.schedule, saved.config.shape]).toEqual([20, 'constant', [28, 28, 1]])
    const { result } = await told((io) => evaluateRun(first, { ...flags, data }, io))
    // as the program that wrote it measured
    expect(result['mean']).toBeCloseTo(6.764226, 4)
    expect(result['worst']).toBeCloseTo(7.625744, 3)
  })
  it('interpolate wants four test images', async () => {
    await fewImages(at('three'), 3)
    const three = { ...flags, seed: 0, data: at('three') }
    expect((await told((io) => interpolateRun(at('first'), three, io))).ended).toBe(
      'interpolate: expected a run with at least 4 test images, got 3',
    )
  })
})

describe('without a run', () => {
  it('inspect counts what a model costs', async () => {
    const { result, said } = await told((io) =>
      inspectWhat('realnvp-vector', { ...flags, shape: [2], couplings: 2, hidden: [3] }, io),
    )
    // a coupling of 1 + 1 by 1 → 3 → 2: (1·3 + 3) + (3·2 + 2) and a scale; ActNorm 2 + 2
    expect(said).toMatch(/^all +2 +2 /m)
    expect(result['total']).toMatchObject({ parameters: 2 * 14 + 2 * 1 + 4 })
    const spline = { ...flags, shape: [2], couplings: 2, hidden: [3], transformer: 'spline' } as const
    const bent = await told((io) => inspectWhat('realnvp-vector', spline, io))
    // 3·8 − 1 numbers of the net instead of 2, and no scale
    expect(bent.result['total']).toMatchObject({ parameters: 2 * (1 * 3 + 3 + 3 * 23 + 23) + 4 })
  })
  it('inspect lists every bijector but compositions, whatever its name', async () => {
    const own = at('names.mjs')
    writeFileSync(
      own,
      `import { atShape, bijector, compose, flip, input, reverse } from '${resolve('dist/src/index.js')}'
       import * as T from '${resolve('dist/src/entry/tensor.js')}'
       const named = (name) => {
         const same = (_, x) => [x, T.zeroPerExample(x)]
         return bijector({ name, domain: [2], codomain: [2], spec: {}, forward: same, inverse: same })
       }
       export default compose(input([2]), named('input'), compose(named('compose'), input([2])), reverse(atShape([2], flip)))`,
    )
    const { result } = await told((io) => inspectWhat(own, { ...flags, shape: [2] }, io))
    const layers = result['layers'] as unknown as readonly { readonly name: string }[]
    expect(layers.map(({ name }) => name)).toEqual(['input', 'compose', 'reverse(flip)'])
  })
  it("inspect's figures are those of a count by hand", async () => {
    const of = { ...flags, shape: [4], couplings: 2, hidden: [3] }
    const { result, said } = await told((io) => inspectWhat('realnvp-vector', of, io))
    // 2 → 3 → 4 with biases and a ReLU; tanh, scale, exp, times and plus of two numbers; the sum of two
    const net = { flops: 2 * 2 * 3 + 3 + 3 + 2 * 3 * 4 + 4, parameters: 2 * 3 + 3 + 3 * 4 + 4 }
    const coupling = {
      name: 'coupling',
      from: '4',
      to: '4',
      parameters: net.parameters + 2,
      flops: net.flops + 5 * 2 + 2,
      // x in two halves, what the net makes on its way, s and t in two halves, those five, both halves again, a log-det
      bytes: 4 * (4 + 2 + 2 + (3 + 3 + 3 + 4 + 4) + 2 + 2 + 5 * 2 + 4 + 1),
    }
    // times and plus; the log-det is one number, given to each example by a product; x is read
    const actNorm = { name: 'actNorm', from: '4', to: '4', parameters: 2 * 4, flops: 4 + 4 + 1, bytes: 4 * (3 * 4 + 2) }
    expect(result['layers']).toEqual([coupling, coupling, actNorm])
    const [parameters, flops, bytes] = (['parameters', 'flops', 'bytes'] as const).map(
      (key) => 2 * coupling[key] + actNorm[key],
    )
    expect(result['total']).toEqual({ parameters, flops, bytes })
    expect(said).toMatch(/^all +4 +4 +62 +125 +408$/m)
  })
  it('data check reads every image, and says what there is', async () => {
    const { said, result, ended, drawn } = await told((io) => checkData('mnist', { data, validation: 512 }, io))
    expect(drawn).toMatch(/reading: 613 images, [\d.]+ images\/s, 0:00 left/)
    expect([ended, said]).toEqual(['done', expect.stringContaining('48 images to train, 512 to validate, 53 to test')])
    expect(said).toContain('all 613 images were read: gray levels 0 to 255, mean ')
    const images = ['train', 't10k'].map((part) => readFileSync(join(data, `${part}-images-idx3-ubyte`)).subarray(16))
    const levels = images.flatMap((bytes) => [...bytes])
    expect(result).toMatchObject({ images: 613, least: 0, most: 255 })
    expect(result['mean']).toBeCloseTo(levels.reduce((a, b) => a + b, 0) / levels.length, 6)
    expect(await told((io) => checkData('moons', {}, io))).toMatchObject({ ended: 'done' })
    expect((await told((io) => checkData('mnist', { data: at('nowhere') }, io))).ended).toContain('nowhere')
  })
  it('data check finds the one picture that is cut', async () => {
    const pictures = at('pictures')
    mkdirSync(pictures)
    const noise = uniformArray(key(0), 8 * 8 * 3).map((u) => 256 * u)
    const bytes = encodePng({ width: 8, height: 8, channels: 3, data: Uint8Array.from(noise) })
    for (let i = 0; i < 150; i++)
      writeFileSync(join(pictures, `${i}.png`), i === 117 ? bytes.subarray(0, bytes.length / 2) : bytes)
    expect((await told((io) => checkData('folder', { data: pictures, size: 16, validation: 512 }, io))).ended).toBe(
      '--validation: expected 0 to 134 of 135 images to hold out, got 512; hold out fewer',
    )
    const cut = await told((io) => checkData('folder', { data: pictures, size: 16 }, io))
    expect(cut.ended).toMatch(/117\.png: expected a whole PNG or JPEG picture, got .*; replace it or remove it/)
    writeFileSync(join(pictures, '117.png'), bytes)
    expect((await told((io) => checkData('folder', { data: pictures, size: 16, validation: 9 }, io))).said).toContain(
      'all 150 images',
    )
  })
})

describe('reconstructions', () => {
  it('show first what is no number', async () => {
    const levels = [10, 20, 30, 40].flatMap((level) => [level, level, level, level])
    levels[9] = Number.NaN
    const x = tf.tensor(levels, [4, 2, 2, 1])
    const own = flow(compose(input([2, 2, 1]), logit()), standardNormal)
    const made = await reconstruct(own as never, own.init(key(0)), trust(x), 2)
    x.dispose()
    const { data, width } = made.picture!
    expect(made.largestError).toBeNaN()
    // the third image, left in the upper row
    expect([data[2 * width + 2], data[2 * width + 3]]).toEqual([30, 0])
  })
})

describe('a model of a file', () => {
  const source = (shape: string) =>
    `import { compose, coupling, halves, input, mlp } from 'diffeo'
     export default compose(input(${shape}), coupling(halves(), mlp({ hidden: [4] })), coupling(halves('second'), mlp({ hidden: [4] })))`
  const file = resolve('dist/examples/.test-flow.mjs')
  afterAll(() => rmSync(file, { force: true }))
  it('is trained, asked for, and used', async () => {
    writeFileSync(file, source('[2]'))
    const own = ['--model', file, '--out', 'own']
    const trained = await started(folder, 'train', 'moons', '--steps', '5', ...own)
    expect([trained.code, trained.err]).toEqual([0, ''])
    expect(trained.out).toContain(`--resume --out own --model ${file}`)
    const refused = await diffeo(folder, 'evaluate', 'own')
    expect(refused.err).toContain(`add --model ${file} if you trust that file`)
    const json = await started(folder, 'evaluate', 'own', '--model', file, '--json')
    expect(JSON.parse(json.out)).toMatchObject({ run: 'own', unit: 'nats', count: 10_000 })
  })
  it('is the same by another path, and another one by another name', async () => {
    const path = relative(folder, file)
    const resume = ['train', 'moons', '--resume', '--steps', '6', '--out', 'own', '--no-report', '--model']
    expect((await started(folder, ...resume, path)).err).toBe('')
    expect((await diffeo(folder, 'evaluate', 'own')).err).toContain(`add --model ${path} if you trust that file`)
    expect((await diffeo(folder, ...resume, 'other.mjs')).err).toContain(
      '--model: expected .test-flow.mjs, as in the resumed run, got other.mjs; keep it, or start a new run',
    )
  })
  it('may be TypeScript, whatever the Node', async () => {
    const typed = resolve('dist/examples/.test-flow.ts')
    writeFileSync(
      typed,
      `import { type Bijector, compose, coupling, halves, input, mlp } from 'diffeo'
       const own: Bijector<readonly [2], readonly [2]> = compose(input([2]), coupling(halves(), mlp({ hidden: [4] })))
       export default own`,
    )
    const { code, out } = await started(folder, 'inspect', typed, '--shape', '2')
    rmSync(typed)
    expect([code, /^coupling +2 +2 /m.test(out)]).toEqual([0, true])
  })
  it('is refused in a sentence if it does not fit, load or exist', async () => {
    const say = (model: string) =>
      told((io) => train('moons', { ...small, steps: 1, out: at('refused'), model }, io)).then(({ ended }) => ended)
    writeFileSync(at('empty.mjs'), 'export const x = 1')
    writeFileSync(at('broken.mjs'), 'export default ]')
    writeFileSync(at('wide.mjs'), 'export default { domain: [3], at: () => 0 }')
    writeFileSync(at('throws.mjs'), 'export default { at: () => { throw new TypeError("no such shape") } }')
    writeFileSync(at('three.mjs'), 'export default { at: () => 3 }')
    writeFileSync(at('elsewhere.mjs'), 'import "diffeo"')
    expect(await say(at('throws.mjs'))).toContain(
      'expected a layer whose at returns, got one that throws: no such shape; export it',
    )
    expect(await say(at('three.mjs'))).toContain('expected a layer whose at returns a bijector, got number; export it')
    expect((await started(folder, 'inspect', at('elsewhere.mjs'))).err).toMatch(
      /; npm install diffeo where that file is\n$/,
    )
    expect(await say(at('empty.mjs'))).toContain('expected a bijector or a layer as default or model, got x; export it')
    expect(await say(at('broken.mjs'))).toContain('expected a module that loads, got')
    expect(await say(at('wide.mjs'))).toContain('expected events of shape 2, as the data have, got 3')
    expect(await say(at('none.mjs'))).toContain('expected a file, got nothing there')
  })
})

describe('the command line', () => {
  it('completes commands, flags and their values in a shell', async () => {
    expect((await started(folder, 'complete', '--', 'ev')).out).toContain('evaluate')
    expect((await started(folder, 'complete', '--', 'train', '')).out).toContain('mnist')
    expect((await started(folder, 'complete', '--', 'train', 'mnist', '--schedule', '')).out).toContain('cosine')
  })
  it('leaves paths to the shell', async () => {
    const answered = async (...words: readonly string[]) => (await started(folder, 'complete', '--', ...words)).out
    // 4: no files
    expect(await answered('train', 'mo')).toBe('moons\t\n:4\n')
    expect(await answered('evaluate', '')).toBe(':0\n')
    expect(await answered('train', 'moons', '--out', 'ru')).toBe(':0\n')
  })
  it.for([
    ['bash', 'source ./script; complete -p diffeo', 'complete -o default -F __diffeo_complete diffeo\n'],
    ['zsh', 'autoload -U compinit; compinit -D; source ./script; echo $_comps[diffeo]', '_diffeo\n'],
    ['fish', 'function diffeo; printf "%s\\n" moons :4; end; source ./script; complete -C "diffeo train m"', 'moons\n'],
  ] as const)('has a script that %s loads', async ([shell, line, answer], context) => {
    if (spawnSync(shell, ['-c', 'true']).error !== undefined) return context.skip()
    const { code, out } = await started(folder, 'complete', shell)
    expect(code).toBe(0)
    writeFileSync(at('script'), out)
    expect(await command(folder, shell, ['-c', line])).toMatchObject({ code: 0, out: answer, err: '' })
  })
  it('refuses flags that would do nothing', async () => {
    await diffeo(folder, 'train', 'moons', '--steps', '1', '--hidden', '4', '--no-report', '--out', 'plane')
    const refused = async (...args: readonly string[]) => {
      const { code, err } = await diffeo(folder, ...args)
      expect(code).toBe(1)
      return err.trim()
    }
    expect(await refused('inspect', 'plane', '--width', '3')).toBe(
      "diffeo: --width: expected a model, got 'plane'; name one, or leave it out",
    )
    expect(await refused('inspect', 'plane', '--shape', '2')).toMatch(/^diffeo: --shape: expected a model, got 'plane'/)
    for (const flag of ['--checkpoint=best', '--data=here', '--model=flow.js'])
      expect(await refused('inspect', 'realnvp', flag)).toBe(
        `diffeo: ${flag.split('=')[0]}: expected the folder of a run, got 'realnvp'; name one, or leave it out`,
      )
    expect(await refused('sample', 'plane', '--data', 'here')).toContain("unknown option '--data'")
    expect(await refused('evaluate', 'plane', '--model', 'flow.js')).toBe(
      "diffeo: --model: expected nothing, for a run of realnvp-vector, got 'flow.js'; leave it out",
    )
    expect(await refused('reconstruct', 'plane', '--to', 'back.png')).toBe(
      'diffeo: --to: expected a run on images, got one on moons; leave it out',
    )
    expect(await refused('engine', 'install', '--wheel', 'a.whl', '--dry-run')).toBe(
      'diffeo: --dry-run: expected something to download, got --wheel a.whl; leave out one of them',
    )
  })
  it('does what docs/cli.md shows', async () => {
    const page = readFileSync('docs/cli.md', 'utf8')
    const [, lines = ''] = /```sh\n([^`]+)```/.exec(page) ?? []
    const [, model = ''] = /```ts\n([^`]+)```/.exec(page) ?? []
    expect(lines.trim().split('\n').length).toBeGreaterThan(5)
    for (const line of lines.trim().split('\n')) {
      const { code, err } = await diffeo(folder, ...line.split(' ').slice(1))
      expect([line, code, err]).toEqual([line, 0, ''])
    }
    const file = resolve('dist/examples/.my-flow.ts')
    writeFileSync(file, model)
    const { code } = await started(folder, 'inspect', file, '--shape', '2')
    rmSync(file)
    expect(code).toBe(0)
  })
})
