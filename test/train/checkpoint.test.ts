import '../support.js'
import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as tf from '@tensorflow/tfjs-core'
import { describeError, type Flow, key } from 'diffeo'
import { loadCheckpoint, orThrow, restore, restoreBest, saveCheckpoint } from 'diffeo/fp'
import { type BatchOf, disposeParams, KeyC, leaves, unwrap } from 'diffeo/tensor'
import {
  adam,
  averaged,
  type Checkpoint,
  constantRate,
  cosineRate,
  disposeState,
  type MaybeLater,
  type Snapshot,
  type StepOptions,
  startTraining,
  type TrainState,
  fit as train,
  trainStep,
} from 'diffeo/train'
import fc from 'fast-check'
import * as E from 'fp-ts/lib/Either.js'
import type * as TE from 'fp-ts/lib/TaskEither.js'
import * as t from 'io-ts'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { DiffeoError } from '../../src/error.js'
import { decodeSafetensors, encodeSafetensors, type Safetensors } from '../../src/train/safetensors.js'
import type { Latents, Shape } from '../../types/shape.js'
import { collect, grown, moonBatch, moons, plane, stateBits, tiny, tinyBatch, treeBits } from './toy.js'

const Config = t.type({ model: t.type({ width: t.number }), key: KeyC })
const config: t.TypeOf<typeof Config> = { model: { width: 6 }, key: [0, 42] }
const spec = moons.bijector.spec

const sentence = <A>(either: E.Either<DiffeoError, A>): string => E.match(describeError, () => 'done')(either)
const ran = async <A>(task: TE.TaskEither<DiffeoError, A>): Promise<A> => orThrow(await task())
const said = async (task: TE.TaskEither<DiffeoError, unknown>): Promise<string> => sentence(await task())

let folder: string
let path: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'diffeo-checkpoint-'))
  path = join(folder, 'run.safetensors')
})
afterEach(async () => {
  await chmod(folder, 0o700)
  await rm(folder, { recursive: true })
})

/** Some steps on, so that nothing is at its start any more. */
const trained = async <A extends Shape, B extends Latents>(
  flow: Flow<A, B>,
  batch: (step: number) => MaybeLater<BatchOf<A>>,
  options: StepOptions,
  steps: number,
): Promise<TrainState> => {
  const next = trainStep(flow, options)
  let state = await startTraining(flow, options.optimiser, key(0), await batch(0))
  for (let i = 0; i < steps; i++) {
    const [after] = await next(state, await batch(i))
    disposeState(state)
    state = after
  }
  return state
}
const moonOptions: StepOptions = { optimiser: averaged(adam()), learningRate: constantRate(1e-2) }
const tinyOptions: StepOptions = { optimiser: adam(), learningRate: cosineRate(1e-2, 20, 3) }

let state: TrainState
beforeAll(async () => {
  state = await trained(moons, moonBatch(), moonOptions, 3)
})
afterAll(() => disposeState(state))

const saved = async (more: Partial<Snapshot> = {}): Promise<Checkpoint<unknown>> => {
  await ran(saveCheckpoint(path)({ state, flow: moons, config, ...more }))
  return ran(loadCheckpoint(path, t.unknown))
}
const without = (name: string) => (all: Safetensors) => ({
  ...all,
  metadata: Object.fromEntries(Object.entries(all.metadata).filter(([key]) => key !== name)),
})
/** The saved file with its contents changed; without the checksum, so that what is changed is met by what it breaks. */
const changed = async (change: (contents: Safetensors) => Safetensors): Promise<void> => {
  await saved()
  const contents = orThrow(decodeSafetensors('')(await readFile(path)))
  await writeFile(path, orThrow(encodeSafetensors(change(without('sha256')(contents)))))
}
const metadata = (more: Record<string, string>) => (all: Safetensors) => ({
  ...all,
  metadata: { ...all.metadata, ...more },
})

describe('a checkpoint', () => {
  it('is read back bit for bit, with its configuration and step', async () => {
    await ran(saveCheckpoint(path)({ state, flow: moons, config }))
    const read = await ran(loadCheckpoint(path, Config))
    expect(read.config).toEqual(config)
    expect(read.step).toBe(3)
    expect('best' in read).toBe(false)
    const again = orThrow(restore(spec, averaged(adam()))(read))
    expect(stateBits(again)).toEqual(stateBits(state))
    expect(again.moments.length).toBe(3)
    disposeState(again)
  })
  it('keeps running statistics and whether ActNorm has started', async () => {
    const image = await trained(tiny, tinyBatch, tinyOptions, 2)
    const read = await saved({ state: image, flow: tiny })
    const again = orThrow(restore(tiny.bijector.spec)(read))
    expect(stateBits(again)).toEqual(stateBits(image))
    const values = new Map(leaves(again.params).map(([at, leaf]) => [at, [...unwrap(leaf as never).dataSync()]]))
    expect(values.get('4.actNorm/started')).toEqual([1])
    expect(values.get('3.batchNorm/mean')).not.toEqual([0])
    disposeState(image)
    disposeState(again)
  })
  it('is read back from before batch norms told whether they had started: they had', async () => {
    const image = await trained(tiny, tinyBatch, tinyOptions, 2)
    await saved({ state: image, flow: tiny, best: { params: image.params, bitsPerDim: 1 } })
    const { metadata, tensors } = without('sha256')(orThrow(decodeSafetensors('')(await readFile(path))))
    const before = new Map([...tensors].filter(([name]) => !name.endsWith('batchNorm/started')))
    expect(tensors.size - before.size).toBe(2)
    await writeFile(path, orThrow(encodeSafetensors({ metadata, tensors: before })))
    const old = await ran(loadCheckpoint(path, t.unknown))
    const [again, best] = [orThrow(restore(tiny.bijector.spec)(old)), orThrow(restoreBest(tiny.bijector.spec)(old))!]
    expect(stateBits(again)).toEqual(stateBits(image))
    expect(treeBits(best)).toEqual(treeBits(image.params))
    disposeParams(best)
    disposeState(image)
    disposeState(again)
  })
  it('keeps values that are not finite, and NaNs to the bit', async () => {
    const odd = new Float32Array(Uint32Array.of(0x7fc00123, 0xff800000, 0x80000000, 1).buffer)
    const params = { a: tf.tensor1d(odd) }
    const own = { a: { _tag: 'Param', shape: [4], role: 'statistic', start: { constant: 0 } } } as const
    const read = await saved({
      state: { step: 0, params: params as never, moments: [] },
      flow: { spec: own },
    })
    expect([...new Uint32Array(read.tensors.get('params/a')!.data.buffer)]).toEqual([
      0x7fc00123,
      0xff800000,
      2 ** 31,
      1,
    ])
    params.a.dispose()
  })
  it('holds the best parameters and their figures, which other parameters do not touch', async () => {
    const other = await trained(moons, moonBatch(), moonOptions, 1)
    const read = await saved({ best: { params: other.params, bitsPerDim: 1.1 / 3, worse: 2 } })
    expect(read.best).toEqual({ bitsPerDim: 1.1 / 3, worse: 2 })
    const best = orThrow(restoreBest(spec)(read))!
    const current = orThrow(restore(spec)(read))
    expect(treeBits(best)).toEqual(treeBits(other.params))
    expect(stateBits(current)).toEqual(stateBits(state))
    disposeParams(best)
    disposeState(current)
    disposeState(other)
  })
  it('answers no best parameters if it has none', async () => {
    expect(restoreBest(spec)(await saved())).toEqual(E.right(undefined))
  })
  it('has names that other programs find', async () => {
    const names = [...(await saved()).tensors.keys()]
    expect(names.slice(0, 2)).toEqual(['params/1.coupling/net/dense0/kernel', 'params/1.coupling/net/dense0/bias'])
    const count = leaves(spec).length
    const started = names.filter((name) => name.endsWith('started'))
    expect(started).toEqual(['params/3.actNorm/started'])
    expect(names.length).toBe(count + 3 * (count - 1))
  })
  it('changes no number of tensors until it is restored, and a refusal makes none', async () => {
    expect(await grown(() => saved({ best: { params: state.params, bitsPerDim: 1 } }))).toBe(0)
    const read = await saved()
    expect(await grown(() => restore(tiny.bijector.spec)(read))).toBe(0)
    expect(await grown(() => disposeState(orThrow(restore(spec)(read))))).toBe(0)
  })
  it('is restored twice without sharing', async () => {
    const read = await saved()
    const [a, b] = [orThrow(restore(spec)(read)), orThrow(restore(spec)(read))]
    disposeState(a)
    ;[...read.tensors.values()][0]!.data.fill(7)
    expect(stateBits(b)).toEqual(stateBits(state))
    disposeState(b)
  })
  it('needs no configuration, nor a codec for one', async () => {
    await ran(saveCheckpoint(path)({ state, flow: moons }))
    const read: Checkpoint<unknown> = await ran(loadCheckpoint(path))
    expect(read.config).toBe(null)
    expect((await ran(loadCheckpoint(path, t.null))).config).toBe(null)
    expect(await said(loadCheckpoint(path, t.type({ width: t.number })))).toContain('got null')
    await ran(saveCheckpoint(path)({ state, flow: moons, config: { width: 3 } }))
    expect((await ran(loadCheckpoint(path))).config).toEqual({ width: 3 })
  })
  it('reads the tensors when the task starts, so that they may go right after', async () => {
    const own = await trained(moons, moonBatch(), moonOptions, 1)
    const before = stateBits(own)
    const writing = saveCheckpoint(path)({ state: own, flow: moons, config })()
    disposeState(own)
    expect(await writing).toEqual(E.right(undefined))
    const again = orThrow(restore(spec)(await ran(loadCheckpoint(path, t.unknown))))
    expect(stateBits(again)).toEqual(before)
    disposeState(again)
  })
})

describe('saveCheckpoint refuses', () => {
  it('a missing folder', async () => {
    const at = join(folder, 'no', 'run.safetensors')
    expect(await said(saveCheckpoint(at)({ state, flow: moons, config }))).toBe(
      `write ${at}: expected an existing folder, got none (ENOENT); create it: mkdir -p '${join(folder, 'no')}'`,
    )
  })
  it.skipIf(process.platform === 'win32' || process.getuid?.() === 0)('a folder that may not be written', async () => {
    await saved()
    const before = await readFile(path)
    await chmod(folder, 0o500)
    expect(await said(saveCheckpoint(path)({ state, flow: moons, config: 1 }))).toContain(
      'expected permission to write, got',
    )
    expect(await readdir(folder)).toEqual(['run.safetensors'])
    expect(await readFile(path)).toEqual(before)
  })
  it.each<[string, () => Partial<Snapshot>, string]>([
    [
      'a configuration without JSON',
      () => ({ config: 1n }),
      'expected the configuration as plain JSON, got a value that',
    ],
    [
      'a best figure that is NaN',
      () => ({ best: { params: state.params, bitsPerDim: Number.NaN } }),
      'finite best figure',
    ],
    [
      'another flow',
      () => ({ flow: tiny }),
      'the flow whose parameters they are, got another; pass the one that was trained',
    ],
    ['best parameters of another flow', () => ({ best: { params: {}, bitsPerDim: 1 } }), 'the flow whose parameters'],
  ])('%s, and leaves no file', async (_, more, words) => {
    expect(await said(saveCheckpoint(path)({ state, flow: moons, config, ...more() }))).toContain(words)
    expect(await readdir(folder)).toEqual([])
  })
  it('a state that was freed', async () => {
    const own = await trained(moons, moonBatch(), moonOptions, 0)
    disposeState(own)
    expect(await said(saveCheckpoint(path)({ state: own, flow: moons, config }))).toBe(
      "checkpoint: expected a state with its tensors, got one that was freed; save it before fit's next event",
    )
    expect(await readdir(folder)).toEqual([])
  })
})

describe('loadCheckpoint refuses', () => {
  const load = () => said(loadCheckpoint(path, Config))
  it('a missing file', async () =>
    expect(await load()).toBe(`read ${path}: expected a file, got nothing there (ENOENT); check the path`))
  it('a file cut short', async () => {
    await saved()
    await writeFile(path, (await readFile(path)).subarray(0, -1))
    expect(await load()).toMatch(
      /: expected at least \d+ bytes of data, for .*, got \d+ bytes; check that it is the file/,
    )
  })
  it('one of which a byte has changed, wherever it was, unless it is from before there was a checksum', async () => {
    await saved({ best: { params: state.params, bitsPerDim: 1 } })
    const bytes = await readFile(path)
    const text = bytes.toString('latin1')
    const spoilt = (at: number, to = bytes[at]! ^ 1) => Buffer.from(bytes).fill(to, at, at + 1)
    const places = { data: bytes.length - 1, step: text.indexOf('"step":"3"') + 8, config: text.indexOf('42') + 1 }
    for (const at of Object.values(places)) {
      await writeFile(path, spoilt(at))
      expect(await load()).toBe(
        `${path}: expected what was saved, by its SHA-256, got other contents; it is damaged: restore it from a copy`,
      )
    }
    const contents = orThrow(decodeSafetensors('')(bytes))
    // the same contents in another order, as another program may write them
    const turned = { ...contents, tensors: new Map([...contents.tensors].reverse()) }
    await writeFile(path, orThrow(encodeSafetensors(turned)))
    expect(await load()).toBe('done')
    await writeFile(
      path,
      orThrow(encodeSafetensors(without('sha256')(orThrow(decodeSafetensors('')(spoilt(places.data)))))),
    )
    expect(await load()).toBe('done')
  })
  it('safetensors of another program', async () => {
    await writeFile(path, orThrow(encodeSafetensors({ tensors: new Map(), metadata: { format: 'pt' } })))
    expect(await load()).toBe(
      `${path}: expected the metadata.format to be "diffeo checkpoint", got "pt"; check that it is a checkpoint of this program`,
    )
  })
  it.each<[string, (all: Safetensors) => Safetensors, string]>([
    [
      'a newer version',
      metadata({ version: '2' }),
      'expected a checkpoint of version 1, got version 2; use a newer diffeo',
    ],
    [
      'version 0',
      metadata({ version: '0' }),
      'expected a checkpoint of version 1, got no version that there is; check',
    ],
    ['no version', without('version'), 'expected the metadata.version to be string, got nothing; check'],
    ['no step', without('step'), 'expected step in JSON, got none; check'],
    ['half a step', metadata({ step: '1.5' }), 'expected step to be an integer from 0, got 1.5; check'],
    ['a negative step', metadata({ step: '-1' }), 'expected step to be an integer from 0, got -1; check'],
    ['no configuration', without('config'), 'expected config in JSON, got none; check'],
    ['a cut configuration', metadata({ config: '{"mod' }), 'expected config in JSON, got other text; check'],
    [
      'another configuration',
      metadata({ config: '{"model":{},"key":[0,1]}' }),
      'expected config.model.width to be number, got nothing; read it with',
    ],
    [
      'a bad key',
      metadata({ config: '{"model":{"width":1},"key":[0]}' }),
      'expected config.key to be a key: two integers from 0 to 2³² − 1, got [0]; read',
    ],
    [
      'bad figures',
      metadata({ best: '{"bitsPerDim":"1","worse":0}' }),
      'expected best.bitsPerDim to be number, got "1"; check',
    ],
    [
      'figures without end',
      metadata({ best: '{"bitsPerDim":1,"worse":-1}' }),
      'expected best.worse to be an integer from 0, got -1',
    ],
  ])('%s', async (_, change, words) => {
    await changed(change)
    expect(await load()).toContain(words)
    expect(await load()).toMatch(/^[^\n]*$/)
  })
  it('a configuration whose union or intersection does not fit, by the name of its place', async () => {
    await saved({ config: { a: { b: 1 } } })
    const U = t.type({ a: t.intersection([t.type({}), t.type({ b: t.union([t.string, t.null]) })]) })
    expect(await said(loadCheckpoint(path, U))).toContain('expected config.a.b to be (string | null), got 1; read')
  })
})

describe('restore refuses', () => {
  const name = 'params/1.coupling/net/dense0/kernel'
  const edit = (
    f: (tensors: Map<string, Safetensors['tensors'] extends ReadonlyMap<string, infer V> ? V : never>) => void,
  ) =>
    changed((all) => {
      const tensors = new Map(all.tensors)
      f(tensors)
      return { ...all, tensors }
    })
  const restored = async () => sentence(restore(spec)(await ran(loadCheckpoint(path, t.unknown))))
  const fix = 'build the flow from the configuration in the checkpoint'
  it('a tensor that is missing', async () => {
    await edit((tensors) => tensors.delete(name))
    expect(await restored()).toBe(`${path}: expected ${name} of shape 1×6, got no such tensor; ${fix}`)
  })
  it('a moment that is missing', async () => {
    await edit((tensors) => tensors.delete(name.replace('params', 'moments/1')))
    expect(await restored()).toContain(`expected moments/1/1.coupling/net/dense0/kernel of shape 1×6, got no`)
  })
  it('a tensor too many', async () => {
    await edit((tensors) => tensors.set('params/more', { shape: [2, 1], data: Float32Array.of(1, 2) }))
    expect(await restored()).toMatch(
      /: expected only the \d+ tensors of the flow, got also params\/more of shape 2×1; /,
    )
  })
  it('best parameters of which the metadata say nothing', async () => {
    await edit((tensors) => tensors.set('best/a', { shape: [], data: Float32Array.of(1) }))
    expect(await restored()).toContain('got also best/a of shape scalar; ')
  })
  it('a tensor of another shape', async () => {
    await edit((tensors) => tensors.set(name, { shape: [6, 1], data: new Float32Array(6) }))
    expect(await restored()).toBe(`${path}: expected ${name} of shape 1×6, got 6×1; ${fix}`)
  })
  it('another flow', async () => {
    const wider = plane(7)
    expect(sentence(restore(wider.bijector.spec)(await saved()))).toContain(
      `expected ${name} of shape 1×7, got 1×6; ${fix}`,
    )
  })
  it('best parameters of another flow', async () => {
    await saved({ best: { params: state.params, bitsPerDim: 1 } })
    const read = await ran(loadCheckpoint(path, t.unknown))
    expect(sentence(restoreBest(tiny.bijector.spec)(read))).toMatch(/expected best\/.* got no such tensor; build/)
  })
  it('the moments of another optimiser', async () => {
    expect(sentence(restore(spec, adam())(await saved()))).toBe(
      `${path}: expected 2 lists of moments, got 3; choose the optimiser of that run`,
    )
  })
  it('a billionth list of moments, without counting up to it', async () => {
    await edit((tensors) => tensors.set('moments/1000000000/a', { shape: [], data: Float32Array.of(1) }))
    expect(await restored()).toContain('expected moments/3/')
  })
  it('a list of moments for each of many tensors, without looking for all that they would have', async () => {
    await edit((tensors) => {
      for (let i = 3; i < 1000; i++) tensors.set(`moments/${i}/a`, { shape: [], data: Float32Array.of(1) })
    })
    const read = await ran(loadCheckpoint(path))
    const trained = state.moments[0]!.length
    expect(sentence(restore(spec, adam())(read))).toContain(
      `expected 2 lists of moments, got ${Math.ceil(read.tensors.size / trained)}; `,
    )
  })
  it('best parameters of which one is missing', async () => {
    await saved({ best: { params: state.params, bitsPerDim: 1 } })
    const { tensors, ...read } = await ran(loadCheckpoint(path))
    const best = name.replace('params', 'best')
    const without = new Map([...tensors].filter(([own]) => own !== best))
    expect(sentence(restoreBest(spec)({ ...read, tensors: without }))).toBe(
      `${path}: expected ${best} of shape 1×6, got no such tensor; ${fix}`,
    )
  })
})

describe('a run that is saved, restored and continued', () => {
  /** The last state of a run, which stops for a while after the given steps. */
  const run = async <A extends Shape, B extends Latents>(
    flow: Flow<A, B>,
    batch: (step: number) => MaybeLater<BatchOf<A>>,
    options: StepOptions,
    steps: number,
    stops: readonly number[],
  ) => {
    let current = await startTraining(flow, options.optimiser, key(0), await batch(0))
    const bits: number[] = []
    for (const until of [...stops, steps]) {
      const training = train(flow, current, { ...options, batch, steps: until })
      const events = await collect(training)
      bits.push(...events.flatMap((e) => (e._tag === 'Stepped' ? [e.bitsPerDim, e.gradientNorm] : [])))
      const last = events.at(-1)!
      disposeState(current)
      await ran(saveCheckpoint(path)({ state: last.state, flow, config }))
      disposeState(last.state)
      const read = await ran(loadCheckpoint(path, Config))
      current = orThrow(restore(flow.bijector.spec, options.optimiser)(read))
    }
    const end = { bits, state: stateBits(current) }
    disposeState(current)
    return end
  }
  const stops = (steps: number) =>
    fc.uniqueArray(fc.nat(steps), { minLength: 1, maxLength: 3 }).map((s) => s.sort((a, b) => a - b))

  it('is the run that never stopped, bit for bit, in the plane', async () => {
    const whole = await run(moons, moonBatch(), moonOptions, 12, [])
    await fc.assert(
      fc.asyncProperty(stops(12), async (at) => {
        expect(await run(moons, moonBatch(), moonOptions, 12, at)).toEqual(whole)
      }),
      { numRuns: 8 },
    )
  })
  it('is the run that never stopped, bit for bit, with batch statistics on images', async () => {
    const whole = await run(tiny, tinyBatch, tinyOptions, 5, [])
    expect(whole.bits.length).toBe(10)
    await fc.assert(
      fc.asyncProperty(stops(5), async (at) => {
        expect(await run(tiny, tinyBatch, tinyOptions, 5, at)).toEqual(whole)
      }),
      { numRuns: 4 },
    )
  })
})
