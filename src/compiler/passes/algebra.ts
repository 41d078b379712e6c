/**
 * Rules of algebra for `simplify.ts`. Each keeps the results of a program but for rounding. One of them, that
 * Σ (x − mean x) is 0, is wrong for values that are not finite.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import { arithmetic } from '../call.js'
import { sameShape, sizeOf } from '../program.js'
import { any, as, number, op, rule, uniform } from '../rewrite.js'
import { centred } from './batch-statistics.js'
import { fill, pointwise } from './constants.js'

const broadcastOf = (a: readonly number[], b: readonly number[]): readonly number[] =>
  tf.backend_util.assertAndGetBroadcastShape([...a], [...b])

/** Calls that return their input. */
export const identity = rule(
  ['Identity', 'Reshape', 'ExpandDims', 'Cast', 'Transpose', 'Tile', 'Slice', 'Concat'],
  [any('x')],
  ({ x }, { info }, call) => {
    const [before, after] = [info(x), info(call.outputs[0]!)]
    if (!sameShape(before.shape, after.shape) || before.dtype !== after.dtype || call.inputs.length > 1)
      return undefined
    return call.kernel !== 'Transpose' || call.attrs.perm.every((p, i) => p === i) ? x : undefined
  },
)

const neutralElements = { Multiply: 1, RealDiv: 1, Add: 0, Sub: 0 }

/** x·1, x/1, x + 0, x − 0 where nothing is repeated. */
export const neutral = rule(
  ['Multiply', 'RealDiv', 'Add', 'Sub'],
  [any('x'), any('c', (build, v) => [0, 1].includes(uniform(build, v)!))],
  ({ x, c }, build, { kernel, outputs }) =>
    uniform(build, c) === neutralElements[kernel] && sameShape(build.shape(x), build.shape(outputs[0]!))
      ? x
      : undefined,
)

export const mergedReshapes = rule(
  'Reshape',
  [op('Reshape', any('x'))],
  ({ x }, { info, shape, emit }, { attrs, outputs }) =>
    sameShape(shape(x), shape(outputs[0]!)) ? x : emit('Reshape', [x], info(outputs[0]!), attrs),
)

export const mergedTransposes = rule(
  'Transpose',
  [as('inner', op('Transpose', any('x')))],
  ({ x, inner }, { info, made, emit }, { attrs, outputs }) => {
    const before = made(inner, 'Transpose')!.attrs.perm
    const perm = attrs.perm.map((p) => before[p]!)
    return perm.every((p, i) => p === i) ? x : emit('Transpose', [x], info(outputs[0]!), { perm })
  },
)

/** −(−x) = x. */
export const negatedTwice = rule('Neg', [op('Neg', any('x'))], ({ x }) => x)

/** |−x| = |x| and (−x)² = x². */
export const even = rule(
  ['Abs', 'Square'],
  [op('Neg', any('x'))],
  ({ x }, { info, emit }, { kernel, attrs, outputs }) => emit(kernel, [x], info(outputs[0]!), attrs),
)

/** A small value repeated along axes of size 1: x·1 with a broadcast. */
const repeated = op(
  'Multiply',
  any('small'),
  any('ones', (build, v) => uniform(build, v) === 1),
)

/** Pairwise operations broadcast, so no operand need be repeated before. The gradients of sums repeat. */
export const lazy = rule(arithmetic, [], (_, build, { kernel, inputs: [a, b], attrs, outputs }) => {
  const small = (v: number): number | undefined => repeated(build, v, {})[0]?.['small']
  const info = build.info(outputs[0]!)
  const [smallA, smallB] = [small(a!), small(b!)]
  const tries = [
    [smallA, smallB],
    [smallA, b],
    [a, smallB],
  ]
  for (const [p, q] of tries)
    if (p !== undefined && q !== undefined && sameShape(broadcastOf(build.shape(p), build.shape(q)), info.shape))
      return build.emit(kernel, [p, q], info, attrs)
  return undefined
})

/** f(repeated x) = repeated f(x). */
export const early = rule(pointwise, [repeated], ({ small }, build, { kernel, attrs, outputs }) => {
  const info = build.info(outputs[0]!)
  const inner = build.emit(kernel, [small], { ...info, shape: build.shape(small) }, attrs)
  return build.emit('Multiply', [inner, fill(build, info, 1)], info)
})

/** A reduction along axes of size 1 is a reshape. */
export const single = rule(['Sum', 'Mean', 'Max', 'Min'], [any('x')], ({ x }, { info, shape, emit }, { outputs }) => {
  const out = info(outputs[0]!)
  return sizeOf(out.shape) === sizeOf(shape(x)) ? emit('Reshape', [x], out, { shape: [...out.shape] }) : undefined
})

/** Σ −x = −Σ x. */
export const negatedSum = rule(
  ['Sum', 'Mean'],
  [op('Neg', any('x'))],
  ({ x }, { info, emit }, { kernel, attrs, outputs }) => {
    const out = info(outputs[0]!)
    return emit('Neg', [emit(kernel, [x], out, attrs)], out)
  },
)

/** Whether a value, repeated to a rank, is constant along some axes. */
const constantAlong = (shape: readonly number[], axes: readonly number[], rank: number): boolean =>
  axes.every((axis) => (shape[axis - (rank - shape.length)] ?? 1) === 1)

/** Σ s·x = s·Σ x, where s is constant along the axes: one pass over the large value instead of two. */
export const hoisted = rule(
  ['Sum', 'Mean'],
  [as('product', op('Multiply', any('x'), any('s')))],
  ({ product, x, s }, build, call) => {
    const { info, shape, emit } = build
    const [out, axes, whole] = [info(call.outputs[0]!), call.attrs.axis, shape(product)]
    if (!sameShape(shape(x), whole) || axes.length === 0 || !constantAlong(shape(s), axes, whole.length))
      return undefined
    const size = sizeOf(shape(s))
    if (size !== 1 && size !== sizeOf(out.shape)) return undefined
    const total = emit(call.kernel, [x], out, call.attrs)
    const small = size === 1 ? [] : out.shape
    const flat = emit('Reshape', [s], { ...info(s), shape: small }, { shape: [...small] })
    return emit('Multiply', [total, flat], out)
  },
)

/** Σ (x − mean x) = 0, along the axes of the mean. */
export const centredSum = rule(['Sum', 'Mean'], [centred], ({ x, mean }, build, call) => {
  const { axis: axes } = call.attrs
  const average = build.made(mean, 'Mean')!.attrs
  // the axes of the mean have to lead, so that it is repeated along them and no others
  const leading = axes.every((axis, i) => axis === i) || average.keepDims
  if (!leading || `${axes}` !== `${average.axis}` || axes.length === build.shape(x).length) return undefined
  return fill(build, build.info(call.outputs[0]!), 0)
})

/** (x·c)·d = x·(c·d) for numbers c and d. */
export const reassociated = rule(
  'Multiply',
  [op('Multiply', any('x'), number('c')), number('d')],
  ({ x, c, d }, { info, shape, data, constant, emit }, { outputs }) => {
    const out = info(outputs[0]!)
    // the product of c and d is a number of float32
    if (out.dtype !== 'float32' || !sameShape(shape(x), out.shape)) return undefined
    const product = constant({ shape: [], dtype: 'float32' }, [data(d)![0]! * data(c)![0]!])
    return emit('Multiply', [x, product], out)
  },
)

/** (g·x)·e = x·(g·e) where g·e is there already: the gradients of x·eˢ by x and by s share a product. */
export const shared = rule(
  'Multiply',
  [as('product', op('Multiply', any('g'), any('x'))), any('e')],
  ({ product, g, x, e }, { info, shape, find, emit }, { outputs }) => {
    const out = info(outputs[0]!)
    const other = find('Multiply', [g, e]) ?? find('Multiply', [e, g])
    // the earlier of two products stays, so that this ends
    if (other === undefined || other >= product) return undefined
    return sameShape(broadcastOf(shape(x), shape(other)), out.shape) ? emit('Multiply', [x, other], out) : undefined
  },
)
