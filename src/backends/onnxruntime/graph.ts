/**
 * ONNX models: the part of the format that programs need, as protobuf messages, and a graph that is built node by node.
 * Opset 21 of ONNX, IR version 10; field numbers from onnx.proto3 of ONNX 1.16.
 *
 * @module
 */

import type { ProgramType } from '../../compiler/program.js'
import { encoder, field, many } from '../shared/protobuf.js'

/** The version of ONNX's operators that graphs are written in. */
const OPSET = 21
const IR_VERSION = 10

/** Operators of ONNX Runtime that are not in ONNX: fused products, and convolutions in blocked layouts. */
export const MICROSOFT = 'com.microsoft'
export const NCHWC = 'com.microsoft.nchwc'

// -------------------------------------------------------------------------------------
// messages
// -------------------------------------------------------------------------------------

const encodeModel = encoder({
  ModelProto: {
    irVersion: field('int64', 1),
    producerName: field('string', 2),
    graph: field('GraphProto', 7),
    opsetImport: many('OperatorSetIdProto', 8),
  },
  OperatorSetIdProto: { domain: field('string', 1), version: field('int64', 2) },
  GraphProto: {
    node: many('NodeProto', 1),
    name: field('string', 2),
    initializer: many('TensorProto', 5),
    input: many('ValueInfoProto', 11),
    output: many('ValueInfoProto', 12),
  },
  NodeProto: {
    input: many('string', 1),
    output: many('string', 2),
    name: field('string', 3),
    opType: field('string', 4),
    attribute: many('AttributeProto', 5),
    domain: field('string', 7),
  },
  AttributeProto: {
    name: field('string', 1),
    f: field('float', 2),
    i: field('int64', 3),
    s: field('bytes', 4),
    ints: many('int64', 8),
    type: field('int32', 20),
  },
  TensorProto: {
    dims: many('int64', 1),
    dataType: field('int32', 2),
    name: field('string', 8),
    rawData: field('bytes', 9),
  },
  ValueInfoProto: { name: field('string', 1), type: field('TypeProto', 2) },
  TypeProto: { tensorType: field('TensorTypeProto', 1) },
  TensorTypeProto: { elemType: field('int32', 1), shape: field('TensorShapeProto', 2) },
  TensorShapeProto: { dim: many('Dimension', 1) },
  Dimension: { dimValue: field('int64', 1), dimParam: field('string', 2) },
})('ModelProto')

// -------------------------------------------------------------------------------------
// graphs
// -------------------------------------------------------------------------------------

type ElementType = ProgramType | 'int64'

/** `TensorProto.DataType` */
const typeNumber: Readonly<Record<ElementType, number>> = { float32: 1, int32: 6, int64: 7, bool: 9 }

/** A real number, where a plain number would be written as an integer. */
interface Real {
  readonly real: number
}
export type Attribute = number | string | readonly number[] | Real

interface NamedValue {
  readonly name: string
  readonly [field: string]: unknown
}

interface NodeProto extends NamedValue {
  readonly opType: string
  readonly input: readonly string[]
  readonly output: readonly string[]
}

const attribute = (name: string, value: Attribute): object =>
  typeof value === 'number'
    ? { name, i: value, type: 2 }
    : typeof value === 'string'
      ? { name, s: new TextEncoder().encode(value), type: 3 }
      : 'real' in value
        ? { name, f: value.real, type: 1 }
        : { name, ints: value, type: 7 }

/** A size, or the name of one that is known only at run time. */
type Dimension = number | string

/** A graph under construction. Every method returns the names of the values it added. */
export interface Graph {
  readonly input: (name: string, dtype: ElementType, shape: readonly Dimension[]) => string
  /** A constant; the same elements are stored once. */
  readonly constant: (dtype: ElementType, shape: readonly number[], data: ArrayLike<number>) => string
  readonly node: (op: string, inputs: readonly string[], options?: NodeOptions) => string
  /** A node with several outputs. */
  readonly nodes: (op: string, inputs: readonly string[], outputs: number, options?: NodeOptions) => readonly string[]
  /** Makes a value an output under a name of its own. */
  readonly output: (name: string, value: string, dtype: ElementType, shape: readonly Dimension[]) => void
  /** Says how large the batch is, as a list of one int64, where no input has it. */
  readonly batchSize: (value: string) => void
  /** Sizes and places: a constant, or computed from the batch that comes in. */
  readonly shape: (shape: readonly number[]) => string
  /** Whether a shape has the batch in it, whose size is known only at run time. */
  readonly isOpen: (shape: readonly number[]) => boolean
  /** The model as bytes. */
  readonly encode: () => Uint8Array
  /**
   * Two models: of what depends on some inputs alone, and of the rest, which takes from the first what stands between
   * them.
   */
  readonly encodeParts: (steady: readonly string[]) => Parts
}

/** A model in two parts: see `encodeParts`. */
interface Parts {
  readonly first: Uint8Array
  readonly second: Uint8Array
  /** What the first answers and the second takes. */
  readonly between: readonly string[]
  /** The inputs of the second, beside those. */
  readonly inputs: readonly string[]
}

interface NodeOptions {
  readonly domain?: string
  readonly attrs?: Readonly<Record<string, Attribute>>
}

/** One character for each byte, so that equal texts are equal bytes. */
const latin1 = new TextDecoder('latin1')

const rawBytes = (dtype: ElementType, data: ArrayLike<number>): Uint8Array => {
  const typed =
    dtype === 'int64'
      ? BigInt64Array.from({ length: data.length }, (_, i) => BigInt(data[i]!))
      : dtype === 'float32'
        ? Float32Array.from(data)
        : dtype === 'int32'
          ? Int32Array.from(data)
          : Uint8Array.from(data)
  return new Uint8Array(typed.buffer, typed.byteOffset, typed.byteLength)
}

const valueInfo = (name: string, dtype: ElementType, shape?: readonly Dimension[]): NamedValue => ({
  name,
  type: {
    tensorType: {
      elemType: typeNumber[dtype],
      ...(shape && { shape: { dim: shape.map((d) => (typeof d === 'number' ? { dimValue: d } : { dimParam: d })) } }),
    },
  },
})

/** Operators whose results may not be float32: they stay out of the first of two parts. */
const otherTypes = new Set(
  'Shape Cast Equal Less LessOrEqual Greater GreaterOrEqual Not And Or IsNaN IsInf OneHot'.split(' '),
)

/**
 * An empty graph. With `batch`, a large prime, every size that is a multiple of it stands for as many times the batch and
 * is open: the graph takes batches of any size. Values inside get none of the `reserved` names.
 */
export const graph = (name: string, batch?: number, reserved: ReadonlySet<string> = new Set()): Graph => {
  const opens = (n: number): boolean => batch !== undefined && n > 0 && n % batch === 0
  const dimensions = (shape: readonly Dimension[]): readonly Dimension[] =>
    shape.map((d) => (typeof d === 'number' && opens(d) ? (d === batch ? 'N' : `${d / batch!}N`) : d))
  let size: (() => string) | undefined
  const node: NodeProto[] = []
  const made = new Set<string>()
  const renamed = new Map<string, string>()
  const initializer: NamedValue[] = []
  const input: NamedValue[] = []
  const output: NamedValue[] = []
  const stored = new Map<string, string>()
  const constants = new Set<string>()
  const settled = new Map<string, readonly string[]>()
  let count = 0
  const fresh = (prefix: string, own = `${prefix}${count++}`): string => (reserved.has(own) ? fresh(prefix) : own)
  const nodes: Graph['nodes'] = (op, inputs, outputs, { domain = '', attrs = {} } = {}) => {
    // what is made of constants alone is made once
    const known = inputs.every((value) => constants.has(value))
      ? JSON.stringify([op, inputs, domain, attrs])
      : undefined
    const before = known === undefined ? undefined : settled.get(known)
    if (before !== undefined) return before
    const names = Array.from({ length: outputs }, () => fresh('v'))
    if (known !== undefined) settled.set(known, names)
    const attributes = Object.entries(attrs).map(([key, value]) => attribute(key, value))
    const own = { opType: op, name: `${op}_${names[0]}`, input: inputs, output: names, domain, attribute: attributes }
    node.push(own)
    for (const name of names) made.add(name)
    return names
  }
  const resolved = (): readonly NodeProto[] => {
    const rename = (names: readonly string[]) => names.map((value) => renamed.get(value) ?? value)
    return node.map((n) => ({ ...n, input: rename(n.input), output: rename(n.output) }))
  }
  const bytes = (
    nodes: readonly NodeProto[],
    inputs: readonly NamedValue[],
    outputs: readonly NamedValue[],
  ): Uint8Array => {
    const domains = ['', MICROSOFT, NCHWC].filter((d) => d === '' || batch === undefined)
    const opsetImport = domains.map((domain) => ({ domain, version: domain === '' ? OPSET : 1 }))
    const used = new Set([...nodes.flatMap((n) => n.input), ...outputs.map(({ name }) => name)])
    const own = {
      name,
      node: nodes,
      initializer: initializer.filter((c) => used.has(c.name)),
      input: inputs,
      output: outputs,
    }
    return encodeModel({ irVersion: IR_VERSION, producerName: 'diffeo', opsetImport, graph: own })
  }
  const vector = (n: number) => own.constant('int64', [1], [n])
  const firstSize = (value: string) => own.node('Slice', [own.node('Shape', [value]), vector(0), vector(1)])
  const own: Graph = {
    isOpen: (shape) => shape.some(opens),
    batchSize: (value) => {
      size = () => value
    },
    shape: (shape) => {
      if (!shape.some(opens)) return own.constant('int64', [shape.length], shape)
      const n = size?.() ?? ''
      const parts = shape.map((m) =>
        !opens(m) ? vector(m) : m === batch ? n : own.node('Mul', [n, vector(m / batch!)]),
      )
      return own.node('Concat', parts, { attrs: { axis: 0 } })
    },
    input: (own, dtype, shape) => {
      input.push(valueInfo(own, dtype, dimensions(shape)))
      if (shape.some((d) => d === batch)) size ??= () => firstSize(own)
      return own
    },
    constant: (dtype, shape, data) => {
      const rawData = rawBytes(dtype, data)
      const key = `${dtype}[${shape}]${latin1.decode(rawData)}`
      const known = stored.get(key)
      if (known !== undefined) return known
      const own = fresh('c')
      stored.set(key, own)
      constants.add(own)
      initializer.push({ name: own, dims: shape, dataType: typeNumber[dtype], rawData })
      return own
    },
    node: (op, inputs, options) => nodes(op, inputs, 1, options)[0]!,
    nodes,
    output: (own, value, dtype, shape) => {
      // A value that a node made takes the output's name; another one, or one that has two names, is copied.
      if (made.has(value) && !renamed.has(value)) renamed.set(value, own)
      else {
        const copy = { opType: 'Identity', name: `output_${own}`, input: [value], output: [own] }
        node.push(copy)
      }
      output.push(valueInfo(own, dtype, dimensions(shape)))
    },
    encode: () => bytes(resolved(), input, output),
    encodeParts: (steady) => {
      const known = new Set(['', ...steady, ...initializer.map(({ name }) => name)])
      const results = new Set(output.map(({ name }) => name))
      const [first, second]: [NodeProto[], NodeProto[]] = [[], []]
      for (const n of resolved()) {
        // a result of the first part would have to pass through the second, where the runtime leaves it unwritten
        const isResult = n.output.some((value) => results.has(value))
        const early = !isResult && !otherTypes.has(n.opType) && n.input.every((value) => known.has(value))
        ;(early ? first : second).push(n)
        if (early) for (const value of n.output) known.add(value)
      }
      const wanted = new Set(second.flatMap((n) => n.input))
      const between = first.flatMap((n) => n.output.filter((value) => wanted.has(value)))
      const passed = between.map((value) => valueInfo(value, 'float32'))
      const direct = input.filter(({ name }) => !steady.includes(name) || wanted.has(name))
      const own = input.filter(({ name }) => steady.includes(name))
      return {
        first: bytes(first, own, passed),
        second: bytes(second, [...direct, ...passed], output),
        between,
        inputs: direct.map(({ name }) => name),
      }
    },
  }
  return own
}
