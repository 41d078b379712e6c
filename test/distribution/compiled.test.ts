/** Ever new batch sizes: few programs, the numbers of each example, flat memory, calls at the same time. */
import * as tf from '@tensorflow/tfjs-core'
import {
  actNorm,
  atShape,
  batchNorm,
  compiled,
  compose,
  coupling,
  exponentialCdf,
  type Flow,
  flow,
  halves,
  input,
  key,
  type Latents,
  mlp,
  realNvp,
  type Shape,
  standardNormal,
} from 'diffeo'
import { jit, ready } from 'diffeo/engine'
import { type BatchOf, disposeParams, type Params, sizes, uniformArray } from 'diffeo/tensor'
import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import { eagerCompiler, setCompiler } from '../../src/backends/compiler.js'
import { padded } from '../../src/distribution/padded.js'
import { type AnyTensor, trust, unwrap } from '../../src/tensor/tensor.js'
import { randomParams } from '../support.js'

const net = mlp({ hidden: [8] })
const vector = flow(
  compose(input([2]), batchNorm(), coupling(halves('first'), net), coupling(halves('second'), net), actNorm),
  standardNormal,
)
/** Two latents. */
const image = flow(atShape([4, 4, 2], realNvp({ scales: 2, width: 4, blocks: 1 })), standardNormal)
/** The density is 0 up to 0, so copies that are zeros would show. */
const positive = flow(atShape([1], exponentialCdf(2)), standardNormal)
// whatever their shapes, the functions of all are called alike
const flows = { vector, image, positive } as unknown as Readonly<Record<string, Flow<Shape, Latents>>>

type Numbers = readonly (readonly number[])[]
const tensorsIn = (tree: unknown): readonly tf.Tensor[] =>
  tree instanceof tf.Tensor ? [tree] : Array.isArray(tree) ? tree.flatMap(tensorsIn) : []
const read = async (later: Promise<unknown>): Promise<Numbers> => {
  const tensors = tensorsIn(await later)
  const numbers = await Promise.all(tensors.map(async (t) => [...(await t.data())]))
  tf.dispose([...tensors])
  return numbers
}
/** The size of each tensor along the batch, and the largest distance of two numbers. */
const distance = (a: Numbers, b: Numbers): number => {
  expect(a.map(({ length }) => length)).toEqual(b.map(({ length }) => length))
  return Math.max(0, ...a.flatMap((list, i) => list.map((v, j) => Math.abs(v - b[i]![j]!))))
}

const examples = (of: Flow<Shape, Latents>, n: number): BatchOf<Shape> => {
  const shape = of.bijector.domain
  const size = shape.reduce((a, b) => a * b, 1)
  const numbers = uniformArray(key(n), n * size).map((u) => 0.5 + 2 * u)
  return trust(tf.tensor(numbers, [n, ...shape])) as BatchOf<Shape>
}

const pairs = (n: number) => trust<readonly ['N', 2]>(unwrap(examples(flows['vector']!, n) as AnyTensor))

describe.each(['onnxruntime', 'wasm', 'cpu'] as const)('a compiled flow on %s', (engine) => {
  beforeEach(async () => {
    await ready(engine)
  })
  afterAll(async () => {
    await ready('cpu')
  })

  it.each(Object.keys(flows))('computes each example of %s as it does without padding', async (name) => {
    const of = flows[name]!
    const params = randomParams(of.bijector, key(0), 0.1)
    const functions: Readonly<Record<string, (x: BatchOf<Shape>) => unknown>> = {
      logProb: (x) => of.logProb(params)(x),
      forward: (x) => of.bijector.bind(params).forward(x),
      'inverse of forward': (x) => of.bijector.bind(params).inverse(of.bijector.bind(params).forward(x)[0]),
    }
    for (const [what, f] of Object.entries(functions)) {
      const exact = jit((_: Params, { x }: { readonly x: BatchOf<Shape> }) => f(x))
      const other = padded(exact, 0)
      const x = examples(of, 5)
      const [got, wanted] = [await read(other({}, { x })), await read(exact({}, { x }))]
      expect(wanted.flat().every(Number.isFinite)).toBe(true)
      expect(distance(got, wanted), what).toBeLessThanOrEqual(1e-6 * Math.max(1, ...wanted.flat().map(Math.abs)))
      unwrap(x as AnyTensor).dispose()
      await other.dispose()
    }
    disposeParams(params)
  })

  it('keeps memory flat, and the numbers right, in calls at the same time', async () => {
    const params = randomParams(vector.bijector, key(0), 0.1)
    const { logProb, dispose } = compiled(vector)
    const call = async (n: number) => {
      const x = pairs(n)
      const [got, wanted] = [await read(logProb(params)(x)), await read(Promise.resolve(vector.logProb(params)(x)))]
      expect(distance(got, wanted)).toBeLessThan(1e-4)
      unwrap(x).dispose()
    }
    await call(1)
    const before = [tf.memory().numTensors, tf.memory().numDataBuffers]
    await Promise.all(Array.from({ length: 24 }, (_, i) => call(1 + ((7 * i) % 23))))
    await Promise.all([5, 21, 5, 21].map(call))
    expect([tf.memory().numTensors, tf.memory().numDataBuffers]).toEqual(before)
    await dispose()
  })
})

describe('the programs of a compiled flow', () => {
  const counting = async () => {
    await ready('cpu')
    const compiledSizes: number[] = []
    let alive = 0
    setCompiler(async (input) => {
      compiledSizes.push(input.program.values[input.program.inputs.at(-1)!]!.shape[0]!)
      alive++
      const { run } = await eagerCompiler(input)
      return { run, dispose: async () => void alive-- }
    })
    return { compiledSizes, alive: () => alive }
  }
  const params = vector.init(key(0))
  const call = async (n: number) => {
    const x = pairs(n)
    const out = await compiled(vector).logProb(params)(x)
    expect(sizes(out)).toEqual([n])
    tf.dispose([unwrap(x), unwrap(out)])
  }

  it('are those of the first eight sizes and of powers of two', async () => {
    const { compiledSizes } = await counting()
    for (let n = 3; n <= 300; n++) await call(n)
    expect(compiledSizes).toEqual([3, 4, 5, 6, 7, 8, 9, 10, 16, 32, 64, 128, 256, 512])
    // those of the first sizes and of the powers are still there
    for (const n of [3, 10, 300, 1, 2]) await call(n)
    expect(compiledSizes.slice(14)).toEqual([1, 2])
    await compiled(vector).dispose()
  })
  it('are freed by dispose, after which eight sizes have programs of their own again', async () => {
    const { compiledSizes, alive } = await counting()
    for (let n = 1; n <= 9; n++) await call(n)
    const late = [9, 11, 13].map(call)
    await compiled(vector).dispose()
    await Promise.all(late)
    expect(alive()).toBe(0)
    await call(13)
    expect(compiledSizes.at(-1)).toBe(13)
    await compiled(vector).dispose()
  })
  it('of every function: densities, both directions and draws', async () => {
    const { compiledSizes } = await counting()
    const { bitsPerDim, forward, inverse, sample, dispose } = compiled(vector)
    const call = async (n: number) => {
      const x = pairs(n)
      const [z, logDet] = await forward(params)(x)
      const found = [unwrap(z), unwrap(logDet), ...(await inverse(params)(z)).map(unwrap)]
      found.push(unwrap(await bitsPerDim(params)(x)), unwrap(await sample(params)(key(1), n)))
      expect(found.map(({ shape }) => shape[0])).toEqual([n, n, n, n, n, n])
      expect(distance([[...found[2]!.dataSync()]], [[...unwrap(x).dataSync()]])).toBeLessThan(1e-4)
      tf.dispose([unwrap(x), ...found])
    }
    for (let n = 1; n <= 8; n++) await call(n)
    for (const n of [11, 16, 13]) await call(n)
    expect(compiledSizes.slice(32)).toEqual([16, 16, 16, 16])
    await dispose()
  })
  it('rejects parameters of another flow, as it rejects anything else that is wrong', async () => {
    const wrong = flow(atShape([3], actNorm), standardNormal).init(key(0))
    const { logProb, bitsPerDim, forward, inverse, sample } = compiled(vector)
    const x = pairs(1)
    for (const call of [logProb, bitsPerDim, forward, inverse]) {
      const rejected = call(wrong)(x)
      await expect(rejected).rejects.toThrow('pass parameters of this model')
    }
    await expect(sample(wrong)(key(0), 1)).rejects.toThrow('pass parameters of this model')
  })
  it('accept an empty batch, and refuse a freed one before and while it compiles', async () => {
    await counting()
    for (let n = 1; n <= 8; n++) await call(n)
    await call(0)
    for (const n of [3, 11]) {
      const x = pairs(n)
      unwrap(x).dispose()
      await expect(compiled(vector).logProb(params)(x)).rejects.toThrow('one that was freed; free a tensor after')
    }
    await compiled(vector).dispose()
    await ready('cpu')
  })
})
