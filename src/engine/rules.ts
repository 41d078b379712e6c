/**
 * Rules that simplify one call of a program, for `passes.ts`. Each keeps what the program computes, but for rounding; and
 * two of them, that 0·x and Σ (x − mean x) are 0, but for values that are not finite.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import { abutting } from './abutting.js'
import { readably } from './backend.js'
import { fromElements, runCall } from './eager.js'
import { ALL_REDUCE } from './partition.js'
import { type Call, type Elements, elements, sizeOf, type ValueInfo } from './program.js'
import { axesOf } from './signatures.js'

// -------------------------------------------------------------------------------------
// the walk
// -------------------------------------------------------------------------------------

/** The program as it is rebuilt. */
export interface Walk {
  readonly values: ValueInfo[]
  readonly constants: Map<number, Elements>
  /** The call that makes a value. */
  readonly makers: Map<number, Call>
  readonly add: (kernel: string, inputs: readonly number[], attrs: tf.NamedAttrMap, info: ValueInfo) => number
}

/** What a call with one output may become: another value, or nothing new. */
export type Rule = (walk: Walk, call: Call) => number | undefined

const same = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((n, i) => n === b[i])

const shapeOf = (walk: Walk, v: number): readonly number[] => walk.values[v]!.shape

/** The number that all elements of a value are known to be. */
const uniform = ({ constants, makers }: Walk, v: number): number | undefined => {
  const data = constants.get(v)
  if (data !== undefined) return data.length > 0 && data.every((d) => d === data[0]) ? data[0] : undefined
  const maker = makers.get(v)
  return maker?.kernel === 'Fill' ? (maker.attrs['value'] as number) : undefined
}

/** A value of one number throughout. */
const fill = (walk: Walk, { shape, dtype }: ValueInfo, value: number): number =>
  walk.add('Fill', [], { shape: [...shape], value, dtype }, { shape, dtype })

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

const pairwise = new Set(['Add', 'Sub', 'Multiply', 'RealDiv', 'Maximum', 'Minimum', 'SquaredDifference', 'Pow'])

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

const pointwise = new Set(
  'Exp Log Tanh Sigmoid Relu Square Sqrt Rsqrt Reciprocal Abs Neg Sign Step Floor Softplus Log1p Expm1'.split(' '),
)

/** f(repeated x) is repeated f(x). */
const early: Rule = (walk, { kernel, inputs: [x], attrs, outputs }) => {
  const small = x === undefined || !pointwise.has(kernel) ? undefined : repeated(walk, x)
  if (small === undefined) return undefined
  const info = walk.values[outputs[0]!]!
  const inner = walk.add(kernel, [small], attrs, { ...info, shape: shapeOf(walk, small) })
  return walk.add('Multiply', [inner, fill(walk, info, 1)], {}, info)
}

/** Neighbouring pieces of one vector, put together again: the vector itself, or a slice of it. */
const reunited: Rule = (walk, { kernel, inputs, outputs }) => {
  const info = walk.values[outputs[0]!]!
  if (kernel !== 'Concat' || info.shape.length !== 1) return undefined
  type Run = { readonly split: Call; readonly first: number; readonly last: number; readonly own: readonly number[] }
  const runs: Run[] = []
  for (const v of inputs) {
    const split = walk.makers.get(v)
    const at = split?.kernel === 'SplitV' && shapeOf(walk, v).length === 1 ? split.outputs.indexOf(v) : -1
    const open = runs.at(-1)
    if (split !== undefined && at >= 0 && open?.split === split && open.last === at - 1)
      runs[runs.length - 1] = { ...open, last: at, own: [...open.own, v] }
    else runs.push({ split: split!, first: at, last: at, own: [v] })
  }
  if (runs.length === inputs.length) return undefined
  const parts = runs.map(({ split, first, last, own }) => {
    if (own.length === 1) return own[0]!
    const [whole] = split.inputs as readonly [number]
    if (first === 0 && last === split.outputs.length - 1) return whole
    const size = (pieces: readonly number[]) => pieces.reduce((n, v) => n + shapeOf(walk, v)[0]!, 0)
    const attrs = { begin: [size(split.outputs.slice(0, first))], size: [size(own)] }
    return walk.add('Slice', [whole], attrs, { ...info, shape: attrs.size })
  })
  return parts.length === 1 ? parts[0] : walk.add('Concat', parts, { axis: 0 }, info)
}

const reducedAxes = (walk: Walk, { inputs, attrs }: Call): readonly number[] =>
  axesOf(attrs['axis'], shapeOf(walk, inputs[0]!).length)

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
  const number = (v: number): number | undefined =>
    shapeOf(walk, v).length === 0 && walk.constants.has(v) ? walk.constants.get(v)![0] : undefined
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
  if (outer === undefined || inner === undefined) return undefined
  const c = walk.values.push({ shape: [], dtype: 'float32' }) - 1
  walk.constants.set(c, Float32Array.of(outer * inner[1]))
  return walk.add('Multiply', [inner[0], c], {}, walk.values[outputs[0]!]!)
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

/** 0·x = 0, where x is of the same shape or smaller. */
const vanishing: Rule = (walk, { kernel, inputs: [a, b], outputs }) => {
  if (kernel !== 'Multiply' || (uniform(walk, a!) !== 0 && uniform(walk, b!) !== 0)) return undefined
  return fill(walk, walk.values[outputs[0]!]!, 0)
}

/** A constant that can be told by a rule need not be stored: large ones of one value stay calls of `Fill`. */
const filled: Rule = (walk, { kernel, outputs }) =>
  kernel === 'ZerosLike' || kernel === 'OnesLike'
    ? fill(walk, walk.values[outputs[0]!]!, kernel === 'OnesLike' ? 1 : 0)
    : undefined

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

/** Every rule, in the order in which they are tried. */
export const rules: readonly Rule[] = [
  nothing,
  neutral,
  merged,
  negatedTwice,
  even,
  reassociated,
  reunited,
  abutting,
  vanishing,
  hoisted,
  centred,
  lazy,
  early,
  filled,
  folded,
]
