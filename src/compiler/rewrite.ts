/**
 * Rewriting: patterns over the calls that make a value, rules that replace a call, and the one loop that rebuilds a
 * program. A pass is a list of rules; a pass that rules cannot express gives the loop a function of its own.
 *
 * @module
 */
import { type Attributes, type Call, type CallOf, callOf, isCall, type Kernel, type None, type Rest } from './call.js'
import { type Elements, elements, type Program, sameShape, showAttrs, useCounts, type ValueInfo } from './program.js'

// -------------------------------------------------------------------------------------
// the program so far
// -------------------------------------------------------------------------------------

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
type Visit = (call: Call, build: Build) => void

interface Options {
  /** Whether equal constants, and equal calls, become one. */
  readonly merge?: boolean
}

const latin1 = new TextDecoder('latin1')

const constantKey = (data: Elements, { shape, dtype }: ValueInfo): string =>
  `${dtype}[${shape}]${latin1.decode(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))}`

const callKey = (kernel: Kernel, inputs: readonly number[], attrs: object = {}): string =>
  `${kernel}(${inputs})${showAttrs(attrs)}`

const readersIn = ({ calls }: Program): ReadonlyMap<number, readonly Call[]> => {
  const readers = new Map<number, Call[]>()
  for (const call of calls)
    for (const v of new Set(call.inputs)) {
      const list = readers.get(v)
      if (list === undefined) readers.set(v, [call])
      else list.push(call)
    }
  return readers
}

/** The program rebuilt call by call, from first to last, without the calls that nothing reads in the end. */
export const rebuild = (program: Program, visit: Visit, { merge = false }: Options = {}): Program => {
  const values = [...program.values]
  const constants = new Map<number, Elements>()
  const makers = new Map<number, Call>()
  const calls: Call[] = []
  const renamed = new Map<number, number>()
  const known = new Map<string, readonly number[]>()
  let uses: Map<number, number> | undefined
  let readers: ReadonlyMap<number, readonly Call[]> | undefined
  const current = (v: number): number => renamed.get(v) ?? v
  const value = (info: ValueInfo): number => values.push(info) - 1
  const addUses = (counts: Map<number, number>, v: number, more = 0): void =>
    void counts.set(v, (counts.get(v) ?? 0) + more)
  /** Counted at the first question: not every pass asks. */
  const counted = (): Map<number, number> => {
    if (uses !== undefined) return uses
    const counts = useCounts(program)
    for (const [v, by] of renamed) addUses(counts, by, counts.get(v))
    uses = counts
    return counts
  }
  const replace = (v: number, by: number): void => {
    if (v === by) return
    renamed.set(v, by)
    if (uses !== undefined) addUses(uses, by, uses.get(v))
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
    for (const v of call.outputs) makers.set(v, call)
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
    maker: (v) => makers.get(v),
    made: (v, kernel) => {
      const call = makers.get(v)
      return isCall(call, kernel) ? call : undefined
    },
    isReadOnce: (v) => (counted().get(v) ?? 1) === 1,
    readers: (v) => {
      readers ??= readersIn(program)
      return readers.get(v) ?? []
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
  // a call before may have made these values already
  for (const call of program.calls)
    if (!call.outputs.every((v) => makers.has(v))) visit({ ...call, inputs: call.inputs.map(current) }, build)
  return dropUnused({ values, inputs: program.inputs, constants, calls, outputs: program.outputs.map(current) })
}

/** The program without calls and constants that no output needs. */
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

// -------------------------------------------------------------------------------------
// patterns
// -------------------------------------------------------------------------------------

/** The values that the names in a pattern stand for. */
type Found<N extends string = string> = Readonly<Record<N, number>>

/** All ways in which a value fits, given what was found before. `N` are the names in the pattern. */
export interface Pattern<N extends string = never> {
  (build: Build, v: number, found: Found): readonly Found[]
  readonly names?: N
}

type Test = (build: Build, v: number, found: Found) => boolean

/** Any value that passes the test; the same value wherever the name stands. */
export const any =
  <N extends string>(name: N, test: Test = () => true): Pattern<N> =>
  (build, v, found) => {
    if (found[name] !== undefined) return found[name] === v ? [found] : []
    return test(build, v, found) ? [{ ...found, [name]: v }] : []
  }

type Names<P> = P extends Pattern<infer N> ? N : never

const commutative = new Set<Kernel>(['Add', 'Multiply', 'Maximum', 'Minimum'])

/** All ways in which the inputs of a call fit: in both orders, where the order does not matter. */
const matchInputs = (build: Build, { kernel, inputs }: Call, operands: readonly Pattern<string>[], found: Found) => {
  if (inputs.length < operands.length) return []
  const match = (order: readonly number[]): readonly Found[] =>
    operands.reduce<readonly Found[]>((all, p, i) => all.flatMap((f) => p(build, order[i]!, f)), [found])
  const isPair = operands.length === 2 && inputs[0] !== inputs[1] && commutative.has(kernel)
  return isPair ? [...match(inputs), ...match([inputs[1]!, inputs[0]!])] : match(inputs)
}

/** A value that a call of this kernel makes. */
export const op =
  <P extends readonly Pattern<string>[]>(kernel: Kernel, ...operands: P): Pattern<Names<P[number]>> =>
  (build, v, found) => {
    const call = build.maker(v)
    return call?.kernel === kernel ? matchInputs(build, call, operands, found) : []
  }

/** The pattern, with a name for the value itself. */
export const as =
  <N extends string, M extends string>(name: N, pattern: Pattern<M>, test: Test = () => true): Pattern<N | M> =>
  (build, v, found) => {
    if (found[name] !== undefined) return found[name] === v ? [found] : []
    return pattern(build, v, found).flatMap((f) => (test(build, v, f) ? [{ ...f, [name]: v }] : []))
  }

/** The pattern, where nothing else reads the value. */
export const once =
  <N extends string>(pattern: Pattern<N>): Pattern<N> =>
  (build, v, found) =>
    build.isReadOnce(v) ? pattern(build, v, found) : []

/** The number that all elements of a value are. */
export const uniform = ({ data, made }: Build, v: number): number | undefined => {
  const known = data(v)
  if (known !== undefined) return known.length > 0 && known.every((d) => d === known[0]) ? known[0] : undefined
  return made(v, 'Fill')?.attrs.value
}

/** A constant of one element. */
export const number = <N extends string>(name: N, is: (value: number) => boolean = () => true): Pattern<N> =>
  any(name, ({ data }, v) => {
    const known = data(v)
    return known?.length === 1 && is(known[0]!)
  })

/** A value of the same shape as one that was found before. */
export const alike = <N extends string>(name: N, as: string): Pattern<N> =>
  any(name, ({ shape }, v, found) => sameShape(shape(v), shape(found[as]!)))

// -------------------------------------------------------------------------------------
// rules
// -------------------------------------------------------------------------------------

type ReplacementOf<K extends Kernel> = K extends Kernel
  ? {
      readonly kernel: K
      readonly inputs: readonly number[]
      /** Default: those of the call that is replaced */
      readonly outputs?: readonly number[]
    } & (None extends Attributes[K] ? { readonly attrs?: None } : { readonly attrs: Attributes[K] })
  : never

/** What a call becomes: a value for each of its results, another call, or, where undefined, what another rule says. */
type Outcome = number | readonly number[] | ReplacementOf<Kernel> | undefined

export interface Rule {
  /** The kernels of the calls that it may replace; all, where undefined. */
  readonly kernels: readonly Kernel[] | undefined
  readonly apply: (call: Call, build: Build) => Outcome
}

/** A rule for calls of these kernels with operands that fit; it replaces the first match for which `to` has an outcome. */
export const rule = <K extends Kernel, const P extends readonly Pattern<string>[]>(
  kernels: K | readonly K[] | undefined,
  operands: P,
  to: (found: Found<Names<P[number]>>, build: Build, call: CallOf<K>) => Outcome,
): Rule => {
  const list = kernels && [kernels].flat()
  return {
    kernels: list,
    apply: (call, build) => {
      if (list !== undefined && !isCall(call, ...list)) return undefined
      for (const found of matchInputs(build, call, operands, {})) {
        const outcome = to(found, build, call as CallOf<K>)
        if (outcome !== undefined) return outcome
      }
      return undefined
    },
  }
}

/**
 * The program with, at each call, the first rule that fits, until none does. Rules see replacements and calls that rules
 * emit, too, so each has to bring a program nearer to a form where none fits.
 */
export const rewrite = (program: Program, rules: readonly Rule[], options: Options = {}): Program => {
  const byKernel = new Map<Kernel, readonly Rule[]>()
  const rulesFor = (kernel: Kernel): readonly Rule[] => {
    const found = byKernel.get(kernel) ?? rules.filter(({ kernels }) => kernels?.includes(kernel) ?? true)
    byKernel.set(kernel, found)
    return found
  }
  let seeing: Build | undefined
  const visit: Visit = (call, build) => {
    seeing ??= {
      ...build,
      emit: (kernel, inputs, info, ...rest) => {
        const v = build.value(info)
        visit(callOf(kernel, inputs, [v], ...rest), build)
        return build.current(v)
      },
    }
    for (const { apply } of rulesFor(call.kernel)) {
      const outcome = apply(call, seeing)
      if (outcome === undefined) continue
      if (typeof outcome === 'object' && 'kernel' in outcome)
        visit({ attrs: {}, outputs: call.outputs, ...outcome } as Call, build)
      else for (const [i, v] of [outcome].flat().entries()) build.replace(call.outputs[i]!, v)
      return
    }
    build.place(call)
  }
  return rebuild(program, visit, options)
}
