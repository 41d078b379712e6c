/**
 * The one loop that rebuilds a program, call by call, and what it offers to what is done at each call.
 *
 * @module
 */
import { type Call, type CallOf, callOf, isCall, type Kernel, type Rest } from './call.js'
import { type Elements, elements, type Program, showAttrs, useCounts, type ValueInfo } from './program.js'

/** The program while it is rebuilt: what stands so far, and how to add to it. */
export interface Build {
  readonly info: (v: number) => ValueInfo
  readonly shape: (v: number) => readonly number[]
  /** The elements of a constant. */
  readonly data: (v: number) => Elements | undefined
  /** The call that makes a value; none for inputs and constants. */
  readonly maker: (v: number) => Call | undefined
  /** The call that makes a value, if it is of this kernel. */
  readonly made: <K extends Kernel>(v: number, kernel: K) => CallOf<K> | undefined
  /** Whether one call alone reads a value, and it is no output. */
  readonly isReadOnce: (v: number) => boolean
  /** The calls of the original program that read a value. */
  readonly readers: (v: number) => readonly Call[]
  /** The result of an equal call without attributes. */
  readonly find: (kernel: Kernel, inputs: readonly number[]) => number | undefined
  /** The value that has replaced this one. */
  readonly current: (v: number) => number
  /** A new value, without a maker yet. */
  readonly value: (info: ValueInfo) => number
  readonly constant: (info: ValueInfo, data: ArrayLike<number>) => number
  /** Makes the elements of a value known. */
  readonly settle: (v: number, data: ArrayLike<number>) => number
  /** Adds a call of one result; in rules, after the rules have seen it. */
  readonly emit: <K extends Kernel>(kernel: K, inputs: readonly number[], info: ValueInfo, ...rest: Rest<K>) => number
  /** Adds a call. */
  readonly place: (call: Call) => void
  /** Later calls read the second value instead of the first. */
  readonly replace: (v: number, by: number) => void
  /** A call is no longer needed, so that it counts no more as a reader of its inputs. */
  readonly release: (call: Call) => void
}

/** What becomes of a call, whose inputs are current. */
export type Visit = (call: Call, build: Build) => void

export interface Options {
  /** Whether equal constants, and equal calls, become one. */
  readonly merge?: boolean
}

const latin1 = new TextDecoder('latin1')

const constantKey = (data: Elements, { shape, dtype }: ValueInfo): string =>
  `${dtype}[${shape}]${latin1.decode(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))}`

/** Texts of attributes: most calls go through several passes with the same ones. */
const texts = new WeakMap<object, string>()

const attrsKey = (attrs: object): string => {
  const text = texts.get(attrs) ?? showAttrs(attrs)
  texts.set(attrs, text)
  return text
}

const NO_ATTRS = {}

const callKey = (kernel: Kernel, inputs: readonly number[], attrs: object = NO_ATTRS): string =>
  `${kernel}(${inputs.join()})${attrsKey(attrs)}`

/** The calls that read each value, by its number. */
const readersIn = ({ values, calls }: Program): readonly (readonly Call[] | undefined)[] => {
  const readers = new Array<Call[] | undefined>(values.length)
  for (const call of calls)
    for (const v of call.inputs) {
      const list = readers[v]
      if (list === undefined) readers[v] = [call]
      else if (list.at(-1) !== call) list.push(call)
    }
  return readers
}

/** The program rebuilt call by call, from first to last, without the calls that nothing reads in the end. */
export const rebuild = (program: Program, visit: Visit, { merge = false }: Options = {}): Program => {
  const values = [...program.values]
  const constants = new Map<number, Elements>()
  // by the numbers of values, as lists: maps of so many numbers take several times as long
  const makers = new Array<Call | undefined>(values.length)
  const calls: Call[] = []
  const renamed = new Map<number, number>()
  const known = new Map<string, readonly number[]>()
  let uses: number[] | undefined
  let readers: ReturnType<typeof readersIn> | undefined
  const current = (v: number): number => renamed.get(v) ?? v
  const value = (info: ValueInfo): number => values.push(info) - 1
  const addUses = (counts: number[], v: number, more = 0): void => {
    counts[v] = (counts[v] ?? 0) + more
  }
  /** Counted at the first question: not every pass asks. */
  const counted = (): number[] => {
    if (uses !== undefined) return uses
    uses = useCounts(program)
    for (const [v, by] of renamed) addUses(uses, by, uses[v])
    return uses
  }
  const replace = (v: number, by: number): void => {
    if (v === by) return
    renamed.set(v, by)
    if (uses !== undefined) addUses(uses, by, uses[v])
  }
  /** Whether an equal one stood before, whose results are taken then. */
  const isMerged = (key: string, results: readonly number[]): boolean => {
    const first = known.get(key)
    if (first === undefined) known.set(key, results)
    else for (const [i, v] of results.entries()) replace(v, first[i]!)
    return first !== undefined
  }
  const place = (call: Call): void => {
    if (merge && isMerged(callKey(call.kernel, call.inputs, call.attrs), call.outputs)) return
    for (const v of call.outputs) makers[v] = call
    calls.push(call)
  }
  const settle = (v: number, data: ArrayLike<number>): number => {
    constants.set(v, elements(values[v]!.dtype, data))
    return v
  }
  const build: Build = {
    info: (v) => values[v]!,
    shape: (v) => values[v]!.shape,
    data: (v) => constants.get(v),
    maker: (v) => makers[v],
    made: (v, kernel) => {
      const call = makers[v]
      return isCall(call, kernel) ? call : undefined
    },
    isReadOnce: (v) => (counted()[v] ?? 1) === 1,
    readers: (v) => {
      readers ??= readersIn(program)
      return readers[v] ?? []
    },
    find: (kernel, inputs) => known.get(callKey(kernel, inputs))?.[0],
    current,
    value,
    constant: (info, data) => settle(value(info), data),
    settle,
    emit: (kernel, inputs, info, ...rest) => {
      const v = value(info)
      place(callOf(kernel, inputs, [v], ...rest))
      return current(v)
    },
    place,
    replace,
    release: ({ inputs }) => {
      for (const v of inputs) addUses(counted(), v, -1)
    },
  }
  for (const [v, data] of program.constants)
    if (!merge || !isMerged(constantKey(data, values[v]!), [v])) constants.set(v, data)
  for (const call of program.calls) {
    // a call before may have made these values already
    if (makers[call.outputs[0]!] !== undefined) continue
    const isStale = renamed.size > 0 && call.inputs.some((v) => renamed.has(v))
    visit(isStale ? { ...call, inputs: call.inputs.map(current) } : call, build)
  }
  const isSame = calls.length === program.calls.length && calls.every((call, i) => call === program.calls[i])
  if (isSame && renamed.size === 0 && !merge) return program
  return dropUnused({ values, inputs: program.inputs, constants, calls, outputs: program.outputs.map(current) })
}

/** The program without calls and constants that no output needs. */
export const dropUnused = (program: Program): Program => {
  const { values, calls, outputs } = program
  const needed = new Uint8Array(values.length)
  for (const v of outputs) needed[v] = 1
  const kept: Call[] = []
  for (let i = calls.length - 1; i >= 0; i--)
    if (calls[i]!.outputs.some((v) => needed[v] === 1)) {
      kept.push(calls[i]!)
      for (const v of calls[i]!.inputs) needed[v] = 1
    }
  const constants = new Map([...program.constants].filter(([v]) => needed[v] === 1))
  return { ...program, constants, calls: kept.reverse() }
}
