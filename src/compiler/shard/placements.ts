/**
 * How the results of a kernel can lie on several workers, by how its inputs do: see `partition.ts`.
 *
 * @module
 */

import { axesOf } from '../operations.js'
import type { Call } from '../program.js'
import { sizeOf } from '../program.js'

/**
 * `replicated`: each worker has all of it. `averaged`: the value is the mean of what the workers have. A number: each
 * has its share, the blocks of that axis in the order of the workers.
 */
export type Placement = 'replicated' | 'averaged' | number

/** One way of sharing out a call. */
export interface Strategy {
  readonly inputs: readonly Placement[]
  readonly output: Placement
  /** For the shapes of one share. */
  readonly attrs?: Call['attrs']
  /** The result is a sum over the workers, and no mean. */
  readonly summed?: true
}

/** A call, with the shapes that it has for the whole batch. */
interface Site {
  readonly attrs: Call['attrs']
  readonly shapes: readonly (readonly number[])[]
  readonly out: readonly number[]
  readonly workers: number
}

/** Every way but that of all inputs replicated, which is always one. */
type Rule = (site: Site) => readonly Strategy[]

const both =
  (...rules: readonly Rule[]): Rule =>
  (site) =>
    rules.flatMap((rule) => rule(site))

/** The axes that can be shared out. */
const shareable = (shape: readonly number[], workers: number): readonly number[] =>
  shape.flatMap((n, axis) => (n > 0 && n % workers === 0 ? [axis] : []))

/** The shape of one share. */
export const shareOf = (shape: readonly number[], at: Placement, workers: number): readonly number[] =>
  typeof at === 'number' ? shape.with(at, shape[at]! / workers) : shape

/** Affine in these inputs together: what holds of the workers' means holds of the mean. For each list one way. */
const affine =
  (...lists: readonly (readonly number[])[]): Rule =>
  ({ shapes }) =>
    lists.map((list) => ({
      inputs: shapes.map((_, i) => (list.includes(i) ? 'averaged' : 'replicated')),
      output: 'averaged',
    }))

const affineInAll: Rule = (site) => affine(site.shapes.map((_, i) => i))(site)

/** Operands that are broadcast have their axes aligned at the end. */
const elementwise: Rule = ({ shapes, out, workers }) =>
  shareable(out, workers).map((axis) => ({
    inputs: shapes.map((shape) => {
      const own = axis + shape.length - out.length
      return own >= 0 && shape[own] === out[axis] ? own : 'replicated'
    }),
    output: axis,
  }))

/** The axis of the result that an axis of the first input becomes; nothing if the call works along it. */
type Move = (axis: number, site: Site) => number | undefined

const moved =
  (move: Move, attrs?: (site: Site, axis: number) => Call['attrs']): Rule =>
  (site) =>
    shareable(site.shapes[0]!, site.workers).flatMap((axis) => {
      const to = move(axis, site)
      const inputs = site.shapes.map((_, i): Placement => (i === 0 ? axis : 'replicated'))
      return to === undefined ? [] : [{ inputs, output: to, ...(attrs && { attrs: attrs(site, to) }) }]
    })

/** What only changes places, or is linear along other axes. */
const linear = (move: Move, attrs?: (site: Site, axis: number) => Call['attrs']): Rule =>
  both(affine([0]), moved(move, attrs))

const stays: Move = (axis) => axis
const except =
  (axes: (site: Site) => readonly number[]): Move =>
  (axis, site) =>
    axes(site).includes(axis) ? undefined : axis
const named = (name: string) => (site: Site) => axesOf(site.attrs[name], site.shapes[0]!.length)

/** Blocks of an axis stay the blocks of the one with as many elements before it, where that can be shared out too. */
const reshaped: Move = (axis, { shapes, out, workers }) => {
  const before = sizeOf(shapes[0]!.slice(0, axis))
  const to = out.findIndex((n, i) => n > 1 && sizeOf(out.slice(0, i)) === before)
  return to >= 0 && out[to]! % workers === 0 ? to : undefined
}

/** An attribute that is a shape of the result, for one share. */
const shaped =
  (name: string) =>
  ({ attrs, out, workers }: Site, axis: number): Call['attrs'] => ({
    ...attrs,
    [name]: [...shareOf(out, axis, workers)],
  })

/** Where an axis is after others were taken out. */
const lowered = (axis: number, gone: readonly number[]): number => axis - gone.filter((other) => other < axis).length

const reduced =
  (axisName: string, over?: 'summed' | 'averaged'): Rule =>
  (site) => {
    const axes = named(axisName)(site)
    const to = (axis: number) => (site.attrs['keepDims'] === true ? axis : lowered(axis, axes))
    const along: readonly Strategy[] =
      over === undefined
        ? []
        : shareable(site.shapes[0]!, site.workers)
            .filter((axis) => axes.includes(axis))
            .map((axis) => ({ inputs: [axis], output: 'averaged', ...(over === 'summed' && { summed: true }) }))
    return [...along, ...moved((axis) => (axes.includes(axis) ? undefined : to(axis)))(site)]
  }

/** Operands one after another along an axis, or side by side along a new one. */
const joined =
  (isNew: boolean): Rule =>
  ({ attrs, shapes, out, workers }) => {
    const [along] = axesOf(attrs['axis'], out.length) as [number]
    return shareable(shapes[0]!, workers)
      .filter((axis) => isNew || axis !== along)
      .map((axis) => ({ inputs: shapes.map(() => axis), output: isNew && along <= axis ? axis + 1 : axis }))
  }

/** Images are shared out, filters are not; the gradient of a filter is a sum over images. */
const ofImages = (attrs?: (site: Site, axis: number) => Call['attrs']): Rule =>
  both(
    affine([0], [1]),
    moved((axis) => (axis === 0 ? 0 : undefined), attrs),
  )
const ofFilter: Rule = both(affine([0], [1]), () => [{ inputs: [0, 0], output: 'averaged', summed: true }])

const product: Rule = (site) => {
  const { attrs, shapes, out, workers } = site
  const [a, b] = shapes.map((shape) => shape.length) as [number, number]
  const [rowsA, sumA] = attrs['transposeA'] ? [a - 1, a - 2] : [a - 2, a - 1]
  const [sumB, columnsB] = attrs['transposeB'] ? [b - 1, b - 2] : [b - 2, b - 1]
  const ways: readonly Strategy[] = [
    { inputs: [rowsA, 'replicated'], output: out.length - 2 },
    { inputs: ['replicated', columnsB], output: out.length - 1 },
    { inputs: [sumA, sumB], output: 'averaged', summed: true },
  ]
  const outer = elementwise(site).filter(({ output }) => (output as number) < out.length - 2)
  const can = (at: Placement, i: number) => typeof at !== 'number' || shareable(shapes[i]!, workers).includes(at)
  return [...affine([0], [1])(site), ...outer, ...ways.filter(({ inputs }) => inputs.every(can))]
}

/** Looked up in a table: what is looked up may be shared out, or the table along another axis. */
const gathered: Rule = (site) => {
  const [table, indices] = site.shapes as readonly [readonly number[], readonly number[]]
  const [at] = axesOf(site.attrs['axis'], table.length) as [number]
  const move: Move = (axis) => (axis === at ? undefined : axis < at ? axis : axis - 1 + indices.length)
  const lookedUp = shareable(indices, site.workers).map(
    (axis): Strategy => ({ inputs: ['replicated', axis], output: at + axis }),
  )
  return [...linear(move)(site), ...lookedUp]
}

// -------------------------------------------------------------------------------------
// the table
// -------------------------------------------------------------------------------------

const all = (names: string, rule: Rule): Readonly<Record<string, Rule>> =>
  Object.fromEntries(names.split(' ').map((name) => [name, rule]))

const sliced: Move = (axis, { shapes, out }) => (shapes[0]![axis] === out[axis] ? axis : undefined)

/** By kernel. */
export const placements: Readonly<Record<string, Rule>> = {
  ...all('Maximum Minimum SquaredDifference Pow Greater GreaterEqual Less LessEqual Equal NotEqual', elementwise),
  ...all('LogicalAnd LogicalOr LogicalNot Exp Expm1 Log Log1p Tanh Sigmoid Softplus Relu Relu6 LeakyRelu', elementwise),
  ...all('Elu Erf Square Sqrt Rsqrt Reciprocal Abs Sin Cos Atan Sign Step Floor Ceil Round ClipByValue', elementwise),
  ...all('ZerosLike OnesLike IsNan IsInf IsFinite Cast', elementwise),
  ...all('Neg Identity', linear(stays)),
  ...all('Add Sub AddN', both(affineInAll, elementwise)),
  Multiply: both(affine([0], [1]), elementwise),
  RealDiv: both(affine([0]), elementwise),
  Select: both(affine([1, 2]), elementwise),
  Softmax: moved(except(({ out }) => [out.length - 1])),
  Sum: both(affine([0]), reduced('axis', 'summed')),
  Mean: both(affine([0]), reduced('axis', 'averaged')),
  ...all('Min All Any', reduced('axis')),
  Max: reduced('reductionIndices'),
  Cumsum: linear(except(named('axis'))),
  Reverse: linear(except(named('dims'))),
  Reshape: linear(reshaped, shaped('shape')),
  ExpandDims: linear(reshaped),
  Transpose: linear((axis, { attrs }) => (attrs['perm'] as number[]).indexOf(axis)),
  Slice: linear(sliced, shaped('size')),
  PadV2: both(affine([0]), moved(sliced)),
  Tile: linear(sliced),
  SplitV: linear(except(named('axis'))),
  Unpack: linear((axis, site) => (named('axis')(site).includes(axis) ? undefined : lowered(axis, named('axis')(site)))),
  Concat: both(affineInAll, joined(false)),
  Pack: both(affineInAll, joined(true)),
  DepthToSpace: linear((axis) => (axis === 0 ? 0 : undefined)),
  GatherV2: gathered,
  OneHot: moved(stays),
  BatchMatMul: product,
  Conv2D: ofImages(),
  Conv2DBackpropInput: ofImages(shaped('inputShape')),
  Conv2DBackpropFilter: ofFilter,
  Fill: () => [],
}
