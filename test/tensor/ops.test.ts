import * as tf from '@tensorflow/tfjs-core'
import { DiffeoException } from 'diffeo'
import { type AnyTensor, unwrap } from 'diffeo/tensor'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import * as T from '../../src/tensor/ops.js'
import { trust } from '../../src/tensor/tensor.js'
import { agreesWithDifferences } from '../gradients.js'
import { agrees, any, draw, holds, indices, positive, read, seeds, shape, size } from './reference.js'

type Two = (b: AnyTensor) => (a: AnyTensor) => AnyTensor
const pairwise: Readonly<Record<string, readonly [Two, (a: number, b: number) => number]>> = {
  add: [T.add, (a, b) => a + b],
  sub: [T.sub, (a, b) => a - b],
  mul: [T.mul, (a, b) => a * b],
  div: [T.div, (a, b) => a / b],
  maximum: [T.maximum, Math.max],
  minimum: [T.minimum, Math.min],
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

/** The gradients of the gradient of Σ f, against differences of it. */
const hasSecondGradient = (op: (x: AnyTensor) => AnyTensor, x: tf.Tensor): void => {
  const slope = (at: tf.Tensor): tf.Tensor =>
    unwrap(T.vjp((v: AnyTensor) => op(v))(trust(tf.onesLike(tf.tidy(() => unwrap(op(any(at)))))))(any(at)))
  agreesWithDifferences((at) => slope(at!), [x])
}

const pointwise: Readonly<
  Record<string, readonly [(x: AnyTensor) => AnyTensor, (x: number) => number, positive?: true]>
> = {
  plus: [T.plus(1.5), (x) => x + 1.5],
  times: [T.times(-2), (x) => -2 * x],
  neg: [T.neg, (x) => -x],
  clip: [T.clip(-1, 1.1), (x) => Math.min(Math.max(x, -1), 1.1)],
  exp: [T.exp, Math.exp],
  expm1: [T.expm1, Math.expm1],
  log1p: [T.log1p, Math.log1p, true],
  sin: [T.sin, Math.sin],
  cos: [T.cos, Math.cos],
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
  it('has a gradient that has its own', () => hasSecondGradient(op, unwrap(from([2, 3], 1))))
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

describe('sizes that are known only when the operation runs', () => {
  type Operands = readonly [b: readonly number[], a: readonly number[], places: readonly number[]]
  type Case = readonly [Two, (sizes: readonly [number, number, number, number]) => Operands]
  const alike: Case[1] = ([n, h, w]) => [
    [n, h, w],
    [n, h, w],
    [0, 1, 2],
  ]
  const cases: Readonly<Record<string, Case>> = {
    ...Object.fromEntries(Object.entries(pairwise).map(([name, [op]]) => [name, [op, alike] as const])),
    bias: [T.bias as Two, ([n, h, , c]) => [[c], [n, h, c], [0]]],
    scale: [T.scale as Two, ([n, h, , c]) => [[c], [n, h, c], [0]]],
    addEvent: [
      T.addEvent as Two,
      ([n, h, , c]) => [
        [h, c],
        [n, h, c],
        [0, 1],
      ],
    ],
    mulEvent: [
      T.mulEvent as Two,
      ([n, h, , c]) => [
        [h, c],
        [n, h, c],
        [0, 1],
      ],
    ],
    matmul: [T.matmul as Two, ([n, h, w, c]) => [[c, w], [n, h, c], [0]]],
    conv2d: [T.conv2d as never as Two, ([n, h, w, c]) => [[1, 3, c, 2], [n, h, w, c], [2]]],
    concat: [
      T.concat as Two,
      ([n, h, w, c]) => [
        [n, h, w],
        [n, h, c],
        [0, 1],
      ],
    ],
  }
  const four = fc.tuple(size, size, size, size)
  it.each(Object.entries(cases))('%s refuses where they differ, even by a size of 1', (name, [op, operands]) =>
    holds<[readonly [number, number, number, number], number, number]>(
      [four, fc.nat(), size],
      (sizes, which, other) => {
        const [b, a, places] = operands(sizes)
        const place = places[which % places.length]!
        const run = (shape: readonly number[]) => () => op(draw(shape, 1))(draw(a, 2))
        expect(run(b)).not.toThrow()
        for (const wrong of [other, 1]) {
          if (wrong === b[place]) continue
          expect(run(b.with(place, wrong))).toThrow(DiffeoException)
          expect(run(b.with(place, wrong))).toThrow(new RegExp(`^${name}: expected .*, got ${a.join('×')}$`))
        }
      },
    ),
  )
  it.each(['add', 'bias', 'addEvent', 'concat'])('%s refuses another number of dimensions', (name) => {
    const [op] = cases[name]!
    tf.tidy(() => {
      expect(() => op(draw([1, 1, 1, 1, 1], 1))(draw([1, 1, 1, 1], 2))).toThrow(DiffeoException)
    })
  })
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
  logSumExp: [T.logSumExp, (values) => Math.log(sumOf(values.map(Math.exp)))],
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
  it('has a gradient that has its own', () => hasSecondGradient(op(1), unwrap(draw([2, 3, 2], 5))))
})

const softmaxOf = (values: readonly number[]): number[] => {
  const total = sumOf(values.map(Math.exp))
  return values.map((x) => Math.exp(x) / total)
}
const alongAxis: Readonly<
  Record<
    string,
    readonly [(axis: number) => (x: AnyTensor) => AnyTensor, (values: readonly number[]) => readonly number[]]
  >
> = {
  softmax: [T.softmax, softmaxOf],
  logSoftmax: [T.logSoftmax, (values) => softmaxOf(values).map(Math.log)],
  cumsum: [T.cumsum, (values) => values.map((_, i) => sumOf(values.slice(0, i + 1)))],
}
describe.each(Object.entries(alongAxis))('%s', (_, [op, reference]) => {
  it('goes along one dimension', () =>
    holds<[[number[], number], number]>([axes, seeds], ([s, axis], seed) => {
      const x = draw(s, seed)
      agrees(op(axis)(x), s, (i) => {
        const line = Array.from({ length: s[axis]! }, (_, j) => read(x)(i.with(axis, j)))
        return reference(line)[i[axis]!]!
      })
    }))
  it('has its gradient', () => agreesWithDifferences((x) => unwrap(op(1)(any(x!))), [unwrap(draw([2, 3, 2], 5))]))
  it('has a gradient that has its own', () => hasSecondGradient((x) => T.square(op(1)(x)), unwrap(draw([2, 3, 2], 5))))
})

describe('exponentials along a dimension', () => {
  const row = (...values: readonly number[]): AnyTensor => trust(tf.tensor([...values], [1, values.length]))
  it('neither overflow nor lose small values, and know infinities', () =>
    tf.tidy(() => {
      expect(read(T.logSumExp(1)(row(1000, 1000)))([0])).toBeCloseTo(1000 + Math.LN2, 3)
      expect(read(T.logSumExp(1)(row(-1000, -1000)))([0])).toBeCloseTo(Math.LN2 - 1000, 3)
      expect(read(T.logSumExp(1)(row(-Infinity, -Infinity)))([0])).toBe(-Infinity)
      expect(read(T.logSumExp(1)(row(-Infinity, 2)))([0])).toBe(2)
      expect(read(T.logSumExp(1)(row(Infinity, 2)))([0])).toBe(Infinity)
      expect([...unwrap(T.softmax(1)(row(1000, -1000, 1000))).dataSync()]).toEqual([0.5, 0, 0.5])
      expect([...unwrap(T.logSoftmax(1)(row(2000, 0))).dataSync()]).toEqual([0, -2000])
    }))
  it('are those of many values too', () =>
    tf.tidy(() => {
      const many = trust<readonly [1, number]>(tf.fill([1, 2003], 3))
      expect(read(T.logSumExp(1)(many))([0])).toBeCloseTo(3 + Math.log(2003), 5)
      expect(read(T.softmax(1)(many))([0, 7])).toBeCloseTo(1 / 2003, 9)
    }))
})

// -------------------------------------------------------------------------------------
// comparisons and broadcasting
// -------------------------------------------------------------------------------------

const compared: Readonly<Record<string, readonly [typeof T.greater, (a: number, b: number) => boolean]>> = {
  greater: [T.greater, (a, b) => a > b],
  less: [T.less, (a, b) => a < b],
  equal: [T.equal, (a, b) => a === b],
}
describe.each(Object.entries(compared))('%s', (_, [op, reference]) => {
  it('compares with a tensor or a number', () =>
    holds<[number[], number]>([shape, seeds], (s, seed) => {
      const [a, b] = [draw(s, seed), draw(s, seed + 1)]
      const third = read(a)(s.map(() => 0))
      for (const [got, to] of [
        [op(b)(a), read(b)],
        [op(third)(a), () => third],
      ] as const) {
        expect(unwrap(got).dtype).toBe('bool')
        agrees(trust(tf.cast(unwrap(got), 'float32')), s, (i) => Number(reference(read(a)(i), to(i))))
      }
    }))
})

describe('where', () => {
  it('chooses element by element, of tensors or a number', () =>
    holds<[number[], number]>([shape, seeds], (s, seed) => {
      const [a, b] = [draw(s, seed), draw(s, seed + 1)]
      agrees(T.where(T.greater(b)(a))(a)(b), s, (i) => Math.max(read(a)(i), read(b)(i)))
      agrees(T.where(T.less(0)(b))(0)(b), s, (i) => Math.max(0, read(b)(i)))
      agrees(T.where(T.less(0)(b))(2)(3), s, (i) => (read(b)(i) < 0 ? 2 : 3))
    }))
  it('has its gradients, and they have theirs', () => {
    const values = [unwrap(draw([2, 3], 1)), unwrap(draw([2, 3], 2, 0.75))]
    const chosen = (a: AnyTensor, b: AnyTensor): AnyTensor => T.where(T.greater(0.1)(a))(T.square(a))(T.exp(b))
    agreesWithDifferences((a, b) => unwrap(chosen(any(a!), any(b!))), values)
    hasSecondGradient((x) => chosen(x, x), values[0]!)
  })
  it('refuses what is no condition, and other shapes', () =>
    tf.tidy(() => {
      const x = draw([2, 3], 1)
      expect(() => T.where(x)(x)).not.toThrow()
      expect(() => T.where(x)(x)(x)).toThrow(
        'where: expected a condition of booleans, got one of float32; compare first: greater(0)(x)',
      )
      const holdsOf = T.greater(0)(x)
      expect(() => T.where(holdsOf)(draw([1, 3], 1))(x)).toThrow('where: expected 2×3, got 1×3')
      expect(() => T.where(holdsOf)(0)(draw([3], 1))).toThrow('where: expected 2×3, got 3')
      expect(() => T.greater(draw([3], 1))(x)).toThrow('greater: expected 3, got 2×3')
    }))
})

const broadcasting: Readonly<Record<string, readonly [Two, (a: number, b: number) => number]>> = {
  broadcastAdd: [T.broadcastAdd as Two, (a, b) => a + b],
  broadcastSub: [T.broadcastSub as Two, (a, b) => a - b],
  broadcastMul: [T.broadcastMul as Two, (a, b) => a * b],
  broadcastDiv: [T.broadcastDiv as Two, (a, b) => a / b],
}
describe.each(Object.entries(broadcasting))('%s', (name, [op, reference]) => {
  /** A shape, and for each of two operands which sizes become 1 and how many leading dimensions it lacks. */
  const operands = shape.chain((s) => {
    const one = fc.tuple(
      fc.array(fc.boolean(), { minLength: s.length, maxLength: s.length }),
      fc.nat({ max: s.length - 1 }),
    )
    return fc.tuple(fc.constant(s), one, one)
  })
  type Drawn = readonly [ones: boolean[], missing: number]
  const of = (s: readonly number[], [ones, missing]: Drawn): number[] =>
    s.map((n, i) => (ones[i] ? 1 : n)).slice(missing)
  it('repeats sizes of 1 and missing dimensions', () =>
    holds<[[number[], Drawn, Drawn], number]>([operands as never, seeds], ([s, first, second], seed) => {
      const [a, b] = [draw(of(s, first), seed), draw(of(s, second), seed + 1, 0.75)]
      const [p, q] = [unwrap(a).shape, unwrap(b).shape]
      const rank = Math.max(p.length, q.length)
      const size = (from: readonly number[], i: number) => from[i - rank + from.length] ?? 1
      const to = Array.from({ length: rank }, (_, i) => Math.max(size(p, i), size(q, i)))
      const at = (x: AnyTensor) => (i: readonly number[]) => {
        const dims = unwrap(x).shape
        return read(x)(i.slice(rank - dims.length).map((j, d) => (dims[d] === 1 ? 0 : j)))
      }
      agrees(op(b)(a), to, (i) => reference(at(a)(i), at(b)(i)))
    }))
  it('has its gradients, and they have theirs', () => {
    const values = [unwrap(draw([2, 1, 3], 1)), unwrap(positive([2, 1], 2))]
    agreesWithDifferences((a, b) => unwrap(op(any(b!))(any(a!))), values)
    hasSecondGradient((x) => T.square(op(any(values[1]!))(x)), values[0]!)
    hasSecondGradient((x) => T.square(op(x)(any(values[0]!))), values[1]!)
  })
  it('refuses sizes that differ', () =>
    tf.tidy(() => {
      expect(() => op(draw([2, 3], 1))(draw([2, 2], 1))).toThrow(`${name}: expected sizes of 2×3 or 1, got 2×2`)
      expect(() => op(draw([4], 1))(draw([2, 2], 1))).toThrow(DiffeoException)
    }))
})

describe('clip', () => {
  it('refuses bounds that are none', () =>
    tf.tidy(() => {
      expect(() => T.clip(1, 0)(draw([2], 1))).toThrow('clip: expected a lower and an upper bound, got 1 and 0')
      expect(() => T.clip(Number.NaN, 0)(draw([2], 1))).toThrow(DiffeoException)
      expect(read(T.clip(-Infinity, 0)(draw([2], 1)))([0])).toBeLessThanOrEqual(0)
    }))
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
// memory
// -------------------------------------------------------------------------------------

describe('every operation', () => {
  const ones = (...dims: readonly number[]): AnyTensor => trust(tf.ones([...dims]))
  const [x, row, square] = [() => ones(2, 4, 4, 4), () => ones(4), () => ones(4, 4)]
  type Call = readonly [f: (...args: readonly AnyTensor[]) => unknown, ...args: readonly (() => AnyTensor)[]]
  const pointwise = (f: (a: AnyTensor) => unknown): Call => [(a) => f(a!), x]
  const pair = (f: Two): Call => [(b, a) => f(b!)(a!), x, x]
  const calls: Readonly<Record<Exclude<keyof typeof T, 'tidy'>, Call>> = {
    add: pair(T.add),
    sub: pair(T.sub),
    mul: pair(T.mul),
    div: pair(T.div),
    maximum: pair(T.maximum),
    minimum: pair(T.minimum),
    broadcastAdd: pair(T.broadcastAdd as Two),
    broadcastSub: pair(T.broadcastSub as Two),
    broadcastMul: pair(T.broadcastMul as Two),
    broadcastDiv: pair(T.broadcastDiv as Two),
    greater: pair(T.greater),
    less: pair(T.less),
    equal: pair(T.equal),
    where: [(c, a) => T.where(c!)(1)(a!), () => trust(tf.cast(tf.ones([2, 4, 4, 4]), 'bool')), x],
    plus: pointwise(T.plus(1)),
    times: pointwise(T.times(2)),
    bias: [(b, a) => T.bias(b!)(a!), row, x],
    scale: [(b, a) => T.scale(b!)(a!), row, x],
    addEvent: [(b, a) => T.addEvent(b!)(a!), () => ones(4, 4, 4), x],
    mulEvent: [(b, a) => T.mulEvent(b!)(a!), () => ones(4, 4, 4), x],
    neg: pointwise(T.neg),
    exp: pointwise(T.exp),
    log: pointwise(T.log),
    tanh: pointwise(T.tanh),
    sigmoid: pointwise(T.sigmoid),
    softplus: pointwise(T.softplus),
    relu: pointwise(T.relu),
    square: pointwise(T.square),
    sqrt: pointwise(T.sqrt),
    abs: pointwise(T.abs),
    clip: pointwise(T.clip(0, 1)),
    expm1: pointwise(T.expm1),
    log1p: pointwise(T.log1p),
    sin: pointwise(T.sin),
    cos: pointwise(T.cos),
    gather: pointwise(T.gather([1, 0], 1)),
    matmul: [(w, a) => T.matmul(w!)(a!), square, x],
    conv2d: [(k, a) => T.conv2d(k!)(a!), () => ones(3, 3, 4, 2), x],
    reshape: pointwise(T.reshape([64])),
    transpose: pointwise(T.transpose([0, 3, 1, 2])),
    concat: pair(T.concat as Two),
    split: pointwise(T.split([1, 3])),
    slice: pointwise(T.slice(1, 2)),
    spaceToDepth: pointwise(T.spaceToDepth),
    depthToSpace: pointwise(T.depthToSpace),
    sumAxis: pointwise(T.sumAxis(1)),
    meanAxis: pointwise(T.meanAxis(1)),
    maxAxis: pointwise(T.maxAxis(1)),
    logSumExp: pointwise(T.logSumExp(1)),
    softmax: pointwise(T.softmax(1)),
    logSoftmax: pointwise(T.logSoftmax(1)),
    cumsum: pointwise(T.cumsum(1)),
    sumEvent: pointwise(T.sumEvent),
    mean: pointwise(T.mean),
    sum: pointwise(T.sum),
    zeroPerExample: pointwise(T.zeroPerExample),
    vjp: [(u, a) => T.vjp(T.square)(u!)(a!), x, x],
    jvp: [(v, a) => T.jvp(T.square)(v!)(a!), x, x],
    jacobian: pointwise(T.jacobian((v: AnyTensor) => T.square(v))),
    stopGradient: pointwise(T.stopGradient),
  }
  it.each(Object.entries(calls))('%s leaves its answer alone behind', (_, [f, ...make]) => {
    const args = make.map((one) => one())
    const before = tf.memory().numTensors
    const answers = [f(...args)].flat() as readonly AnyTensor[]
    expect(tf.memory().numTensors).toBe(before + answers.length)
    tf.dispose([...answers, ...args].map(unwrap))
  })
})
