import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as tf from '@tensorflow/tfjs-core'
import { atShape, compose, flow, key, ordered, permute, realNvp, realNvpVector, standardNormal } from 'diffeo'
import { describeEngine, type Precision, ready } from 'diffeo/engine'
import { orThrow, restore, saveCheckpoint } from 'diffeo/fp'
import { type AnyTensor, disposeParams, leaves, mapLeaves, type Params, unwrap } from 'diffeo/tensor'
import {
  adam,
  averaged,
  constantRate,
  disposeState,
  dynamicLossScale,
  fit,
  type LossScaling,
  loadCheckpoint,
  type Optimiser,
  startTraining,
  type TrainState,
  trainStep,
} from 'diffeo/train'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { openLibrary } from '../../../src/backends/tensorflow/backend.js'
import { breaksAt, sessionConfig, slowness } from '../../../src/backends/tensorflow/config.js'
import { filesIn, findLibraries, findLibrary } from '../../../src/backends/tensorflow/install/find.js'
import { lowerProgram } from '../../../src/backends/tensorflow/lower/program.js'
import { passes } from '../../../src/backends/tensorflow/pipeline.js'
import { runPasses } from '../../../src/compiler/pipeline.js'
import type { Program } from '../../../src/compiler/program.js'
import { trace } from '../../../src/compiler/trace.js'
import { jit } from '../../../src/jit.js'
import { trust } from '../../../src/tensor/tensor.js'
import { appears, command, main } from '../../cli/support.js'
import { agrees } from '../../compiler/agree.js'
import { norms } from '../../compiler/norms.js'
import { collect, moonBatch, moons } from '../../train/toy.js'

afterEach(() => {
  vi.unstubAllEnvs()
})

const linux = process.platform === 'linux'
const folder = mkdtempSync(join(tmpdir(), 'diffeo-tensorflow-'))
afterAll(() => {
  rmSync(folder, { recursive: true })
})

describe.runIf(linux)('the library of TensorFlow', () => {
  const library = (name: string): string => {
    const path = join(folder, name)
    mkdirSync(path, { recursive: true })
    for (const file of ['libtensorflow_framework.so.2', 'libtensorflow_cc.so.2']) writeFileSync(join(path, file), '')
    return path
  }
  it('is two files of one folder', () => {
    expect(filesIn(folder)).toBeUndefined()
    expect(filesIn(library('both'))?.api).toBe(join(folder, 'both', 'libtensorflow_cc.so.2'))
  })
  it('is looked for where DIFFEO_TENSORFLOW says, then where it was installed', () => {
    vi.stubEnv('DIFFEO_CACHE', join(folder, 'cache'))
    const installed = library(join('cache', 'tensorflow-cpu-2.21.0', 'tensorflow'))
    expect(findLibraries({ DIFFEO_TENSORFLOW: library('asked') }).map(({ origin }) => origin)).toEqual([
      'DIFFEO_TENSORFLOW',
      'engine install',
    ])
    expect(findLibrary({})).toMatchObject({ folder: installed })
  })
  it('is an error with the way out where there is none', () => {
    vi.stubEnv('DIFFEO_CACHE', join(folder, 'empty'))
    expect(() => findLibrary({})).toThrow('got none; run `npx diffeo engine install`')
    expect(() => findLibrary({ DIFFEO_TENSORFLOW: folder })).toThrow(`a folder without them: ${folder}`)
  })
})

describe('a precision that the processor lacks', () => {
  const cpuinfo = (flags: string) => `processor\t: 0\nflags\t\t: fpu ${flags} aes\nprocessor\t: 1\n`
  it.each<readonly [Precision, string, string | undefined]>([
    ['bf16', cpuinfo('avx2'), 'the processor has neither avx512_bf16 nor amx_bf16'],
    ['bf16', cpuinfo('avx512_bf16'), undefined],
    ['bf16', cpuinfo('amx_bf16 amx_tile'), undefined],
    ['fp16', cpuinfo('amx_bf16 avx512_bf16'), 'neither avx512_fp16 nor amx_fp16'],
    ['float32', cpuinfo('avx2'), undefined],
    // not Linux, or no such processor
    ['bf16', '', undefined],
    ['bf16', 'processor\t: 0\nFeatures\t: fp asimd bf16\n', undefined],
  ])('is said to be slow: %s, %j', (precision, text, expected) => {
    const said = slowness(precision, text)
    if (expected === undefined) expect(said).toBeUndefined()
    else expect(said).toContain(expected)
  })
})

describe('what a session is asked for', () => {
  const asks = (...given: Parameters<typeof sessionConfig>) => {
    const bytes = Buffer.from(sessionConfig(...given))
    // rewrite_options { memory_optimization: NO_MEM_OPT }
    return [bytes.includes('SINGLE_THREADED_EXECUTOR'), bytes.includes(Buffer.from([0x52, 2, 0x20, 1]))]
  }
  it('is the executor for graphs that are whole on one processor, where one is: not compiled by XLA', () => {
    expect(asks({}, true)).toEqual([true, true])
    expect(asks({ xla: true }, true)).toEqual([false, false])
    expect(asks({})).toEqual([false, false])
  })
  it.each([
    ['bf16', '2.13.1', true],
    ['bf16', '1.30.0', true],
    ['bf16', '2.21.0', false],
    ['bf16', '3.0.0', false],
    ['fp16', '2.13.1', false],
    ['float32', '2.13.1', false],
  ] as const)('is not %s of version %s where that ends the process: %s', (precision, version, expected) => {
    expect(breaksAt(precision, version)).toBe(expected)
  })
})

const fused = (program: Program): Program => runPasses('tensorflow', passes, program)

describe('a program as a graph of TensorFlow', () => {
  const float = (...shape: number[]) => ({ shape, dtype: 'float32' as const })
  it.each([
    ['a product in float32', 1, 1, 'float32', 'MatMul'],
    ['none in halves', 1, 1, 'bf16', 'Conv2DBackpropFilter'],
    ['none with strides', 1, 2, 'float32', 'Conv2DBackpropFilter'],
    ['none of a larger filter', 3, 1, 'float32', 'Conv2DBackpropFilter'],
  ] as const)('makes a gradient by a filter of one pixel a product: %s', async (_, size, stride, precision, made) => {
    await ready('cpu')
    const side = 4 / stride
    const gradient = ([x, w, dy]: tf.Tensor[]) => [
      tf.grad((k: tf.Tensor) => tf.conv2d(x as tf.Tensor4D, k as tf.Tensor4D, stride, 'same'))(w!, dy!),
    ]
    const program = trace(gradient, [float(2, 4, 4, 3), float(size, size, 3, 5), float(2, side, side, 5)])
    const text = new TextDecoder('latin1').decode(lowerProgram(program, { precision }))
    expect(['MatMul', 'Conv2DBackpropFilter'].filter((op) => text.includes(op))).toEqual([made])
  })
  it('has the scale of a norm in the filter before it, and one bias', async () => {
    await ready('cpu')
    const normed = ([x, w, b, s]: tf.Tensor[]) => [
      tf.relu(tf.add(tf.mul(tf.add(tf.conv2d(x as tf.Tensor4D, w as tf.Tensor4D, 1, 'same'), b!), s!), b!)),
    ]
    const program = fused(trace(normed, [float(2, 4, 4, 3), float(3, 3, 3, 5), float(5), float(5)]))
    const large = program.calls.filter(({ outputs }) => program.values[outputs[0]!]!.shape.length === 4)
    expect(large.map(({ kernel }) => kernel)).toEqual(['Multiply', 'Conv2D', 'BiasAdd', 'Relu'])
  })
  it('sums the gradient of a bias apart from that of the filter in float32, where one operation of both is slower', async () => {
    await ready('cpu')
    const sum = ([x, w]: tf.Tensor[]) => [tf.sum(tf.conv2d(x as tf.Tensor4D, w as tf.Tensor4D, 1, 'same'), [0, 1, 2])]
    const program = trace(sum, [float(2, 4, 4, 3), float(3, 3, 3, 5)])
    const apart = (precision: 'float32' | 'bf16') =>
      new TextDecoder('latin1').decode(lowerProgram(program, { precision })).includes('Reshape')
    expect(apart('float32')).toBe(true)
    expect(apart('bf16')).toBe(false)
  })
  it('has a node for each call, its inputs and its outputs', async () => {
    await ready('cpu')
    const program = trace(([x]) => [tf.sum(tf.exp(x!), [0], true)], [{ shape: [3, 2], dtype: 'float32' }])
    const text = new TextDecoder('latin1').decode(lowerProgram(program))
    for (const part of ['in0', 'Placeholder', 'Exp', 'Sum', 'keep_dims', 'Identity', 'out0'])
      expect(text).toContain(part)
  })
})

/** The second test command names the engine; without the library there is nothing to run. */
describe.runIf(process.env['DIFFEO_TEST_ENGINE'] === 'tensorflow')('the engine tensorflow', () => {
  beforeAll(async () => {
    await ready('tensorflow')
  })
  it.each(Object.entries(norms))('computes a batch norm and its gradients: %s', (_, operation) =>
    agrees(operation, ['tensorflow']),
  )
  it('says what it is', async () => {
    expect(await ready('tensorflow')).toMatchObject({ version: expect.stringMatching(/^2\.\d+/), device: 'CPU' })
  })
  type State = readonly [a: tf.Tensor, b: tf.Tensor]
  const nextOf = () =>
    jit(([a, b]: State, x: tf.Tensor) => ({
      state: [tf.add(a, x), tf.mul(b, 0.999)] as State,
      metric: tf.sum(a),
    }))
  it('keeps what comes back in the runtime, and lets go of what is freed: 10,000 steps do not grow', async () => {
    const next = nextOf()
    const library = await openLibrary()
    let state: State = [tf.zeros([1000]), tf.ones([50_000])]
    const x = tf.ones([1000])
    const step = async () => {
      const { state: after, metric } = await next(state, x)
      tf.dispose([...state, metric])
      state = after
    }
    const seen = () => ({ tensors: tf.memory().numTensors, rss: process.memoryUsage().rss, live: library.live() })
    for (let i = 0; i < 500; i++) await step()
    const before = seen()
    for (let i = 0; i < 9500; i++) await step()
    const after = seen()
    console.log(`10,000 steps of the engine tensorflow: ${JSON.stringify({ before, after })}`)
    expect(after.tensors).toBe(before.tensors)
    // those of the last step are freed by the runtime's own thread
    expect(after.live).toBeLessThanOrEqual(before.live + 4)
    // a state is 200 kB: that many kept would be 2 GB, and the heap of other tests comes and goes
    expect(after.rss - before.rss).toBeLessThan(300e6)
    expect(state[0].dataSync()[7]).toBe(10_000)
    expect(state[1].dataSync()[7]).toBeCloseTo(0.999 ** 10_000, 6)
    tf.dispose([...state, x])
    await next.dispose()
  }, 600_000)
  it('leaves a state as it was when the next is made, and hands it to other programs, also when its own is gone', async () => {
    const [next, other] = [nextOf(), nextOf()]
    const x = tf.ones([3])
    const first = (await next([tf.zeros([3]), tf.ones([4])], x)).state
    const second = (await next(first, x)).state
    const third = (await other(second, x)).state
    const read = ([a, b]: State) => [a.dataSync()[0]!, b.dataSync()[0]!]
    expect(read(first)).toEqual([1, expect.closeTo(0.999, 6)])
    await next.dispose()
    await other.dispose()
    expect([second, third].map(read)).toEqual([
      [2, expect.closeTo(0.999 ** 2, 6)],
      [3, expect.closeTo(0.999 ** 3, 6)],
    ])
    // neither is a step of its own any more
    expect(read((await next(third, x)).state)).toEqual([4, expect.closeTo(0.999 ** 4, 6)])
    await next.dispose()
    const { live } = await openLibrary()
    const before = live()
    tf.dispose([...second, ...third])
    // each was one vector by then
    expect(live()).toBe(before - 2)
  })
  it('resumes from a checkpoint to the bytes of the run that never stopped', async () => {
    const options = { optimiser: averaged(adam()), learningRate: constantRate(1e-3), batch: moonBatch() }
    const run = async (from: TrainState, steps: number): Promise<TrainState> =>
      (await collect(fit(moons, from, { ...options, steps }))).at(-1)!.state
    const start = await startTraining(moons, options.optimiser, key(0), moonBatch()(0))
    const path = join(folder, 'half.safetensors')
    const half = await run(start, 5)
    orThrow(await saveCheckpoint(path)({ state: half, flow: moons })())
    const saved = await loadCheckpoint(path)
    const resumed = await run(orThrow(restore(moons.bijector.spec, options.optimiser)(saved)), 10)
    const whole = await run(start, 10)
    const all = ({ params, moments }: TrainState) =>
      [...leaves<AnyTensor>(params).map(([, leaf]) => unwrap(leaf)), ...moments.flat()].map((v) => [...v.dataSync()])
    expect(all(resumed)).toEqual(all(whole))
    expect(all(half)).not.toEqual(all(whole))
  })
  it('counts the run that optimises the graph as compiling, and not as a step', async () => {
    const library = await openLibrary()
    const { session } = library
    let runs = 0
    vi.spyOn(library, 'session').mockImplementation((options) => {
      const made = session(options)
      const run = (feeds: readonly bigint[]) => {
        runs += 1
        return made.run(feeds)
      }
      return { ...made, run: Object.assign(run, { now: made.run.now }) }
    })
    const options = { optimiser: adam(), learningRate: constantRate(1e-3), batch: moonBatch(), steps: 2 }
    const start = await startTraining(moons, options.optimiser, key(0), moonBatch()(0))
    runs = 0
    const seen: (readonly [string, number, number])[] = []
    for await (const { _tag, state } of fit(moons, start, options)) seen.push([_tag, state.step, runs])
    vi.restoreAllMocks()
    expect(seen).toEqual([
      ['Compiling', 0, 0],
      ['Compiled', 0, 1],
      ['Stepped', 1, 2],
      ['Stepped', 2, 3],
      ['Stopped', 2, 3],
    ])
  })
  it('lets a run stop at Ctrl-C and go on, and leaves a process without a crash', async () => {
    const args = [main, 'train', 'moons', '--engine', 'tensorflow', '--couplings', '2', '--hidden', '4', '--steps']
    const stopped = await command(folder, process.execPath, [...args, '1000000'], (child) => {
      void appears(join(folder, 'runs/moons/metrics.jsonl'), '"step":20').then(() => child.kill('SIGINT'))
    })
    expect([stopped.code, stopped.signal]).toEqual([130, null])
    expect(existsSync(join(folder, 'runs/moons/last.safetensors'))).toBe(true)
    const lines = () => readFileSync(join(folder, 'runs/moons/metrics.jsonl'), 'utf8').trim().split('\n').length
    const before = lines()
    const resumed = await command(folder, process.execPath, [...args, '1000000', '--resume'], (child) => {
      const timer = setInterval(() => {
        if (lines() <= before + 2) return
        clearInterval(timer)
        child.kill('SIGTERM')
      }, 20)
    })
    expect([resumed.code, resumed.signal]).toEqual([143, null])
    const again = await command(folder, process.execPath, [...args, '12', '--out', 'short', '--precision', 'bf16'])
    // the library says so where there is no GPU, or no AVX-512
    const said = again.err.replace(
      /^.* (failed call to cuInit: |oneDNN supports DT_BFLOAT16 only on platforms).*\n/gm,
      '',
    )
    expect([again.code, again.signal, said]).toEqual([0, null, ''])
    expect(again.out).toMatch(
      /^compiling the train step …\ncompiled in \d+\.\d s\nstep 12 is saved, the end of its schedule, /m,
    )
    expect(again.out).toContain(
      'resume with: npx diffeo train moons --resume --out short --engine tensorflow --precision bf16 --minutes 3\n',
    )
  })
  it('leaves timers alive while it computes', async () => {
    const work = jit((x: tf.Tensor) => {
      let y = x
      for (let i = 0; i < 30; i++) y = tf.tanh(tf.matMul(y, x))
      return tf.sum(y)
    })
    const x = tf.fill([600, 600], 1e-3)
    await work.prepare(x)
    let ticks = 0
    const timer = setInterval(() => {
      ticks += 1
    }, 1)
    tf.dispose(await work(x))
    clearInterval(timer)
    expect(ticks).toBeGreaterThan(0)
    x.dispose()
    await work.dispose()
  })
  it('computes on the device that is named, or names those there are', async () => {
    for (const device of ['/cpu:0', 'CPU', '/device:CPU:0'])
      expect(await ready('tensorflow', { device })).toMatchObject({ device: 'CPU' })
    const double = jit((x: tf.Tensor) => tf.mul(x, 2))
    const [x, y] = [tf.tensor1d([1, 2]), await double(tf.tensor1d([1, 2]))]
    expect([...y.dataSync()]).toEqual([2, 4])
    tf.dispose([x, y])
    await double.dispose()
    await expect(ready('tensorflow', { device: '/gpu:7' })).rejects.toThrow(
      'engine tensorflow: expected one of CPU:0, got /gpu:7',
    )
  })
  const images = flow(atShape([8, 8, 1], realNvp({ scales: 2, width: 8, blocks: 1 })), standardNormal)
  const plane = flow(atShape([2], realNvpVector({ couplings: 4, hidden: [32, 32] })), standardNormal)
  // without AVX-512 TensorFlow adds up in bf16 too
  const [bf16Error, bf16Bits] =
    !linux || / avx512f/.test(readFileSync('/proc/cpuinfo', 'latin1')) ? [0.01, 0.002] : [0.03, 0.02]
  it.each([
    ['images', images, () => tf.randomUniform([16, 8, 8, 1], 0, 256, 'float32', 1), 0.002],
    ['points', plane, () => tf.randomNormal([64, 2], 0, 1, 'float32', 1), 0.005],
  ] as const)(
    'computes gradients of %s in bf16 as it does in float32, to 1 %, in fp16 to less, and bits/dim to 0.002',
    async (_, own, draw, fp16Error) => {
      await ready('tensorflow')
      // one of two shapes, which nothing below depends on
      const density = own as never as typeof images
      // not the start, where couplings are the identity and most gradients are 0
      const params = mapLeaves(density.init(key(0)), (leaf, path) => {
        const value = unwrap(leaf as never) as tf.Tensor
        const moved = /(variance|started)$/.test(path)
          ? tf.clone(value)
          : tf.add(value, tf.randomNormal(value.shape, 0, 0.1, 'float32', path.length))
        value.dispose()
        return moved as never
      }) as Params
      const x = draw()
      // whose next parameters are the gradients
      const optimiser: Optimiser = { init: () => [], rates: () => [0], update: (gradients) => [gradients, []] }
      const options = { optimiser, learningRate: constantRate(1), clip: 1e9 }
      const trained = leaves(density.bijector.spec).map(([, { role }]) => role !== 'statistic')
      const gradientOf = async (lossScaling?: LossScaling) => {
        const next = trainStep(density, { ...options, ...(lossScaling && { lossScaling }) })
        const [state, { bitsPerDim }] = await next({ step: 0, params, moments: [] }, x as never)
        const made = leaves(state.params).flatMap(([, leaf], i) =>
          trained[i] ? [...(unwrap(leaf as never) as tf.Tensor).dataSync()] : [],
        )
        disposeState(state)
        await next.dispose()
        return { bitsPerDim, gradient: made, factor: state.lossScale?.factor }
      }
      const whole = await gradientOf()
      const engine = await ready('tensorflow', { precision: 'bf16' })
      expect(engine).toMatchObject({ device: 'CPU, bf16' })
      const has = !linux || /\b(avx512|amx)_bf16\b/.test(readFileSync('/proc/cpuinfo', 'utf8'))
      expect(describeEngine(engine).includes('bf16 is likely slower than float32 here')).toBe(!has)
      const bf16 = await gradientOf()
      expect(await ready('tensorflow', { precision: 'fp16' })).toMatchObject({ device: 'CPU, fp16' })
      const fp16 = await gradientOf(dynamicLossScale())
      const errorOf = ({ gradient }: { readonly gradient: readonly number[] }) =>
        Math.hypot(...whole.gradient.map((g, i) => g - gradient[i]!)) / Math.hypot(...whole.gradient)
      // no number of fp16 is as large
      const overflown = await gradientOf(dynamicLossScale({ start: 2 ** 40 }))
      expect(overflown.factor).toBeLessThan(2 ** 40)
      for (const [half, most, bits] of [
        [bf16, bf16Error, bf16Bits],
        [fp16, fp16Error, 0.002],
        [overflown, fp16Error, 0.002],
      ] as const) {
        expect(errorOf(half)).toBeLessThan(most)
        // a precision that is not there would be exact
        expect(errorOf(half)).toBeGreaterThan(1e-4)
        expect(Math.abs(whole.bitsPerDim - half.bitsPerDim)).toBeLessThan(bits)
      }
      disposeParams(params)
      x.dispose()
      await ready('tensorflow')
    },
    240_000,
  )
  it('moves the variables of a flow, and their gradients, in bf16 without rounding them', async () => {
    await ready('tensorflow', { precision: 'bf16' })
    const moved = atShape([2, 2, 8], compose(ordered, permute([2, 0, 3, 1, 7, 6, 5, 4])))
    const forward = (x: tf.Tensor): tf.Tensor => unwrap(moved.bind({}).forward(trust(x))[0])
    const back = (z: tf.Tensor): tf.Tensor => unwrap(moved.bind({}).inverse(trust(z))[0])
    const [x, w] = [1, 2].map((seed) => tf.randomNormal([3, 2, 2, 8], 0, 1, 'float32', seed)) as [tf.Tensor, tf.Tensor]
    const twice = jit((a: tf.Tensor) => back(forward(a)))
    const gradient = jit((a: tf.Tensor, b: tf.Tensor) => tf.grad((v) => tf.sum(tf.mul(forward(v), b)))(a))
    expect((await twice(x)).dataSync()).toEqual(x.dataSync())
    expect((await gradient(x, w)).dataSync()).toEqual(back(w).dataSync())
    await ready('tensorflow')
  })
  it('has gradients in fp16 that are smaller than its numbers, if the loss is scaled', async () => {
    await ready('tensorflow', { precision: 'fp16' })
    const gradient = jit((x: tf.Tensor, w: tf.Tensor, factor: tf.Tensor) => {
      const loss = (v: tf.Tensor) => tf.mul(tf.sum(tf.matMul(x, v as tf.Tensor2D)), tf.mul(factor, 1e-9)) as tf.Scalar
      return tf.div(tf.grad(loss)(w), factor)
    })
    const [x, w] = [tf.ones([4, 3]), tf.ones([3, 2])]
    const of = async (factor: number) => (await gradient(x, w, tf.scalar(factor))).dataSync()[0]! / 4e-9
    expect(await of(1)).toBe(0)
    expect(await of(2 ** 16)).toBeCloseTo(1, 2)
    tf.dispose([x, w])
    await gradient.dispose()
    await ready('tensorflow')
  })
  it('has one pool of threads in a process', async () => {
    const { threads } = await ready('tensorflow')
    await expect(ready('tensorflow', { threads: threads + 1 })).rejects.toThrow(
      `engine tensorflow: expected ${threads} threads, which this process began with, got ${threads + 1}`,
    )
  })
  it('says what TensorFlow said when a graph cannot run', async () => {
    expect(existsSync(findLibrary().api)).toBe(true)
    const bad = jit((x: tf.Tensor) => tf.gather(x, tf.tensor1d([7], 'int32')))
    await expect(bad(tf.tensor1d([1, 2]))).rejects.toThrow(/engine tensorflow: expected a program that runs, got .*7/)
  })
})
