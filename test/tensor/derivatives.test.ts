import * as tf from '@tensorflow/tfjs-core'
import { DiffeoException } from 'diffeo'
import { type EngineName, jit, ready } from 'diffeo/engine'
import * as T from 'diffeo/tensor'
import { type AnyTensor, batch, type Tensor, unwrap } from 'diffeo/tensor'
import { afterEach, describe, expect, it } from 'vitest'
import { agreesWithDifferences as along } from '../../src/laws/differences.js'
import { trust } from '../../src/tensor/tensor.js'
import { any, draw, holds, positive, read, seeds, size } from './reference.js'

type Rows = Tensor<readonly ['N', number]>
type Map = (x: Rows) => Rows

const numbers = (t: AnyTensor): readonly number[] => [...unwrap(t).dataSync()]
const dot = (a: AnyTensor, b: AnyTensor): number => tf.sum(tf.mul(unwrap(a), unwrap(b))).dataSync()[0]!
const close = (got: readonly number[], wanted: readonly number[], tolerance = 1e-4): void => {
  expect(got.length).toBe(wanted.length)
  const scale = Math.max(1, ...wanted.map(Math.abs))
  const worst = Math.max(0, ...got.map((v, i) => Math.abs(v - wanted[i]!)))
  expect(worst, `${got} for ${wanted}`).toBeLessThanOrEqual(tolerance * scale)
}

const matrix =
  (w: AnyTensor): Map =>
  (x) =>
    T.matmul(w as Tensor<readonly [number, number]>)(x)
const raw =
  (f: (x: tf.Tensor2D) => tf.Tensor): Map =>
  (x) =>
    trust(f(unwrap(x) as tf.Tensor2D))
/** Maps of examples, [a] → [b], of which the weights have the sizes. */
const maps: Readonly<Record<string, (a: number, b: number, seed: number) => Map>> = {
  linear: (a, b, seed) => matrix(draw([a, b], seed)),
  net: (a, b, seed) => {
    const [first, second] = [draw([a, 5], seed), draw([5, b], seed + 1)] as Tensor<readonly [number, number]>[]
    return (x) => T.matmul(second!)(T.tanh(T.matmul(first!)(x))) as Rows
  },
  softmax: (a, b, seed) => {
    const w = unwrap(draw([a, b], seed)) as tf.Tensor2D
    return raw((x) => tf.softmax(tf.matMul(tf.exp(x), w)))
  },
  'a constant': (_, b) => raw((x) => tf.ones([x.shape[0], b])),
  'a part': (a, b, seed) => {
    const w = draw([1, b], seed) as Tensor<readonly [number, number]>
    return (x) => T.matmul(w)(trust<readonly ['N', number]>(tf.square(tf.slice(unwrap(x), [0, a - 1]))))
  },
}
const sized = (n: number, d: number, seed: number): Rows => draw([n, d], seed) as Rows

describe.each(Object.entries(maps))('of %s', (_, make) => {
  it('⟨u, J v⟩ = ⟨Jᵀu, v⟩, and both are products with the Jacobian', () =>
    holds<[number, number, number, number]>([size, size, size, seeds], (n, a, b, seed) => {
      const f = make(a, b, seed)
      const [x, v, u] = [sized(n, a, seed), sized(n, a, seed + 2), sized(n, b, seed + 3)]
      const [forward, back, whole] = [T.jvp(f)(v)(x), T.vjp(f)(u)(x), T.jacobian(f)(x)]
      close([dot(u, forward)], [dot(back, v)])
      expect([unwrap(forward), unwrap(back), unwrap(whole)].map((t) => t.shape)).toEqual([
        [n, b],
        [n, a],
        [n, b, a],
      ])
      const j = unwrap(whole) as tf.Tensor3D
      close(numbers(forward), [...tf.squeeze(tf.matMul(j, tf.expandDims(unwrap(v), 2)), [2]).dataSync()])
      close(numbers(back), [...tf.squeeze(tf.matMul(tf.expandDims(unwrap(u), 1), j), [1]).dataSync()])
    }))
  it('the jvp agrees with differences', () =>
    holds<[number, number, number]>([size, size, seeds], (a, b, seed) => {
      const f = make(a, b, seed)
      const [x, v, u] = [sized(2, a, seed), sized(2, a, seed + 2), sized(2, b, seed + 3)]
      const slope = dot(u, T.jvp(f)(v)(x))
      const total = (at: tf.Tensor): tf.Tensor => tf.sum(tf.mul(unwrap(f(trust(at))), unwrap(u)))
      const verdict = along(
        'the jvp',
        total as never,
        [unwrap(x)],
        [unwrap(v)],
        slope,
        5e-3 * Math.max(1, Math.abs(slope)),
      )
      expect(verdict).toMatchObject({ _tag: 'Right' })
    }))
  it('a vjp of a vjp is symmetric: ⟨v, H w⟩ = ⟨w, H v⟩', () =>
    holds<[number, number, number]>([size, size, seeds], (a, b, seed) => {
      const f = make(a, b, seed)
      const [x, v, w, u] = [sized(2, a, seed), sized(2, a, seed + 2), sized(2, a, seed + 3), sized(2, b, seed + 4)]
      const hessian = T.vjp(T.vjp(f)(u))
      close([dot(w, hessian(v)(x))], [dot(v, hessian(w)(x))])
      close(numbers(hessian(v)(x)), numbers(T.jvp(T.vjp(f)(u))(v)(x)))
    }))
})

describe('jacobian', () => {
  it('has a row for each result and a column for each argument', () =>
    holds<[number, number, number, number]>([size, size, size, seeds], (n, a, b, seed) => {
      const w = draw([a, b], seed)
      const j = read(T.jacobian(matrix(w))(sized(n, a, seed)))
      for (let i = 0; i < n; i++)
        for (let row = 0; row < b; row++)
          for (let column = 0; column < a; column++) expect(j([i, row, column])).toBeCloseTo(read(w)([column, row]), 5)
    }))
  it('is of events of any shape', () =>
    tf.tidy(() => {
      const x = batch([2, 3], [1, 2, 3, 4, 5, 6])
      const j = T.jacobian((v: typeof x) => T.transpose([0, 2, 1])(T.square(v)))(x)
      expect(unwrap(j).shape).toEqual([1, 3, 2, 2, 3])
      for (let k = 0; k < 36; k++) {
        const [p, q, r, s] = [Math.floor(k / 12), Math.floor(k / 6) % 2, Math.floor(k / 3) % 2, k % 3]
        expect(read(j)([0, p, q, r, s])).toBe(p === s && q === r ? 2 * read(x)([0, q, p]) : 0)
      }
      expect(unwrap(T.jacobian(T.sumEvent as (v: typeof x) => Tensor<readonly ['N']>)(x)).shape).toEqual([1, 2, 3])
    }))
  it('is the gradient of one number per example, and of that the Hessian', () =>
    tf.tidy(() => {
      const x = batch([2], [0.3, -0.7, 1.1, 0.2])
      // x₀²·x₁ + eˣ¹
      const f = (v: Tensor<readonly ['N', 2]>): Tensor<readonly ['N']> => {
        const [a, b] = T.split([1, 1])(v)
        return T.sumEvent(T.add(T.exp(b))(T.mul(b)(T.square(a))))
      }
      const of = (g: (a: number, b: number) => readonly number[]) => [...g(0.3, -0.7), ...g(1.1, 0.2)]
      close(
        numbers(T.jacobian(f)(x)),
        of((a, b) => [2 * a * b, a * a + Math.exp(b)]),
      )
      const hessian: Tensor<readonly ['N', 2, 2]> = T.jacobian(T.jacobian(f))(x)
      close(
        numbers(hessian),
        of((a, b) => [2 * b, 2 * a, 2 * a, Math.exp(b)]),
      )
    }))
  it('is empty of no examples', () =>
    tf.tidy(() => {
      const none = trust<readonly ['N', 3]>(tf.zeros([0, 3]))
      expect(unwrap(T.jacobian((v: typeof none) => T.square(v))(none)).shape).toEqual([0, 3, 3])
    }))
  it('refuses a map that does not return one result per example', () =>
    tf.tidy(() => {
      const x = batch([2], [1, 2, 3, 4])
      const sum = (v: Tensor<readonly ['N', 2]>) => trust<readonly ['N', 1]>(tf.sum(unwrap(v), 0, true))
      expect(() => T.jacobian(sum)(x)).toThrow('jacobian: expected 2 results for 2 examples, got 1×2')
      expect(() => T.jacobian(sum)(x)).toThrow(DiffeoException)
    }))
})

describe('vjp and jvp', () => {
  it('refuse a vector of another shape', () =>
    tf.tidy(() => {
      const [x, wrong] = [any(tf.ones([2, 3])), any(tf.ones([1, 3]))]
      expect(() => T.vjp(T.exp)(wrong)(x)).toThrow('vjp: expected 2×3, got 1×3')
      expect(() => T.jvp(T.exp)(wrong)(x)).toThrow('jvp: expected 2×3, got 1×3')
    }))
  it('return tensors of their own, of the identity too', () => {
    const [x, v] = [any(tf.ones([2])), any(tf.ones([2]))]
    for (const derivative of [T.vjp, T.jvp]) {
      const got = derivative((t: AnyTensor) => t)(v)(x)
      expect(got).not.toBe(v)
      unwrap(got).dispose()
      expect(numbers(v)).toEqual([1, 1])
    }
    tf.dispose([unwrap(x), unwrap(v)])
  })
  it('the jvp of a jvp is a second derivative', () =>
    tf.tidy(() => {
      const [x, one] = [any(tf.tensor1d([0.4, 1.2])), any(tf.ones([2]))]
      close(numbers(T.jvp(T.jvp(T.log)(one))(one)(x)), [-1 / 0.16, -1 / 1.44])
    }))
})

describe('stopGradient', () => {
  const x = () => trust<readonly ['N', 2]>(tf.tensor2d([[3, -4]]))
  const ones = () => trust<readonly ['N', 2]>(tf.ones([1, 2]))
  const gradient = (f: (v: ReturnType<typeof x>) => ReturnType<typeof x>): readonly number[] =>
    T.tidy(() => numbers(T.vjp(f)(ones())(x())))
  it('keeps values and has no gradient', () =>
    tf.tidy(() => {
      expect(numbers(T.stopGradient(x()))).toEqual([3, -4])
      expect(gradient(T.stopGradient)).toEqual([0, 0])
      expect(gradient((v) => T.exp(T.stopGradient(T.square(v))))).toEqual([0, 0])
      expect(numbers(T.jvp(T.stopGradient)(ones())(x()))).toEqual([0, 0])
      expect(numbers(T.jacobian(T.stopGradient as (v: ReturnType<typeof x>) => ReturnType<typeof x>)(x()))).toEqual([
        0, 0, 0, 0,
      ])
    }))
  it('is a constant factor, in gradients of gradients too', () => {
    expect(gradient((v) => T.mul(T.stopGradient(v))(v))).toEqual([3, -4])
    expect(gradient((v) => T.vjp((w: typeof v) => T.mul(T.stopGradient(w))(w))(T.stopGradient(v))(v))).toEqual([0, 0])
    expect(
      gradient((v) => T.vjp((w: typeof v) => T.mul(T.stopGradient(v))(T.square(w)))(T.stopGradient(ones()))(v)),
    ).toEqual([6, -8])
  })
  it('lets nothing back that is not finite', () => {
    // √ has no slope at 0
    expect(gradient((v) => T.add(v)(T.stopGradient(T.sqrt(T.times(0)(v)))))).toEqual([1, 1])
  })
  it('returns a tensor that outlives its argument', () => {
    const own = x()
    const stopped = T.stopGradient(own)
    unwrap(own).dispose()
    expect(numbers(stopped)).toEqual([3, -4])
    unwrap(stopped).dispose()
  })
})

describe('inside jit', () => {
  afterEach(async () => void (await ready('cpu')))
  const derivatives = (x: Rows, u: Rows, v: Rows) => {
    const f: Map = (t) => raw((r) => tf.softmax(tf.mul(tf.tanh(r), unwrap(T.stopGradient(t)))))(t)
    return [T.vjp(f)(u)(x), T.jvp(f)(v)(x), T.jacobian(f)(x), T.vjp(T.vjp(f)(u))(v)(x), T.stopGradient(x)]
  }
  const inputs = () => [sized(3, 4, 1), sized(3, 4, 2), sized(3, 4, 3)] as const
  it.each(['cpu', 'wasm', 'onnxruntime'] satisfies EngineName[])(
    'they are what they are outside, on %s',
    async (engine) => {
      await ready('cpu')
      const wanted = tf.tidy(() => derivatives(...inputs()).map(numbers) as never) as readonly (readonly number[])[]
      await ready(engine)
      const [given, run] = [inputs(), jit(derivatives)]
      const before = tf.memory().numTensors
      const got = await run(...given)
      expect(tf.memory().numTensors).toBe(before + got.length)
      for (const [i, t] of got.entries()) close(numbers(t), wanted[i]!, 1e-3)
      tf.dispose([...got, ...given].map(unwrap))
      await run.dispose()
    },
  )
  it('a tensor from outside survives', async () => {
    const w = positive([2, 2], 1)
    const run = jit((v: AnyTensor) => T.mul(T.stopGradient(w))(v))
    const x = any(tf.ones([2, 2]))
    const y = await run(x)
    expect(numbers(y)).toEqual(numbers(w))
    tf.dispose([y, x, w].map(unwrap))
    await run.dispose()
  })
  it('a forward pass that several of them repeat runs once', () => {
    const w = draw([4, 4], 1) as Tensor<readonly [number, number]>
    const f: Map = (x) => T.tanh(T.matmul(w)(x)) as Rows
    const x = sized(2, 4, 2)
    const kernels = (g: (x: Rows) => unknown): readonly string[] =>
      jit(g)
        .program(x)
        .calls.map(({ kernel }) => kernel)
    const both = kernels((v) => [f(v), T.vjp(f)(x)(v), T.jvp(f)(T.neg(v))(v)])
    expect(both.filter((k) => k === 'Tanh').length).toBe(1)
    expect(both.filter((k) => k === 'BatchMatMul').length).toBe(3)
  })
})
