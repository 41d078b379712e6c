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
