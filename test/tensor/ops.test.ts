import * as tf from '@tensorflow/tfjs-core'
import {
  type AnyTensor,
  type DiffeoError,
  describeError,
  key,
  permutation,
  refine,
  T,
  type Tensor,
  unwrap,
} from 'diffeo'
import fc from 'fast-check'
import * as E from 'fp-ts/lib/Either.js'
import { pipe } from 'fp-ts/lib/function.js'
import { describe, expect, it } from 'vitest'
import { product } from '../../src/tensor/shape.js'
import { trust } from '../../src/tensor/tensor.js'
import { agreesWithDifferences } from '../gradients.js'
import '../support.js'

type Index = readonly number[]

const size = fc.integer({ min: 1, max: 4 })
const shape = fc.array(size, { minLength: 1, maxLength: 4 })
const seeds = fc.integer({ min: 0, max: 2 ** 31 - 2 })
const runs = { numRuns: 20 }

/** A tensor of whatever shape. */
const any = (t: tf.Tensor): AnyTensor => trust(t)

/** Distinct values, half a unit apart and none nearer than an eighth to 0: far from every kink. */
const draw = (dims: readonly number[], seed: number, offset = 0.25): AnyTensor => {
  const n = product(dims)
  const step = Math.min(0.5, 4 / n)
  return trust(
    tf.tensor(
      Array.from(permutation(key(seed), n), (i) => (i - Math.floor(n / 2)) * step + offset * step),
      [...dims],
    ),
  )
}
const positive = (dims: readonly number[], seed: number): AnyTensor => T.plus(0.1)(T.abs(draw(dims, seed)))

const place = (dims: readonly number[], index: Index): number => dims.reduce((at, n, i) => at * n + index[i]!, 0)
const indices = (dims: readonly number[]): readonly Index[] =>
  dims.reduce<readonly Index[]>((all, n) => all.flatMap((i) => Array.from({ length: n }, (_, j) => [...i, j])), [[]])
/** A tensor as a function of the index. */
const read = (t: AnyTensor): ((index: Index) => number) => {
  const { shape: dims } = unwrap(t)
  const values = unwrap(t).dataSync()
  return (index) => values[place(dims, index)]!
}

/** Every element is what the reference says. */
const agrees = (got: AnyTensor, dims: readonly number[], expected: (index: Index) => number): void => {
  expect(unwrap(got).shape).toEqual(dims)
  expect(unwrap(got).dtype).toBe('float32')
  const at = read(got)
  for (const index of indices(dims)) {
    const e = expected(index)
    expect(Math.abs(at(index) - e), `at [${index}]: ${at(index)}, not ${e}`).toBeLessThanOrEqual(
      5e-5 * Math.max(1, Math.abs(e)),
    )
  }
}

/** A property whose body leaves no tensor behind but its answer, which is freed here. */
const holds = <Ts extends readonly unknown[]>(
  arbitraries: { readonly [K in keyof Ts]: fc.Arbitrary<Ts[K]> },
  body: (...args: Ts) => void,
): void => {
  const before = tf.memory().numTensors
  fc.assert(
    fc.property(fc.tuple(...(arbitraries as unknown as fc.Arbitrary<unknown>[])), (args) => {
      tf.tidy(() => body(...(args as unknown as Ts)))
    }),
    runs,
  )
  expect(tf.memory().numTensors).toBe(before)
}

type Two = (b: AnyTensor) => (a: AnyTensor) => AnyTensor
const pairwise: Readonly<Record<string, readonly [Two, (a: number, b: number) => number]>> = {
  add: [T.add, (a, b) => a + b],
  sub: [T.sub, (a, b) => a - b],
  mul: [T.mul, (a, b) => a * b],
  div: [T.div, (a, b) => a / b],
  maximum: [T.maximum, Math.max],
}
describe.each(Object.entries(pairwise))('%s', (_, [op, reference]) => {
  it('goes element by element', () =>
    holds<[number[], number]>([shape, seeds], (s, seed) => {
      const [a, b] = [draw(s, seed), draw(s, seed + 1, 0.75)]
      agrees(op(b)(a), s, (i) => reference(read(a)(i), read(b)(i)))
    }))
  it('has its gradients', () => {
    const values = [unwrap(draw([2, 3], 1)), unwrap(positive([2, 3], 2))]
    agreesWithDifferences((a, b) => unwrap(op(any(b!))(any(a!))), values)
  })
})

const pointwise: Readonly<
  Record<string, readonly [(x: AnyTensor) => AnyTensor, (x: number) => number, positive?: true]>
> = {
  plus: [T.plus(1.5), (x) => x + 1.5],
  times: [T.times(-2), (x) => -2 * x],
  neg: [T.neg, (x) => -x],
  exp: [T.exp, Math.exp],
  log: [T.log, Math.log, true],
  tanh: [T.tanh, Math.tanh],
  sigmoid: [T.sigmoid, (x) => 1 / (1 + Math.exp(-x))],
  softplus: [T.softplus, (x) => Math.log1p(Math.exp(x))],
  relu: [T.relu, (x) => Math.max(x, 0)],
  square: [T.square, (x) => x * x],
  sqrt: [T.sqrt, Math.sqrt, true],
  abs: [T.abs, Math.abs],
}
describe.each(Object.entries(pointwise))('%s', (_, [op, reference, onlyPositive]) => {
  const from = onlyPositive ? positive : draw
  it('goes element by element', () =>
    holds<[number[], number]>([shape, seeds], (s, seed) => {
      const x = from(s, seed)
      agrees(op(x), s, (i) => reference(read(x)(i)))
    }))
  it('has its gradient', () => agreesWithDifferences((x) => unwrap(op(any(x!))), [unwrap(from([2, 3], 1))]))
})

describe('softplus', () => {
  it('neither overflows nor loses small values', () =>
    tf.tidy(() => {
      const [large, small] = unwrap(T.softplus(trust(tf.tensor([200, -40])))).dataSync()
      expect(large).toBe(200)
      expect(small).toBeCloseTo(Math.exp(-40), 22)
    }))
})

const alongLast = { bias: [T.bias, pairwise['add']![1]], scale: [T.scale, pairwise['mul']![1]] } as const
describe.each(Object.entries(alongLast))('%s', (_, [op, reference]) => {
  it('repeats along the last axis', () =>
    holds<[number[], number]>([shape, seeds], (s, seed) => {
      const [x, b] = [draw(s, seed), draw([s.at(-1)!], seed + 1)]
      agrees((op as Two)(b)(x), s, (i) => reference(read(x)(i), read(b)([i.at(-1)!])))
    }))
  it('has its gradients', () =>
    agreesWithDifferences(
      (x, b) => unwrap((op as Two)(any(b!))(any(x!))),
      [unwrap(draw([2, 2, 3], 1)), unwrap(draw([3], 2))],
    ))
})

const perEvent = { addEvent: [T.addEvent, pairwise['add']![1]], mulEvent: [T.mulEvent, pairwise['mul']![1]] } as const
describe.each(Object.entries(perEvent))('%s', (_, [op, reference]) => {
  it('repeats for every example', () =>
    holds<[number[], number, number]>([shape, size, seeds], (s, n, seed) => {
      const [x, b] = [draw([n, ...s], seed), draw(s, seed + 1)]
      agrees((op as Two)(b)(x), [n, ...s], (i) => reference(read(x)(i), read(b)(i.slice(1))))
    }))
  it('has its gradients', () =>
    agreesWithDifferences(
      (x, b) => unwrap((op as Two)(any(b!))(any(x!))),
      [unwrap(draw([3, 2, 2], 1)), unwrap(draw([2, 2], 2))],
    ))
})

describe('matmul', () => {
  it('is a product over the last axis', () =>
    holds<[number[], number, number]>([shape, size, seeds], (s, m, seed) => {
      const k = s.at(-1)!
      const [x, w] = [draw(s, seed), draw([k, m], seed + 1)]
      agrees(T.matmul(w)(x), [...s.slice(0, -1), m], (i) =>
        Array.from({ length: k }, (_, j) => read(x)([...i.slice(0, -1), j]) * read(w)([j, i.at(-1)!])).reduce(
          (a, b) => a + b,
          0,
        ),
      )
    }))
  it('has its gradients', () =>
    agreesWithDifferences(
      (x, w) => unwrap(T.matmul(any(w!))(any(x!))),
      [unwrap(draw([2, 2, 3], 1)), unwrap(draw([3, 2], 2))],
    ))
})

describe('conv2d', () => {
  const odd = fc.constantFrom(1, 3)
  it('is a same-padded correlation', () =>
    holds<[number[], number, number, number]>(
      [fc.array(size, { minLength: 4, maxLength: 4 }), odd, size, seeds],
      (s, k, o, seed) => {
        const [, h, w, c] = s as [number, number, number, number]
        const [x, kernel] = [draw(s, seed), draw([k, k, c, o], seed + 1)]
        const reach = (k - 1) / 2
        agrees(T.conv2d(kernel as never)(x as never), [...s.slice(0, 3), o], ([n, i, j, to]) =>
          indices([k, k, c])
            .map(([di, dj, from]) => [i! + di! - reach, j! + dj! - reach, di!, dj!, from!] as const)
            .filter(([y, z]) => y >= 0 && y < h && z >= 0 && z < w)
            .reduce((sum, [y, z, di, dj, from]) => {
              return sum + read(x)([n!, y, z, from]) * read(kernel)([di, dj, from, to!])
            }, 0),
        )
      },
    ))
  it('has its gradients', () =>
    agreesWithDifferences(
      (x, k) => unwrap(T.conv2d(any(k!))(any(x!))),
      [unwrap(draw([1, 3, 2, 2], 1)), unwrap(draw([3, 3, 2, 1], 2))],
    ))
})

// -------------------------------------------------------------------------------------
// structure
// -------------------------------------------------------------------------------------

const orders = shape.chain((s) =>
  fc.tuple(
    fc.constant(s),
    fc.shuffledSubarray(
      s.map((_, i) => i),
      { minLength: s.length },
    ),
  ),
)
const pieces = fc.tuple(fc.array(size, { maxLength: 3 }), fc.array(size, { minLength: 1, maxLength: 4 }))
const half = fc.integer({ min: 1, max: 3 })

describe('structure', () => {
  it('reshape keeps the row-major order', () =>
    holds<[number, number[], number]>([size, shape, seeds], (n, s, seed) => {
      const x = draw([n, ...s], seed)
      const to = [...s].reverse()
      const y = T.reshape(to)(x)
      expect(unwrap(y).shape).toEqual([n, ...to])
      expect(unwrap(y).dataSync()).toEqual(unwrap(x).dataSync())
    }))
  it('transpose permutes the dimensions', () =>
    holds<[[number[], number[]], number]>([orders, seeds], ([s, order], seed) => {
      const x = draw(s, seed)
      agrees(
        T.transpose(order)(x),
        order.map((i) => s[i]!),
        (i) => read(x)(s.map((_, dim) => i[order.indexOf(dim)]!)),
      )
    }))
  it('concat puts one after the other', () =>
    holds<[number[], number, number]>([shape, size, seeds], (s, more, seed) => {
      const c = s.at(-1)!
      const rest = s.slice(0, -1)
      const [a, b] = [draw(s, seed), draw([...rest, more], seed + 1)]
      agrees(T.concat(b)(a), [...rest, c + more], (i) => {
        const last = i.at(-1)!
        return last < c ? read(a)(i) : read(b)([...i.slice(0, -1), last - c])
      })
    }))
  it('slice and split take runs of the last axis', () =>
    holds<[[number[], number[]], number]>([pieces, seeds], ([rest, parts], seed) => {
      const x = draw([...rest, parts.reduce((a, b) => a + b, 0)], seed)
      let from = 0
      const runsOf = T.split(parts)(x) as readonly AnyTensor[]
      expect(runsOf).toHaveLength(parts.length)
      parts.forEach((part, p) => {
        const start = from
        const expected = (i: Index) => read(x)([...i.slice(0, -1), start + i.at(-1)!])
        agrees(runsOf[p]!, [...rest, part], expected)
        agrees(T.slice(start, part)(x), [...rest, part], expected)
        from += part
      })
      const back = runsOf.slice(1).reduce((a, b) => T.concat(b)(a) as AnyTensor, runsOf[0]!)
      expect(unwrap(back).dataSync()).toEqual(unwrap(x).dataSync())
    }))
  it('spaceToDepth is pixel-unshuffle, and depthToSpace undoes it', () =>
    holds<[number, number, number, number, number]>([size, half, half, size, seeds], (n, h, w, c, seed) => {
      const x = draw([n, 2 * h, 2 * w, c], seed)
      const y = T.spaceToDepth(x)
      agrees(y, [n, h, w, 4 * c], ([e, i, j, channel]) => {
        const [of, dy, dx] = [Math.floor(channel! / 4), Math.floor((channel! % 4) / 2), channel! % 2]
        return read(x)([e!, 2 * i! + dy, 2 * j! + dx, of])
      })
      const back = T.depthToSpace(y as AnyTensor)
      expect(unwrap(back).shape).toEqual(unwrap(x).shape)
      expect(unwrap(back).dataSync()).toEqual(unwrap(x).dataSync())
    }))
  const moves: Readonly<Record<string, readonly [(x: AnyTensor) => AnyTensor, readonly number[]]>> = {
    reshape: [(x) => T.reshape([6])(x), [2, 2, 3]],
    transpose: [(x) => T.transpose([2, 0, 1])(x), [2, 2, 3]],
    'concat of split': [(x) => pipe(T.split([1, 2])(x), ([a, b]) => T.concat(T.square(a))(b) as AnyTensor), [2, 3]],
    slice: [(x) => T.slice(1, 2)(x), [2, 4]],
    spaceToDepth: [(x) => T.spaceToDepth(x), [1, 2, 2, 2]],
    depthToSpace: [(x) => T.depthToSpace(x), [1, 1, 2, 8]],
  }
  it.each(Object.entries(moves))('%s has its gradient', (_, [op, dims]) =>
    agreesWithDifferences((x) => unwrap(op(any(x!))), [unwrap(draw(dims, 3))]),
  )
})

// -------------------------------------------------------------------------------------
// reductions
// -------------------------------------------------------------------------------------

const sumOf = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0)
const meanOf = (values: readonly number[]): number => sumOf(values) / values.length
const axes = shape.chain((s) => fc.tuple(fc.constant(s), fc.nat({ max: s.length - 1 })))
const overAxis: Readonly<
  Record<string, readonly [(axis: number) => (x: AnyTensor) => AnyTensor, (values: readonly number[]) => number]>
> = {
  sumAxis: [T.sumAxis, sumOf],
  meanAxis: [T.meanAxis, meanOf],
  maxAxis: [T.maxAxis, (values) => Math.max(...values)],
}
describe.each(Object.entries(overAxis))('%s', (_, [op, reference]) => {
  it('reduces one dimension', () =>
    holds<[[number[], number], number]>([axes, seeds], ([s, axis], seed) => {
      const x = draw(s, seed)
      agrees(
        op(axis)(x),
        s.filter((_, i) => i !== axis),
        (i) =>
          reference(Array.from({ length: s[axis]! }, (_, j) => read(x)([...i.slice(0, axis), j, ...i.slice(axis)]))),
      )
    }))
  it('has its gradient', () => agreesWithDifferences((x) => unwrap(op(1)(any(x!))), [unwrap(draw([2, 3, 2], 5))]))
})

describe('whole reductions', () => {
  it('sumEvent, sum, mean and zeroPerExample', () =>
    holds<[number[], number]>([shape, seeds], (s, seed) => {
      const x = draw(s, seed)
      const all = indices(s).map(read(x))
      agrees(T.sumEvent(x), [s[0]!], ([n]) => sumOf(indices(s.slice(1)).map((i) => read(x)([n!, ...i]))))
      agrees(T.sum(x), [], () => sumOf(all))
      agrees(T.mean(x), [], () => meanOf(all))
      agrees(T.zeroPerExample(x), [s[0]!], () => 0)
    }))
  it('tidy frees all but the answer', () => {
    const before = tf.memory().numTensors
    const y = T.tidy(() => T.square(T.square(draw([2], 0))))
    expect(tf.memory().numTensors).toBe(before + 1)
    unwrap(y).dispose()
  })
})

// -------------------------------------------------------------------------------------
// what does not fit
// -------------------------------------------------------------------------------------

const said = (f: () => unknown): string => {
  try {
    tf.tidy(() => void f())
    return 'nothing'
  } catch (e) {
    return (e as Error).message
  }
}

describe('an operation that does not fit', () => {
  const image = (dims: readonly number[]): AnyTensor => trust(tf.zeros([...dims]))
  it.each<readonly [string, () => unknown]>([
    [
      'reshape: expected 72 elements to fit 4×6×3, got 64 in 8×8',
      () => T.reshape([8, 8] as readonly number[])(image([2, 4, 6, 3])),
    ],
    [
      'transpose: expected a permutation of the places of 2×4×6, got [0, 2]',
      () => T.transpose([0, 2])(image([2, 4, 6])),
    ],
    [
      'transpose: expected a permutation of the places of 2×4×6, got [0, 2, 2]',
      () => T.transpose([0, 2, 2])(image([2, 4, 6])),
    ],
    ['split: expected sizes that add up to 5 in 2×5, got [2, 2]', () => T.split([2, 2])(image([2, 5]))],
    ['split: expected sizes that add up to 5 in 2×5, got [-1, 6]', () => T.split([-1, 6])(image([2, 5]))],
    ['maxAxis: expected an axis of 2×5, got 2', () => T.maxAxis(2)(image([2, 5]))],
    ['spaceToDepth: expected an even width, got 3 in 2×3×1', () => T.spaceToDepth(image([1, 2, 3, 1]))],
    ['spaceToDepth: expected height×width×channels, got 2×3', () => T.spaceToDepth(image([1, 2, 3]))],
    ['depthToSpace: expected a multiple of 4 channels, got 6 in 2×2×6', () => T.depthToSpace(image([1, 2, 2, 6]))],
  ])('says %s', (sentence, f) => expect(said(f)).toBe(sentence))

  it('is refused by the compiler, and by the same rule when it runs', () => {
    const x: Tensor<readonly ['N', 4, 6, 3]> = trust(tf.zeros([2, 4, 6, 3]))
    // @ts-expect-error 72 elements do not fit into 64
    expect(() => pipe(x, T.reshape([8, 8]))).toThrow()
    // @ts-expect-error one dimension is missing
    expect(() => pipe(x, T.transpose([0, 1, 2]))).toThrow()
    // @ts-expect-error 3 channels are not 4
    expect(() => pipe(x, T.split([2, 2]))).toThrow()
    // @ts-expect-error dimensions are 0 to 3
    expect(() => pipe(x, T.sumAxis(4))).toThrow()
    // @ts-expect-error 3 channels are no multiple of 4
    expect(() => pipe(x, T.depthToSpace)).toThrow()
    const [a, b]: readonly [Tensor<readonly ['N', 4, 6, 1]>, Tensor<readonly ['N', 4, 6, 2]>] = T.split([1, 2])(x)
    const deep: Tensor<readonly ['N', 2, 3, 12]> = T.spaceToDepth(x)
    const means: Tensor<readonly ['N', 3]> = pipe(x, T.meanAxis(1), T.meanAxis(1))
    const turned: Tensor<readonly ['N', 3, 4, 6]> = pipe(x, T.transpose([0, 3, 1, 2]))
    for (const t of [x, a, b, deep, means, turned]) unwrap(t).dispose()
  })
})

describe('refine', () => {
  const answer = (dims: readonly (number | string)[], t: tf.Tensor): E.Either<string, unknown> =>
    pipe(
      refine(dims)(t),
      E.bimap(
        (e: DiffeoError) => describeError(e),
        (right) => unwrap(right) === t,
      ),
    )
  it.each<readonly [readonly (number | string)[], number[]]>([
    [
      ['N', 4, 4, 1],
      [7, 4, 4, 1],
    ],
    [[3], [3]],
    [[], []],
    [
      ['N', 'N'],
      [2, 2],
    ],
    [
      ['N', 'M'],
      [2, 3],
    ],
  ])('takes %j for %j as it is', (dims, got) => {
    tf.tidy(() => void expect(answer(dims, tf.zeros(got))).toEqual(E.right(true)))
  })
  it.each<readonly [string, readonly (number | string)[], () => tf.Tensor]>([
    ['another rank', ['N', 4], () => tf.zeros([2, 4, 1])],
    ['another rank', [4], () => tf.scalar(4)],
    ['another size', ['N', 4], () => tf.zeros([2, 5])],
    ['unequal names', ['N', 'N'], () => tf.zeros([2, 3])],
    ['another dtype', ['N'], () => tf.zeros([2], 'int32')],
    ['another dtype', ['N'], () => tf.zeros([2], 'bool')],
  ])('refuses %s', (what, dims, make) => {
    const show = (s: readonly (number | string)[]) => (s.length === 0 ? 'scalar' : s.join('×'))
    tf.tidy(() => {
      const t = make()
      const sentence =
        what === 'another dtype'
          ? `refine: expected float32, got ${t.dtype}`
          : `refine: expected ${show(dims)}, got ${show(t.shape)}`
      expect(answer(dims, t)).toEqual(E.left(sentence))
    })
  })
})
