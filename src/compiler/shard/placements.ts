/**
 * How the results of a kernel can lie on several workers, by how its inputs do: see `partition.ts`.
 *
 * @module
 */

import { type Attributes, arithmetic, comparisons, functions, type Kernel, logical, predicates } from '../call.js'
import { sizeOf } from '../program.js'

/**
 * `replicated`: each worker has all of it. `averaged`: the value is the mean of what the workers have. A number: each
 * has its share, the blocks of that axis in the order of the workers.
 */
export type Placement = 'replicated' | 'averaged' | number

/** One way of sharing out a call. */
export interface Strategy<A = never> {
  readonly inputs: readonly Placement[]
  readonly output: Placement
  /** For the shapes of one share; default: those of the call. */
  readonly attrs?: A
  /** The result is a sum over the workers, and no mean. */
  readonly summed?: true
}

/** A call, with the shapes that it has for the whole batch. */
interface Site<A = unknown> {
  readonly attrs: A
  readonly shapes: readonly (readonly number[])[]
  readonly out: readonly number[]
  readonly workers: number
}

/** Every way but that of all inputs replicated, which is always one. */
type Rule<A = unknown, B = never> = (site: Site<A>) => readonly Strategy<B>[]

const both =
  <A, B>(...rules: readonly Rule<A, B>[]): Rule<A, B> =>
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
type Move<A = unknown> = (axis: number, site: Site<A>) => number | undefined

const moved =
  <A, B = never>(move: Move<A>, attrs?: (site: Site<A>, axis: number) => B): Rule<A, B> =>
  (site) =>
    shareable(site.shapes[0]!, site.workers).flatMap((axis) => {
      const to = move(axis, site)
      const inputs = site.shapes.map((_, i): Placement => (i === 0 ? axis : 'replicated'))
      return to === undefined ? [] : [{ inputs, output: to, ...(attrs && { attrs: attrs(site, to) }) }]
    })

/** What only changes places, or is linear along other axes. */
const linear = <A, B = never>(move: Move<A>, attrs?: (site: Site<A>, axis: number) => B): Rule<A, B> =>
  both<A, B>(affine([0]), moved(move, attrs))

const stays: Move = (axis) => axis
const except =
  <A>(axes: (site: Site<A>) => readonly number[]): Move<A> =>
  (axis, site) =>
    axes(site).includes(axis) ? undefined : axis
const exceptAxis: Move<{ readonly axis: number }> = except(({ attrs }) => [attrs.axis])

/** Blocks of an axis stay the blocks of the one with as many elements before it, where that can be shared out too. */
const reshaped: Move = (axis, { shapes, out, workers }) => {
  const before = sizeOf(shapes[0]!.slice(0, axis))
  const to = out.findIndex((n, i) => n > 1 && sizeOf(out.slice(0, i)) === before)
  return to >= 0 && out[to]! % workers === 0 ? to : undefined
}

/** The shape of the result, for one share. */
const shareOfOut = ({ out, workers }: Site, axis: number): readonly number[] => shareOf(out, axis, workers)

/** Where an axis is after others were taken out. */
const lowered = (axis: number, gone: readonly number[]): number => axis - gone.filter((other) => other < axis).length

const reduced =
  (over?: 'summed' | 'averaged'): Rule<Attributes['Sum']> =>
  (site) => {
    const { axis: axes, keepDims } = site.attrs
    const along: readonly Strategy[] =
      over === undefined
        ? []
        : shareable(site.shapes[0]!, site.workers)
            .filter((axis) => axes.includes(axis))
            .map((axis) => ({ inputs: [axis], output: 'averaged', ...(over === 'summed' && { summed: true }) }))
    const kept: Move = (axis) => (axes.includes(axis) ? undefined : keepDims ? axis : lowered(axis, axes))
    return [...along, ...moved(kept)(site)]
  }

/** Operands one after another along an axis, or side by side along a new one. */
const joined =
  (isNew: boolean): Rule<{ readonly axis: number }> =>
  ({ attrs: { axis: along }, shapes, workers }) =>
    shareable(shapes[0]!, workers)
      .filter((axis) => isNew || axis !== along)
      .map((axis) => ({ inputs: shapes.map(() => axis), output: isNew && along <= axis ? axis + 1 : axis }))

/** Images are shared out, filters are not; the gradient of a filter is a sum over images. */
const ofImages = <A, B = never>(attrs?: (site: Site<A>, axis: number) => B): Rule<A, B> =>
  both<A, B>(
    affine([0], [1]),
    moved((axis) => (axis === 0 ? 0 : undefined), attrs),
  )
const ofFilter: Rule = both(affine([0], [1]), () => [{ inputs: [0, 0], output: 'averaged', summed: true }])

const product: Rule<Attributes['BatchMatMul']> = (site) => {
  const { attrs, shapes, out, workers } = site
  const [a, b] = shapes.map((shape) => shape.length) as [number, number]
  const [rowsA, sumA] = attrs.transposeA ? [a - 1, a - 2] : [a - 2, a - 1]
  const [sumB, columnsB] = attrs.transposeB ? [b - 1, b - 2] : [b - 2, b - 1]
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
const gathered: Rule<Attributes['GatherV2']> = (site) => {
  const indices = site.shapes[1]!
  const { axis: at } = site.attrs
  const move: Move = (axis) => (axis === at ? undefined : axis < at ? axis : axis - 1 + indices.length)
  const lookedUp = shareable(indices, site.workers).map(
    (axis): Strategy => ({ inputs: ['replicated', axis], output: at + axis }),
  )
  return [...linear(move)(site), ...lookedUp]
}

// -------------------------------------------------------------------------------------
// the table
// -------------------------------------------------------------------------------------

const all = <K extends Kernel, R>(kernels: readonly K[], rule: R): Readonly<Record<K, R>> =>
  Object.fromEntries(kernels.map((kernel) => [kernel, rule])) as Record<K, R>

const sliced: Move = (axis, { shapes, out }) => (shapes[0]![axis] === out[axis] ? axis : undefined)

/** By kernel. */
export const placements: { readonly [K in Kernel]?: Rule<Attributes[K], Attributes[K]> } = {
  ...all([...arithmetic, ...comparisons, ...logical, ...functions, ...predicates], elementwise),
  ...all(['LeakyRelu', 'Step', 'ClipByValue', 'Cast'], elementwise),
  ...all(['Neg', 'Identity'], linear(stays)),
  ...all(['Add', 'Sub', 'AddN'], both(affineInAll, elementwise)),
  Multiply: both(affine([0], [1]), elementwise),
  RealDiv: both(affine([0]), elementwise),
  Select: both(affine([1, 2]), elementwise),
  Softmax: moved(except(({ out }) => [out.length - 1])),
  Sum: both(affine([0]), reduced('summed')),
  Mean: both(affine([0]), reduced('averaged')),
  ...all(['Min', 'Max', 'All', 'Any'], reduced()),
  Cumsum: linear(exceptAxis),
  Reverse: linear(except(({ attrs }) => attrs.dims)),
  Reshape: linear(reshaped, (site, axis) => ({ shape: shareOfOut(site, axis) })),
  ExpandDims: linear(reshaped),
  Transpose: linear((axis, { attrs }) => attrs.perm.indexOf(axis)),
  Slice: linear<Attributes['Slice'], Attributes['Slice']>(sliced, (site, axis) => ({
    ...site.attrs,
    size: shareOfOut(site, axis),
  })),
  PadV2: both(affine([0]), moved(sliced)),
  Tile: linear(sliced),
  SplitV: linear(exceptAxis),
  Unpack: linear((axis, site) => {
    const to = exceptAxis(axis, site)
    return to === undefined ? undefined : lowered(to, [site.attrs.axis])
  }),
  Concat: both(affineInAll, joined(false)),
  Pack: both(affineInAll, joined(true)),
  DepthToSpace: linear((axis) => (axis === 0 ? 0 : undefined)),
  GatherV2: gathered,
  OneHot: moved(stays),
  BatchMatMul: product,
  Conv2D: ofImages(),
  Conv2DBackpropInput: ofImages<Attributes['Conv2DBackpropInput'], Attributes['Conv2DBackpropInput']>((site, axis) => ({
    ...site.attrs,
    inputShape: shareOfOut(site, axis),
  })),
  Conv2DBackpropFilter: ofFilter,
  Fill: () => [],
}

/** Every way of sharing out a call of this kernel but that of all inputs replicated; none where it cannot be shared. */
export const strategiesOf = <K extends Kernel>(
  kernel: K,
  site: Site<Attributes[K]>,
): readonly Strategy<Attributes[K]>[] | undefined => placements[kernel]?.(site)
