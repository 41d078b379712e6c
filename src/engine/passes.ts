/**
 * Simplifications of programs. Each keeps what the program computes: the same numbers but for rounding.
 *
 * One walk from first call to last, in which a call is renamed away (it answers what is there already), merged with
 * the one before it, folded into a constant, or kept; and one from last to first, which drops what nothing reads.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import { fromElements, runCall } from './eager.js'
import { type Call, type Elements, elements, type Program, sizeOf, type ValueInfo } from './program.js'

// -------------------------------------------------------------------------------------
// the walk
// -------------------------------------------------------------------------------------

/** The program as it is rebuilt. */
interface Walk {
  readonly values: ValueInfo[]
  readonly constants: Map<number, Elements>
  /** The call that makes a value. */
  readonly makers: Map<number, Call>
  readonly add: (kernel: string, inputs: readonly number[], attrs: tf.NamedAttrMap, info: ValueInfo) => number
}

/** What a call with one output may become: another value, or nothing new. */
type Rule = (walk: Walk, call: Call) => number | undefined

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
  const ones = walk.add('Fill', [], { shape: [...info.shape], value: 1, dtype: 'float32' }, info)
  return walk.add('Multiply', [inner, ones], {}, info)
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
  tf.util.parseAxisParam((attrs['axis'] ?? null) as number, [...shapeOf(walk, inputs[0]!)])

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
    const total = walk.add(kernel, [x], attrs, info)
    const small = sizeOf(shapeOf(walk, s)) === 1 ? [] : info.shape
    if (sizeOf(shapeOf(walk, s)) !== 1 && sizeOf(shapeOf(walk, s)) !== sizeOf(info.shape)) continue
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
  const info = walk.values[call.outputs[0]!]!
  return walk.add('Fill', [], { shape: [...info.shape], value: 0, dtype: info.dtype }, info)
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

/** 0·x = 0, where x is of the same shape or smaller. */
const vanishing: Rule = (walk, { kernel, inputs: [a, b], outputs }) => {
  const info = walk.values[outputs[0]!]!
  if (kernel !== 'Multiply' || (uniform(walk, a!) !== 0 && uniform(walk, b!) !== 0)) return undefined
  return walk.add('Fill', [], { shape: [...info.shape], value: 0, dtype: info.dtype }, info)
}

/** A constant that can be told by a rule need not be stored: large ones of one value stay calls of `Fill`. */
const filled: Rule = (walk, { kernel, outputs }) => {
  if (kernel !== 'ZerosLike' && kernel !== 'OnesLike') return undefined
  const info = walk.values[outputs[0]!]!
  const attrs = { shape: [...info.shape], value: kernel === 'OnesLike' ? 1 : 0, dtype: info.dtype }
  return walk.add('Fill', [], attrs, info)
}

/** Larger results are left to the engine: a program should not carry them. */
const LARGEST_FOLDED = 65_536

const folded: Rule = (walk, call) => {
  const info = walk.values[call.outputs[0]!]!
  const size = sizeOf(info.shape)
  if (call.kernel === 'Fill' ? size !== 1 : size > LARGEST_FOLDED || call.inputs.length === 0) return undefined
  const data = call.inputs.map((v) => walk.constants.get(v))
  if (data.some((d) => d === undefined)) return undefined
  const result = tf.tidy(() =>
    runCall(
      call,
      data.map((d, i) => fromElements(d!, walk.values[call.inputs[i]!]!)),
    )[0]!.dataSync<'float32'>(),
  )
  const v = call.outputs[0]!
  walk.constants.set(v, elements(info.dtype, result))
  return v
}

const rules: readonly Rule[] = [
  nothing,
  neutral,
  merged,
  negatedTwice,
  reassociated,
  reunited,
  vanishing,
  hoisted,
  centred,
  lazy,
  early,
  filled,
  folded,
]

// -------------------------------------------------------------------------------------
// passes
// -------------------------------------------------------------------------------------

const latin1 = new TextDecoder('latin1')

/** A key that equal constants share. */
const constantKey = (data: Elements, { shape, dtype }: ValueInfo): string =>
  `${dtype}[${shape}]${latin1.decode(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))}`

/** Every rule at every call, and each value made once (common subexpressions). */
const simplifyOnce = (program: Program): Program => {
  const values = [...program.values]
  const constants = new Map<number, Elements>()
  const makers = new Map<number, Call>()
  const calls: Call[] = []
  const renamed = new Map<number, number>()
  const known = new Map<string, readonly number[]>()
  const of = (v: number): number => renamed.get(v) ?? v

  for (const [v, data] of program.constants) {
    const key = constantKey(data, values[v]!)
    const first = known.get(key)
    if (first === undefined) {
      known.set(key, [v])
      constants.set(v, data)
    } else renamed.set(v, first[0]!)
  }

  const place = (call: Call): void => {
    const key = `${call.kernel}(${call.inputs})${JSON.stringify(call.attrs)}`
    const first = known.get(key)
    if (first === undefined) {
      known.set(key, call.outputs)
      for (const v of call.outputs) makers.set(v, call)
      calls.push(call)
    } else for (const [i, v] of call.outputs.entries()) renamed.set(v, first[i]!)
  }
  const walk: Walk = {
    values,
    constants,
    makers,
    add: (kernel, inputs, attrs, info) => {
      const v = values.push(info) - 1
      visit({ kernel, inputs, attrs, outputs: [v] })
      return of(v)
    },
  }
  const visit = (call: Call): void => {
    if (call.outputs.length === 1)
      for (const rule of rules) {
        const v = rule(walk, call)
        if (v === undefined) continue
        if (v !== call.outputs[0]) renamed.set(call.outputs[0]!, v)
        return
      }
    place(call)
  }
  for (const call of program.calls) visit({ ...call, inputs: call.inputs.map(of) })
  return dropUnused({ values, inputs: program.inputs, constants, calls, outputs: program.outputs.map(of) })
}

/** Only what the outputs need. */
export const dropUnused = (program: Program): Program => {
  const needed = new Set(program.outputs)
  const { calls } = program
  const kept: Call[] = []
  for (let i = calls.length - 1; i >= 0; i--)
    if (calls[i]!.outputs.some((v) => needed.has(v))) {
      kept.push(calls[i]!)
      for (const v of calls[i]!.inputs) needed.add(v)
    }
  const constants = new Map([...program.constants].filter(([v]) => needed.has(v)))
  return { ...program, constants, calls: kept.reverse() }
}

/** Simplifies until nothing changes any more, a few times at most. */
export const simplify = (program: Program, rounds = 4): Program => {
  const next = simplifyOnce(program)
  return rounds <= 1 || next.calls.length === program.calls.length ? next : simplify(next, rounds - 1)
}
