/**
 * Where the channels lie. TensorFlow.js keeps images channels last, ONNX's convolutions want them first. A value of
 * rank 4 is written in the layout that its operands have, and converted, once, only where another is asked for: so the
 * transpositions between layers cancel.
 *
 * @module
 */
import { type Elements, type ProgramType, sizeOf, type ValueInfo } from '../../compiler/program.js'
import { DiffeoException, engineError } from '../../error.js'
import { type Graph, NCHWC } from './graph.js'
import { reshape, transpose } from './lower/nodes.js'

/**
 * `last`: as TensorFlow.js has it, and every value whose rank is not 4. `first`: N×C×H×W. `blocked`: N×C/b×H×W×b, the
 * layout of ONNX Runtime's own convolutions, which calls its shape N×C×H×W all the same.
 */
export type Layout = 'last' | 'first' | 'blocked'

const toFirst = [0, 3, 1, 2] as const
const toLast = [0, 2, 3, 1] as const

/** A shape in a layout. */
export const arranged = (shape: readonly number[], layout: Layout): readonly number[] =>
  layout === 'last' ? shape : toFirst.map((i) => shape[i]!)

/** Where an axis lies in a layout. */
export const axisIn = (axis: number, layout: Layout): number => (layout === 'last' ? axis : toFirst.indexOf(axis as 0))

/** The values of a program by number, each under a name in every layout that was asked for. */
export interface Names {
  /** The layouts that a value has without conversion. */
  readonly has: (v: number, layout: Layout) => boolean
  readonly get: (v: number, layout: Layout) => string
  /** The operand of an operation that broadcasts to a value of rank 4. */
  readonly operand: (v: number, layout: Layout) => string
  /** A value of one number, under as many axes: see {@link endsInOne}. */
  readonly wide: (v: number, rank: number) => string
  readonly set: (v: number, layout: Layout, name: string) => void
  /** Some other arrangement of a value, made once. */
  readonly once: (v: number, arrangement: string, make: () => string) => string
  readonly info: (v: number) => ValueInfo
  readonly constant: (v: number) => Elements | undefined
}

const transposed = (data: Elements, shape: readonly number[], perm: readonly number[]): Float32Array => {
  const strides = shape.map((_, i) => sizeOf(shape.slice(i + 1)))
  const out = new Float32Array(data.length)
  const to = perm.map((p) => shape[p]!)
  const index = to.map(() => 0)
  for (let i = 0; i < out.length; i++) {
    out[i] = data[index.reduce((sum, n, axis) => sum + n * strides[perm[axis]!]!, 0)]!
    for (let axis = to.length - 1; axis >= 0; axis--) {
      if (++index[axis]! < to[axis]!) break
      index[axis] = 0
    }
  }
  return out
}

/** An empty table for a program's values; constants are there from the start. */
export const names = (graph: Graph, values: readonly ValueInfo[], constants: ReadonlyMap<number, Elements>): Names => {
  const known = new Map<string, string>()
  const key = (v: number, layout: Layout | 'operand') => `${v}:${layout}`
  const has = (v: number, layout: Layout) => known.has(key(v, layout))
  const info = (v: number) => values[v]!
  const remember = (at: string, make: () => string): string => {
    const name = known.get(at) ?? make()
    known.set(at, name)
    return name
  }
  const stored = (dtype: ProgramType, shape: readonly number[], data: Elements): string => {
    if (!graph.isOpen(shape)) return graph.constant(dtype, shape, data)
    if (data.every((d) => d === data[0]))
      return graph.node('Expand', [graph.constant(dtype, [], [data[0]!]), graph.shape(shape)])
    const event = shape.slice(1)
    const size = sizeOf(event)
    if (graph.isOpen(event) || data.some((d, i) => d !== data[i % size]))
      throw new DiffeoException(
        engineError(
          'toOnnx',
          'constants that are the same for every example',
          'one that differs',
          'pass it as an input',
        ),
      )
    return graph.node('Expand', [graph.constant(dtype, [1, ...event], data.slice(0, size)), graph.shape(shape)])
  }

  const get = (v: number, layout: Layout): string =>
    remember(key(v, layout), () => {
      const { shape, dtype } = info(v)
      const data = constants.get(v)
      if (data !== undefined)
        return layout === 'last'
          ? stored(dtype, shape, data)
          : layout === 'first'
            ? stored(dtype, arranged(shape, 'first'), transposed(data, shape, toFirst))
            : graph.node('ReorderInput', [get(v, 'first')], { domain: NCHWC })
      if (shape.length !== 4) throw new Error(`onnx: value ${v} has no layout '${layout}'`)
      if (layout === 'blocked') return graph.node('ReorderInput', [get(v, 'first')], { domain: NCHWC })
      if (layout === 'first' && !has(v, 'last'))
        return graph.node('ReorderOutput', [get(v, 'blocked')], { domain: NCHWC, attrs: { channels: shape[3]! } })
      const other = get(v, layout === 'last' ? 'first' : 'last')
      const perm = layout === 'last' ? toLast : toFirst
      const [, h, w, c] = shape as [number, number, number, number]
      // with one channel, or one pixel, the elements lie alike
      return c === 1 || h * w === 1 ? reshape(graph, other, arranged(shape, layout)) : transpose(graph, other, perm)
    })

  const operand = (v: number, layout: Layout): string => {
    const { shape, dtype } = info(v)
    if (layout === 'last' || shape.length === 0) return get(v, 'last')
    if (shape.length === 4) return get(v, layout)
    return remember(key(v, 'operand'), () => {
      const full = [...Array.from({ length: 4 - shape.length }, () => 1), ...shape]
      const to = arranged(full, 'first')
      const data = constants.get(v)
      if (data !== undefined) return stored(dtype, to, transposed(data, full, toFirst))
      const moves = full[3] !== 1 && full[1]! * full[2]! !== 1
      const wide = reshape(graph, get(v, 'last'), moves ? full : to)
      return moves ? transpose(graph, wide, toFirst) : wide
    })
  }

  const wide = (v: number, rank: number): string =>
    remember(`${v}:wide${rank}`, () => {
      const ones = Array.from({ length: rank }, () => 1)
      const data = constants.get(v)
      return data === undefined ? reshape(graph, get(v, 'last'), ones) : stored(info(v).dtype, ones, data)
    })

  return {
    has,
    get,
    operand,
    wide,
    set: (v, layout, name) => known.set(key(v, layout), name),
    once: (v, arrangement, make) => remember(`${v}:${arrangement}`, make),
    info,
    constant: (v) => constants.get(v),
  }
}

/**
 * Whether a shape's last axis is 1. The runtime repeats a number of lower rank than that shape element by element, at a
 * tenth of the speed that one of the same rank has.
 */
export const endsInOne = (shape: readonly number[], layout: Layout): boolean =>
  shape.length > 1 && arranged(shape, shape.length === 4 ? layout : 'last').at(-1) === 1

/** The layout of an operation element by element: blocked will do, if all of its images are alike. */
export const elementwiseLayout = (names: Names, inputs: readonly number[], rank: number): Layout => {
  const images = inputs.filter((v) => names.info(v).shape.length === 4)
  const alike = images.every((v) => names.info(v).shape.join() === names.info(images[0]!).shape.join())
  const others = inputs.every((v) => names.info(v).shape.length === 4 || sizeOf(names.info(v).shape) === 1)
  return rank === 4 && alike && others && images.some((v) => names.has(v, 'blocked'))
    ? 'blocked'
    : imageLayout(names, inputs, rank)
}

/** The layout of any other operation: an operand of rank 4 decides, and a constant fits either. */
export const imageLayout = (names: Names, inputs: readonly number[], rank: number): Layout =>
  rank === 4 &&
  inputs.some(
    (v) =>
      names.info(v).shape.length === 4 &&
      names.constant(v) === undefined &&
      (names.has(v, 'first') || names.has(v, 'blocked')),
  )
    ? 'first'
    : 'last'
