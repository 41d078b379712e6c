/**
 * Rules that simplify one call of a program, for `passes.ts`. Each keeps what the program computes, but for rounding; and
 * two of them, that 0·x and Σ (x − mean x) are 0, but for values that are not finite.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import { fromElements, readably, runCall } from '../evaluate.js'
import { ALL_REDUCE, axesOf } from '../operations.js'
import { type Call, elements, sizeOf } from '../program.js'
import { fill, type Rule, same, shapeOf, uniform, type Walk } from '../rewrite.js'
import { filled, narrow, pairwise, pointwise, spread, vanishing } from './constants.js'
import { abutting, cut, parted, reunited } from './slices.js'

const broadcastOf = (a: readonly number[], b: readonly number[]): readonly number[] =>
  tf.backend_util.assertAndGetBroadcastShape([...a], [...b])

// -------------------------------------------------------------------------------------
// rules
// -------------------------------------------------------------------------------------

/** What leaves its input as it is. */
const nothing: Rule = (walk, { kernel, inputs, attrs, outputs }) => {
  const [x] = inputs
  const [before, after] = [walk.values[x ?? -1], walk.values[outputs[0]!]!]
  if (before === undefined || !same(before.shape, after.shape)) return undefined
  if (kernel === 'Identity' || kernel === 'Reshape' || kernel === 'ExpandDims') return x
  if (kernel === 'Cast' && before.dtype === after.dtype) return x
  if (kernel === 'Transpose' && (attrs['perm'] as number[]).every((p, i) => p === i)) return x
  if (kernel === 'Tile' || kernel === 'Slice') return x
  return kernel === 'Concat' && inputs.length === 1 ? x : undefined
}

/** x·1, x/1, x + 0, x − 0 where nothing is repeated. */
const neutral: Rule = (walk, { kernel, inputs: [a, b], outputs }) => {
  const out = shapeOf(walk, outputs[0]!)
  const is = (v: number | undefined, c: number): boolean => v !== undefined && uniform(walk, v) === c
  const keeps = (v: number | undefined): v is number => v !== undefined && same(shapeOf(walk, v), out)
  const by = { Multiply: 1, RealDiv: 1, Add: 0, Sub: 0 }[kernel]
  if (by === undefined) return undefined
  if (is(b, by) && keeps(a)) return a
  return (kernel === 'Multiply' || kernel === 'Add') && is(a, by) && keeps(b) ? b : undefined
}

/** Reshapes and transpositions of their like, as one. */
const merged: Rule = (walk, { kernel, inputs: [x], attrs, outputs }) => {
  const inner = walk.makers.get(x ?? -1)
  const info = walk.values[outputs[0]!]!
  if (kernel === 'Reshape' && inner?.kernel === 'Reshape')
    return same(shapeOf(walk, inner.inputs[0]!), info.shape)
      ? inner.inputs[0]
      : walk.add('Reshape', inner.inputs, { shape: [...info.shape] }, info)
  if (kernel !== 'Transpose' || inner?.kernel !== 'Transpose') return undefined
  const perm = (attrs['perm'] as number[]).map((p) => (inner.attrs['perm'] as number[])[p]!)
  return perm.every((p, i) => p === i) ? inner.inputs[0] : walk.add('Transpose', inner.inputs, { perm }, info)
}

/** What repeats a smaller value along axes of size 1, and that value: x·1 with a broadcast. */
const repeated = (walk: Walk, v: number): number | undefined => {
  const maker = walk.makers.get(v)
  if (maker?.kernel !== 'Multiply') return undefined
  const [a, b] = maker.inputs as readonly [number, number]
  return uniform(walk, b) === 1 ? a : uniform(walk, a) === 1 ? b : undefined
}

/** An operation that repeats by itself needs no operand repeated before. The gradients of sums are full of them. */
const lazy: Rule = (walk, { kernel, inputs, attrs, outputs }) => {
  const [a, b] = inputs
  if (!pairwise.has(kernel) || a === undefined || b === undefined) return undefined
  const info = walk.values[outputs[0]!]!
  const [smallA, smallB] = [repeated(walk, a), repeated(walk, b)]
  const tries: readonly (readonly (number | undefined)[])[] = [
    [smallA, smallB],
    [smallA, b],
    [a, smallB],
  ]
  for (const [p, q] of tries)
    if (p !== undefined && q !== undefined && same(broadcastOf(shapeOf(walk, p), shapeOf(walk, q)), info.shape))
      return walk.add(kernel, [p, q], attrs, info)
  return undefined
}

/** f(repeated x) is repeated f(x). */
const early: Rule = (walk, { kernel, inputs: [x], attrs, outputs }) => {
  const small = x === undefined || !pointwise.has(kernel) ? undefined : repeated(walk, x)
  if (small === undefined) return undefined
  const info = walk.values[outputs[0]!]!
  const inner = walk.add(kernel, [small], attrs, { ...info, shape: shapeOf(walk, small) })
  return walk.add('Multiply', [inner, fill(walk, info, 1)], {}, info)
}

const reducedAxes = (walk: Walk, { inputs, attrs }: Call): readonly number[] =>
  axesOf(attrs['axis'], shapeOf(walk, inputs[0]!).length)

/** A reduction along axes of size 1 only takes them away. */
const single: Rule = (walk, call) => {
  if (!['Sum', 'Mean', 'Max', 'Min'].includes(call.kernel)) return undefined
  const info = walk.values[call.outputs[0]!]!
  return sizeOf(info.shape) === sizeOf(shapeOf(walk, call.inputs[0]!))
    ? walk.add('Reshape', call.inputs, { shape: [...info.shape] }, info)
    : undefined
}

/** Whether a value, repeated to a rank, is the same all along some axes. */
const constantAlong = (walk: Walk, v: number, axes: readonly number[], rank: number): boolean => {
  const shape = shapeOf(walk, v)
  return axes.every((axis) => (shape[axis - (rank - shape.length)] ?? 1) === 1)
}

/** Σ s·x = s·Σ x and Σ −x = −Σ x, where s is the same all along the axes: one pass over the large value, not two. */
const hoisted: Rule = (walk, call) => {
  const { kernel, inputs, attrs, outputs } = call
  const inner = walk.makers.get(inputs[0] ?? -1)
  if ((kernel !== 'Sum' && kernel !== 'Mean') || inner === undefined) return undefined
  const info = walk.values[outputs[0]!]!
  if (inner.kernel === 'Neg') return walk.add('Neg', [walk.add(kernel, inner.inputs, attrs, info)], {}, info)
  if (inner.kernel !== 'Multiply') return undefined
  const shape = shapeOf(walk, inputs[0]!)
  const axes = reducedAxes(walk, call)
  const [a, b] = inner.inputs as readonly [number, number]
  for (const [x, s] of [
    [a, b],
    [b, a],
  ] as const) {
    if (!same(shapeOf(walk, x), shape) || !constantAlong(walk, s, axes, shape.length) || axes.length === 0) continue
    const size = sizeOf(shapeOf(walk, s))
    if (size !== 1 && size !== sizeOf(info.shape)) continue
    const total = walk.add(kernel, [x], attrs, info)
    const small = size === 1 ? [] : info.shape
    const flat = walk.add('Reshape', [s], { shape: [...small] }, { ...walk.values[s]!, shape: small })
    return walk.add('Multiply', [total, flat], {}, info)
  }
  return undefined
}

/** Σ (x − mean x) = 0, along the axes of the mean. */
const centred: Rule = (walk, call) => {
  const difference = walk.makers.get(call.inputs[0] ?? -1)
  if ((call.kernel !== 'Sum' && call.kernel !== 'Mean') || difference?.kernel !== 'Sub') return undefined
  const mean = walk.makers.get(difference.inputs[1]!)
  if (mean?.kernel !== 'Mean' || mean.inputs[0] !== difference.inputs[0]) return undefined
  const axes = reducedAxes(walk, call)
  const rank = shapeOf(walk, call.inputs[0]!).length
  // the mean's own axes have to be the leading ones, so that it is repeated along them and no others
  const leading = axes.every((axis, i) => axis === i) || mean.attrs['keepDims'] === true
  if (!leading || !same(axes, reducedAxes(walk, mean)) || axes.length === rank) return undefined
  return fill(walk, walk.values[call.outputs[0]!]!, 0)
}

/** (x·c)·d = x·(c·d) for numbers c and d. */
const reassociated: Rule = (walk, { kernel, inputs, outputs }) => {
  if (kernel !== 'Multiply') return undefined
  const info = walk.values[outputs[0]!]!
  // the product of c and d is a number of float32
  if (info.dtype !== 'float32') return undefined
  const number = (v: number): number | undefined =>
    sizeOf(shapeOf(walk, v)) === 1 && walk.constants.has(v) ? walk.constants.get(v)![0] : undefined
  const factors = (v: number): readonly [x: number, c: number] | undefined => {
    const maker = walk.makers.get(v)
    if (maker?.kernel !== 'Multiply') return undefined
    const [p, q] = maker.inputs as readonly [number, number]
    const [c, d] = [number(p), number(q)]
    return d !== undefined ? [p, d] : c !== undefined ? [q, c] : undefined
  }
  const [a, b] = inputs as readonly [number, number]
  const outer = number(b) ?? number(a)
  const inner = factors(number(b) === undefined ? b : a)
  if (outer === undefined || inner === undefined || !same(shapeOf(walk, inner[0]), info.shape)) return undefined
  const c = walk.values.push({ shape: [], dtype: 'float32' }) - 1
  walk.constants.set(c, Float32Array.of(outer * inner[1]))
  return walk.add('Multiply', [inner[0], c], {}, info)
}

/** (g·x)·e = x·(g·e) where g·e is there already: so the gradients of x·eˢ by x and by s share a product. */
const shared: Rule = (walk, { kernel, inputs, outputs }) => {
  if (kernel !== 'Multiply') return undefined
  const info = walk.values[outputs[0]!]!
  for (const [product, e] of [inputs, inputs.toReversed()] as [number, number][]) {
    const inner = walk.makers.get(product)
    for (const [g, x] of inner?.kernel === 'Multiply' ? [inner.inputs, inner.inputs.toReversed()] : []) {
      const made = walk.find('Multiply', [g!, e]) ?? walk.find('Multiply', [e, g!])
      // the earlier of two products stays, so that this ends
      if (made === undefined || made >= product) continue
      if (same(broadcastOf(shapeOf(walk, x!), shapeOf(walk, made)), info.shape))
        return walk.add('Multiply', [x!, made], {}, info)
    }
  }
  return undefined
}

const negatedTwice: Rule = (walk, { kernel, inputs: [x] }) => {
  const inner = walk.makers.get(x ?? -1)
  return kernel === 'Neg' && inner?.kernel === 'Neg' ? inner.inputs[0] : undefined
}

/** |−x| = |x| and (−x)² = x². */
const even: Rule = (walk, { kernel, inputs: [x], attrs, outputs }) => {
  const inner = walk.makers.get(x ?? -1)
  if ((kernel !== 'Abs' && kernel !== 'Square') || inner?.kernel !== 'Neg') return undefined
  return walk.add(kernel, inner.inputs, attrs, walk.values[outputs[0]!]!)
}

/** Larger results are left to the engine: a program should not carry them. */
const LARGEST_FOLDED = 65_536

const folded: Rule = (walk, call) => {
  const info = walk.values[call.outputs[0]!]!
  const size = sizeOf(info.shape)
  if (call.kernel === 'Fill' ? size !== 1 : size > LARGEST_FOLDED || call.inputs.length === 0) return undefined
  const data = call.inputs.map((v) => walk.constants.get(v))
  if (call.kernel === ALL_REDUCE || data.some((d) => d === undefined)) return undefined
  const result = readably(() =>
    tf.tidy(() =>
      runCall(
        call,
        data.map((d, i) => fromElements(d!, walk.values[call.inputs[i]!]!)),
      )[0]!.dataSync<'float32'>(),
    ),
  )
  const v = call.outputs[0]!
  walk.constants.set(v, elements(info.dtype, result))
  return v
}

/** Every rule for calls of one output, in the order in which they are tried. */
export const rules: readonly Rule[] = [
  nothing,
  neutral,
  merged,
  negatedTwice,
  even,
  cut,
  single,
  reassociated,
  shared,
  reunited,
  abutting,
  vanishing,
  spread,
  narrow,
  hoisted,
  centred,
  lazy,
  early,
  filled,
  folded,
]

/** For calls of several. */
export const rulesOfMany: readonly Rule[] = [parted]
