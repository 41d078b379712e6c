/**
 * Graphs of TensorFlow as `GraphDef` messages, built node by node. Field numbers from graph.proto, node_def.proto,
 * attr_value.proto and tensor.proto of TensorFlow 2.21.
 *
 * @module
 */

import type { ProgramType } from '../../compiler/program.js'
import { encoder, field, many, mapping } from '../shared/protobuf.js'

const encodeGraph = encoder(
  {
    GraphDef: { node: many('NodeDef', 1), versions: field('VersionDef', 4) },
    VersionDef: { producer: field('int32', 1) },
    NodeDef: {
      name: field('string', 1),
      op: field('string', 2),
      input: many('string', 3),
      device: field('string', 4),
      attr: mapping('string', 'AttrValue', 5),
    },
    AttrValue: {
      list: field('ListValue', 1),
      s: field('bytes', 2),
      i: field('int64', 3),
      f: field('float', 4),
      b: field('bool', 5),
      type: field('int32', 6),
      shape: field('TensorShapeProto', 7),
      tensor: field('TensorProto', 8),
    },
    ListValue: { i: many('int64', 3) },
    TensorShapeProto: { dim: many('Dim', 2), unknownRank: field('bool', 3) },
    Dim: { size: field('int64', 1) },
    TensorProto: {
      dtype: field('int32', 1),
      tensorShape: field('TensorShapeProto', 2),
      tensorContent: field('bytes', 4),
    },
  },
  ['AttrValue'],
)('GraphDef')

/** Types that are half as wide as float32. */
export type Half = 'bfloat16' | 'float16'

/** Types of a graph's values: those of a program, halves, and names of what a session keeps. */
export type Width = ProgramType | Half | 'string'

/** `DataType` of types.proto. */
const typeNumber: Readonly<Record<Width, number>> = {
  float32: 1,
  int32: 3,
  bool: 10,
  bfloat16: 14,
  float16: 19,
  string: 7,
}

/** The version of graphs that TensorFlow 2.9 to 2.21 read alike. */
const PRODUCER = 1087

/** The value of an attribute, by its kind. */
type Attr =
  | { readonly i: number }
  | { readonly f: number }
  | { readonly b: boolean }
  | { readonly s: Uint8Array }
  | { readonly list: { readonly i: readonly number[] } }
  | { readonly type: number }
  | { readonly shape: object }
  | { readonly tensor: object }
export type Attrs = Readonly<Record<string, Attr>>

export const int = (i: number): Attr => ({ i })
export const float = (f: number): Attr => ({ f })
export const bool = (b: boolean): Attr => ({ b })
export const text = (s: string): Attr => ({ s: new TextEncoder().encode(s) })
export const ints = (i: readonly number[]): Attr => ({ list: { i } })
export const dtype = (type: Width): Attr => ({ type: typeNumber[type] })

const shapeOf = (shape: readonly number[] | undefined): object =>
  shape === undefined ? { unknownRank: true } : { dim: shape.map((size) => ({ size })) }

/** A shape, or any. */
export const shaped = (shape?: readonly number[]): Attr => ({ shape: shapeOf(shape) })

interface NodeOptions {
  readonly attrs?: Attrs
  readonly name?: string
  readonly device?: string
  /** Names of nodes that have to run first. */
  readonly after?: readonly string[]
}

/** A graph as it is built. A value's name is its node's, with `:1`, `:2` … for further results. */
export interface GraphDef {
  readonly input: (name: string, type: Width, shape?: readonly number[]) => string
  readonly constant: (type: ProgramType, shape: readonly number[], data: ArrayLike<number>) => string
  readonly node: (op: string, inputs: readonly string[], options?: NodeOptions) => string
  readonly encode: () => Uint8Array
}

const latin1 = new TextDecoder('latin1')

const rawBytes = (type: ProgramType, data: ArrayLike<number>): Uint8Array => {
  const Typed = type === 'float32' ? Float32Array : type === 'int32' ? Int32Array : Uint8Array
  const typed = Typed.from(data)
  return new Uint8Array(typed.buffer)
}

/** An empty graph, whose nodes are on a device unless they say otherwise. */
export const graphDef = (place?: string): GraphDef => {
  const nodes: object[] = []
  const stored = new Map<string, string>()
  let count = 0
  const node: GraphDef['node'] = (
    op,
    inputs,
    { attrs = {}, name = `n${count++}`, device = place, after = [] } = {},
  ) => {
    const input = [...inputs, ...after.map((before) => `^${before}`)]
    nodes.push({ name, op, input, attr: attrs, ...(device === undefined ? {} : { device }) })
    return name
  }
  return {
    node,
    input: (name, type, shape) =>
      node('Placeholder', [], { name, attrs: { dtype: dtype(type), shape: shaped(shape) } }),
    constant: (type, shape, data) => {
      const tensorContent = rawBytes(type, data)
      const key = `${type}[${shape}]${latin1.decode(tensorContent)}`
      const known = stored.get(key)
      if (known !== undefined) return known
      const tensor = { dtype: typeNumber[type], tensorShape: shapeOf(shape), tensorContent }
      const name = node('Const', [], { attrs: { dtype: dtype(type), value: { tensor } } })
      stored.set(key, name)
      return name
    },
    encode: () => encodeGraph({ node: nodes, versions: { producer: PRODUCER } }),
  }
}
