import * as tf from '@tensorflow/tfjs-core'
import { atShape, compiled, dequantise, drawBase, flow, key, realNvp, realNvpVector, standardNormal } from 'diffeo'
import { type EngineName, ready } from 'diffeo/engine'
import { normalArray, unwrap } from 'diffeo/tensor'
import { adam, constantRate, disposeState, startTraining, trainStep } from 'diffeo/train'
import { beforeAll, describe, expect, it } from 'vitest'
import { eagerCompiler, setCompiler } from '../src/backends/compiler.js'
import { simplify } from '../src/compiler/passes/simplify.js'
import { bytes, flops, describeProgram as show } from '../src/compiler/program.js'
import { trace } from '../src/compiler/trace.js'
import { jit } from '../src/jit.js'
import { trust } from '../src/tensor/tensor.js'
import { distance, fast, firsts } from './compiler/agree.js'
import { randomParams } from './support.js'

beforeAll(async () => {
  await ready('cpu')
})

describe('jit', () => {
  it('traces once for each signature, and computes at every call', async () => {
    let traces = 0
    const double = jit((x: tf.Tensor, by: number) => {
      traces += 1
      return tf.mul(x, by)
    })
    const read = async (t: tf.Tensor, by: number) => [...(await (await double(t, by)).data())]
    expect(await read(tf.tensor1d([1, 2]), 2)).toEqual([2, 4])
    expect(await read(tf.tensor1d([3, 4]), 2)).toEqual([6, 8])
    expect(traces).toBe(1)
    expect(await read(tf.tensor1d([3, 4]), 3)).toEqual([9, 12])
    expect(await read(tf.tensor1d([3, 4, 5]), 3)).toEqual([9, 12, 15])
    expect(traces).toBe(3)
  })
  it('shares a program only between arguments of the same shapes, types, names and values', async () => {
    const pairs: Readonly<Record<string, readonly [unknown, unknown]>> = {
      'float32 and int32': [tf.ones([2, 3]), tf.ones([2, 3], 'int32')],
      'int32 and bool': [tf.ones([2, 3], 'int32'), tf.ones([2, 3], 'bool')],
      'shapes of one size': [tf.ones([2, 3]), tf.ones([3, 2])],
      'shapes of the same digits': [tf.ones([2, 3]), tf.ones([23])],
      ranks: [tf.ones([1]), tf.ones([])],
      numbers: [1, 2],
      'a number and a text': [1, '1'],
      'a boolean and a text': [true, 'true'],
      'zeros of two signs': [0, -0],
      'nothing of two kinds': [undefined, null],
      nesting: [
        [[1], 2],
        [1, [2]],
      ],
      'a list and an object': [[1], { 0: 1 }],
      'nothing in two forms': [[], {}],
      names: [{ a: 1 }, { b: 1 }],
      'names with spaces': [{ a: 1, b: 2 }, { 'a 1 b': 2 }],
      'a name that reads as a text': [{ a: '}' }, { 'a "}"': undefined }],
    }
    for (const [name, [first, second]] of Object.entries(pairs)) {
      let traces = 0
      const f = jit((_: unknown) => {
        traces += 1
        return tf.scalar(1)
      })
      for (const argument of [first, second, first, second]) tf.dispose(await f(argument))
      expect(traces, name).toBe(2)
      tf.dispose([first, second] as tf.TensorContainer)
      await f.dispose()
    }
  })
  it('computes with each type as TensorFlow.js does', async () => {
    for (const engine of [fast, 'cpu'] as const) {
      await ready(engine)
      const half = jit((x: tf.Tensor) => tf.mul(x, x.dtype === 'int32' ? tf.scalar(2, 'int32') : 0.5))
      const types = ['float32', 'int32', 'float32'] as const
      for (const dtype of types) {
        const x = tf.tensor1d([3, 5], dtype)
        const out = await half(x)
        expect([out.dtype, ...(await out.data())]).toEqual(dtype === 'int32' ? [dtype, 6, 10] : [dtype, 1.5, 2.5])
        tf.dispose([x, out])
      }
      await half.dispose()
    }
    await ready('cpu')
  })
  it('keeps trees, and gives tensors of their own for what only passes through', async () => {
    const f = jit((p: { readonly a: tf.Tensor; readonly b: readonly [tf.Tensor, tf.Tensor] }) => ({
      sum: tf.add(p.a, p.b[0]),
      same: p.a,
      fixed: tf.scalar(7),
      list: [p.b[1], 'text', 3] as const,
    }))
    const [a, b, c] = [tf.scalar(1), tf.scalar(2), tf.scalar(3)]
    const out = await f({ a, b: [b, c] })
    tf.dispose([a, b, c])
    expect(await firsts([out.sum, out.same, out.fixed, out.list[0]])).toEqual([3, 1, 7, 3])
    expect(out.list.slice(1)).toEqual(['text', 3])
  })
  it('says so when a value is read, an operation is unknown, an argument is no tree, a draw is made', async () => {
    const x = tf.tensor1d([1, 2])
    await expect(jit((t: tf.Tensor) => tf.scalar(t.dataSync()[0]!))(x)).rejects.toThrow(
      'jit: expected a function whose values are not looked at while it is traced, got one that reads a value; ' +
        'return the tensor and read it outside, or pass the value as an argument',
    )
    await expect(jit((t: tf.Tensor) => tf.asinh(t))(x)).rejects.toThrow(
      "jit: expected operations that can be traced, got 'Asinh'; call it outside the function",
    )
    await expect(jit((m: Map<string, tf.Tensor>) => [...m.values()][0]!)(new Map([['x', x]]))).rejects.toThrow(
      'got Map',
    )
    const inner = jit((t: tf.Tensor) => tf.mul(t, 2))
    const outer = jit((t: tf.Tensor) => {
      inner.program(t)
      return t
    })
    await expect(outer(x)).rejects.toThrow('a jit inside a jit; call the plain function')
    const density = flow(atShape([2], realNvpVector({ couplings: 2, hidden: [3] })), standardNormal)
    const draws: Readonly<Record<string, () => unknown>> = {
      sample: () => drawBase(standardNormal, [2], {}, key(0), 3),
      dequantise: () => dequantise<readonly []>(key(0)).forward(trust(x)),
      init: () => density.init(key(0)),
    }
    for (const [name, draw] of Object.entries(draws))
      await expect(jit(draw)()).rejects.toThrow(
        `${name} in jit: expected random numbers as arguments, got a draw inside; draw outside and pass it in`,
      )
    await expect(
      jit((t: tf.Tensor) => tf.mul(t, 2))(
        tf.tidy(() => {
          const y = tf.scalar(1)
          y.dispose()
          return y
        }),
      ),
    ).rejects.toThrow('one that was freed')
    // and what comes next is as it was
    expect(await firsts([await jit((t: tf.Tensor) => tf.mul(t, 2))(x)])).toEqual([2])
  })
  it('says what to do with a tensor that was kept from a trace', async () => {
    let kept: tf.Tensor | undefined
    await jit((t: tf.Tensor) => {
      kept = tf.keep(tf.add(t, 1))
      return t
    })(tf.scalar(1))
    expect(() => kept!.dataSync()).toThrow(
      'jit: expected a tensor with a value, got one that was kept from a trace; return it from the function',
    )
  })
  it('makes the tensors that it answers and no others', async () => {
    for (const engine of [fast, 'wasm', 'cpu'] as const) {
      await ready(engine)
      const x = tf.tensor2d([
        [1, 2],
        [3, 4],
      ])
      const run = jit((t: tf.Tensor) => [tf.matMul(t, t), tf.sum(t)])
      tf.dispose(await run(x))
      const before = [tf.memory().numTensors, tf.memory().numDataBuffers]
      const out = await run(x)
      expect(tf.memory().numTensors).toBe(before[0]! + 2)
      tf.dispose(out)
      expect([tf.memory().numTensors, tf.memory().numDataBuffers]).toEqual(before)
      x.dispose()
    }
  })
  it('frees what was compiled, though for other arguments nothing could be', async () => {
    const freed: (readonly number[])[] = []
    setCompiler(async ({ program: { values, inputs } }) => {
      const { shape } = values[inputs[0]!]!
      if (shape[0] === 1) throw new Error('no memory')
      return { run: async (given) => given, dispose: async () => void freed.push(shape) }
    })
    const negate = jit((t: tf.Tensor) => tf.neg(t))
    const [bad, good] = [1, 2].map((n) => negate.prepare(tf.zeros([n])))
    const refused = expect(bad).rejects.toThrow('no memory')
    await negate.dispose()
    await Promise.all([refused, good])
    expect(freed).toEqual([[2]])
    await ready('cpu')
  })
  it('keeps the programs used last and frees the others, but none that a call uses or waits for', async () => {
    const [alive, running] = [new Set<object>(), new Map<object, number>()]
    let most = 0
    setCompiler(async (input) => {
      const program = {}
      alive.add(program)
      most = Math.max(most, alive.size)
      await new Promise((resolve) => setTimeout(resolve, 1))
      const { run } = await eagerCompiler(input)
      return {
        run: async (given) => {
          running.set(program, (running.get(program) ?? 0) + 1)
          await new Promise((resolve) => setTimeout(resolve, 1))
          expect(alive.has(program)).toBe(true)
          const out = await run(given)
          running.set(program, running.get(program)! - 1)
          return out
        },
        dispose: async () => {
          expect(running.get(program) ?? 0).toBe(0)
          expect(alive.delete(program)).toBe(true)
        },
      }
    })
    const double = jit((t: tf.Tensor) => tf.mul(t, 2))
    const call = async (n: number) => {
      const x = tf.fill([n], n)
      const out = await double(x)
      expect([...(await out.data())]).toEqual(Array.from({ length: n }, () => 2 * n))
      tf.dispose([x, out])
    }
    for (let n = 1; n <= 100; n++) await call(n)
    expect(alive.size).toBe(16)
    expect(most).toBeLessThanOrEqual(17)
    // calls at the same time, more than there are places, some of the same sizes
    await Promise.all(Array.from({ length: 120 }, (_, i) => call(1 + (i % 40))))
    expect(alive.size).toBe(16)
    // disposed while calls run, which end as they would have
    const late = [1, 2, 3].map(call)
    await double.dispose()
    await Promise.all(late)
    expect(alive.size).toBe(0)
    await ready('cpu')
  })
  it('compiles again what failed to compile, and refuses what is freed while it compiles', async () => {
    let failures = 1
    setCompiler(async (input) => {
      if (failures-- > 0) throw new Error('no memory')
      return eagerCompiler(input)
    })
    const double = jit((t: tf.Tensor) => tf.mul(t, 2))
    const x = tf.scalar(2)
    await expect(double(x)).rejects.toThrow('no memory')
    expect(await firsts([await double(x)])).toEqual([4])
    const other = tf.tensor1d([1])
    const refused = expect(double(other)).rejects.toThrow('one that was freed; free a tensor after its last use')
    other.dispose()
    await refused
    await ready('cpu')
  })
  it('sums up along an axis that is counted from the end', async () => {
    for (const engine of [fast, 'wasm', 'cpu'] as const) {
      await ready(engine)
      const x = tf.tensor2d([
        [1, 2],
        [3, 4],
      ])
      const [sums, gradient] = await jit((t: tf.Tensor) => [
        tf.cumsum(t, -1),
        tf.grad((v: tf.Tensor) => tf.sum(tf.cumsum(v, -1)))(t),
      ])(x)
      expect([...(await sums!.data())]).toEqual([1, 3, 3, 7])
      expect([...(await gradient!.data())]).toEqual([2, 1, 2, 1])
      tf.dispose([x, sums!, gradient!])
    }
  })
  it('leaves what was read alone when arrays are used again', async () => {
    await ready(fast)
    const run = jit((t: tf.Tensor) => tf.add(t, 1))
    const x = tf.tensor1d([1, 2, 3])
    const first = await run(x)
    const held = await first.data()
    first.dispose()
    const second = await run(await run(x))
    expect([...held]).toEqual([2, 3, 4])
    expect([...(await second.data())]).toEqual([3, 4, 5])
  })
})

describe('programs', () => {
  const f = (x: tf.Tensor): tf.Tensor => tf.mul(tf.add(tf.mul(x, 1), 0), tf.exp(tf.neg(tf.neg(x))))
  it('print a line for each value', () => {
    const program = simplify(trace(([x]) => [tf.mul(x!, 2)], [{ shape: [3], dtype: 'float32' }]))
    expect(show(program)).toBe(
      'input %0 float32[3]\nconstant %1 float32[] = 2\n%2 float32[3] = Multiply(%0, %1)\noutput %2',
    )
    expect(flops(program)).toBe(3)
    expect(bytes(program)).toBe(28)
  })
  it('count a byte for each bool, four for other elements', () => {
    const program = trace(([x]) => [tf.greater(x!, tf.tensor1d([1, 2, 3, 4, 5]))], [{ shape: [5], dtype: 'float32' }])
    expect(bytes(program)).toBe(4 * 5 + 4 * 5 + 5)
  })
  it('lose what computes nothing, and what is computed twice', () => {
    const program = trace(([x]) => [tf.add(f(x!), f(x!))], [{ shape: [4], dtype: 'float32' }])
    const kernels = simplify(program).calls.map(({ kernel }) => kernel)
    expect(kernels).toEqual(['Exp', 'Multiply', 'Add'])
  })
  it('lose signs that make no difference', () => {
    const g = (x: tf.Tensor): tf.Tensor[] => [tf.abs(tf.neg(x)), tf.square(tf.neg(x))]
    const program = simplify(trace(([x]) => g(x!), [{ shape: [4], dtype: 'float32' }]))
    expect(program.calls.map(({ kernel }) => kernel)).toEqual(['Abs', 'Square'])
  })
  it('tell numbers apart that JSON does not', async () => {
    await ready('cpu')
    const f = (x: tf.Tensor): tf.Tensor[] => [
      tf.add(x, tf.fill([2], Number.POSITIVE_INFINITY)),
      tf.add(x, tf.fill([2], Number.NEGATIVE_INFINITY)),
      tf.div(x, tf.fill([2], 0)),
      tf.div(x, tf.fill([2], -0)),
    ]
    const out = await jit(f)(tf.tensor1d([1, 2]))
    expect(await firsts(out)).toEqual([Infinity, -Infinity, Infinity, -Infinity])
  })
  it('count the multiplications and additions of a convolution and a product', () => {
    const conv = trace(
      ([x, w]) => [tf.conv2d(x as tf.Tensor4D, w as tf.Tensor4D, 1, 'same')],
      [
        { shape: [2, 8, 8, 3], dtype: 'float32' },
        { shape: [3, 3, 3, 5], dtype: 'float32' },
      ],
    )
    expect(flops(conv)).toBe(2 * 2 * 64 * 5 * 27)
    const back = trace(
      ([x, w]) => tf.grads((a, b) => tf.conv2d(a as tf.Tensor4D, b as tf.Tensor4D, 1, 'same'))([x!, w!]),
      conv.inputs.map((v) => conv.values[v]!),
    )
    expect(flops(simplify(back))).toBe(2 * flops(conv))
    const product = trace(
      ([a, b]) => [tf.matMul(a!, b!)],
      [
        { shape: [4, 5, 6], dtype: 'float32' },
        { shape: [4, 6, 7], dtype: 'float32' },
      ],
    )
    expect(flops(product)).toBe(2 * 4 * 5 * 6 * 7)
    const turned = trace(
      ([a, b]) => [tf.matMul(a!, b!, true)],
      [
        { shape: [4, 6, 5], dtype: 'float32' },
        { shape: [4, 6, 7], dtype: 'float32' },
      ],
    )
    expect(flops(turned)).toBe(2 * 4 * 5 * 6 * 7)
  })
})

it('a compiled flow frees every program that it made', async () => {
  let [made, freed] = [0, 0]
  setCompiler(async (input) => {
    made += 1
    const { run } = await eagerCompiler(input)
    return { run, dispose: async () => void freed++ }
  })
  const own = compiled(flow(atShape([2], realNvpVector({ couplings: 2, hidden: [3] })), standardNormal))
  const params = atShape([2], realNvpVector({ couplings: 2, hidden: [3] })).init(key(0))
  const x = trust<readonly ['N', 2]>(tf.zeros([3, 2]))
  await own.logProb(params)(x)
  await own.bitsPerDim(params)(x)
  await own.forward(params)(x)
  await own.inverse(params)(x)
  await own.sample(params)(key(1), 3)
  expect([made, freed]).toEqual([5, 0])
  await own.dispose()
  expect(freed).toBe(5)
  await ready('cpu')
})

describe(`a Real NVP on ${fast}`, () => {
  const nvp = flow(atShape([4, 4, 2], realNvp({ scales: 2, width: 16, blocks: 1 })), standardNormal)
  // made anew for each engine: a tensor that has been on one does not come back from every one of them
  const makePixels = () =>
    trust<readonly ['N', 4, 4, 2]>(
      tf.tensor(
        normalArray(key(3), 16 * 32).map((z) => Math.min(255, Math.max(0, 128 + 50 * z))),
        [16, 4, 4, 2],
      ),
    )
  const makeParams = () => randomParams(nvp.bijector, key(4), 0.1)

  it('has the density, the latents and the samples of the cpu', async () => {
    await ready('cpu')
    const [params, pixels] = [makeParams(), makePixels()]
    const wanted = unwrap(nvp.logProb(params)(pixels)).dataSync()
    const drawn = unwrap(nvp.sample(params)(key(5), 3, 0.7)).dataSync()
    await ready(fast)
    const own = compiled(nvp)
    expect(compiled(nvp)).toBe(own)
    expect(distance(await unwrap(await own.logProb(params)(pixels)).data(), wanted)).toBeLessThan(1e-5)
    expect(distance(await unwrap(await own.sample(params)(key(5), 3, 0.7)).data(), drawn)).toBeLessThan(1e-3)
    const [z] = await own.forward(params)(pixels)
    const [back] = await own.inverse(params)(z)
    expect(distance(await unwrap(back).data(), await unwrap(pixels).data())).toBeLessThan(1e-4)
  })
  it('takes the steps of the cpu: loss, gradients and three updates', async () => {
    const steps = async (engine: EngineName) => {
      await ready(engine)
      const [params, pixels] = [makeParams(), makePixels()]
      const optimiser = adam()
      const next = trainStep(nvp, { optimiser, learningRate: constantRate(1e-3) })
      let state = { step: 0, params, moments: (await startTraining(nvp, optimiser, key(0), pixels)).moments }
      const figures: number[] = []
      let firstMoments: number[] = []
      for (let i = 0; i < 3; i++) {
        const [after, { bitsPerDim, gradientNorm }] = await next(state, pixels)
        figures.push(bitsPerDim, gradientNorm)
        // after one step the first moment is a tenth of the gradient
        if (i === 0)
          firstMoments = (await Promise.all(after.moments[0]!.map(async (m) => [...(await m.data())]))).flat()
        if (i > 0) disposeState(state)
        state = after as typeof state
      }
      disposeState(state)
      await next.dispose()
      return { figures, firstMoments }
    }
    const [wanted, got] = [await steps('cpu'), await steps(fast)]
    expect(distance(got.figures, wanted.figures)).toBeLessThan(1e-4)
    const total = (list: readonly number[]) => Math.sqrt(list.reduce((sum, v) => sum + v * v, 0))
    const gap = total(got.firstMoments.map((g, i) => g - wanted.firstMoments[i]!)) / total(wanted.firstMoments)
    expect(gap).toBeLessThan(1e-3)
    expect(total(wanted.firstMoments)).toBeGreaterThan(0)
  })
})
