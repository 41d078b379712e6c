/**
 * Rewriting: patterns over the calls that make a value, and rules that replace a call. A pass is a list of rules; a pass
 * that rules cannot express gives `rebuild` a function of its own.
 *
 * @module
 */
import { type Attributes, type Call, type CallOf, callOf, type Kernel, type None } from './call.js'
import { type Program, sameShape } from './program.js'
import { type Build, type Options, rebuild, type Visit } from './rebuild.js'

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

const NONE: readonly Found[] = []

/** Any value that passes the test; the same value wherever the name stands. */
export const any =
  <N extends string>(name: N, test: Test = () => true): Pattern<N> =>
  (build, v, found) => {
    if (found[name] !== undefined) return found[name] === v ? [found] : NONE
    return test(build, v, found) ? [{ ...found, [name]: v }] : NONE
  }

type Names<P> = P extends Pattern<infer N> ? N : never

const commutative = new Set<Kernel>(['Add', 'Multiply', 'Maximum', 'Minimum'])

const matchInOrder = (
  build: Build,
  inputs: readonly number[],
  operands: readonly Pattern<string>[],
  found: Found,
): readonly Found[] => {
  let all: readonly Found[] = [found]
  for (let i = 0; i < operands.length && all.length > 0; i++) {
    const [pattern, v] = [operands[i]!, inputs[i]!]
    all = all.length === 1 ? pattern(build, v, all[0]!) : all.flatMap((f) => pattern(build, v, f))
  }
  return all
}

/** All ways in which the inputs of a call fit: in both orders, where the order does not matter. */
const matchInputs = (
  build: Build,
  { kernel, inputs }: Call,
  operands: readonly Pattern<string>[],
  found: Found,
): readonly Found[] => {
  if (inputs.length < operands.length) return NONE
  const first = matchInOrder(build, inputs, operands, found)
  const [a, b] = inputs as readonly [number, number]
  if (operands.length !== 2 || a === b || !commutative.has(kernel)) return first
  const second = matchInOrder(build, [b, a], operands, found)
  return first.length === 0 ? second : second.length === 0 ? first : [...first, ...second]
}

/** A value that a call of this kernel makes. */
export const op =
  <P extends readonly Pattern<string>[]>(kernel: Kernel, ...operands: P): Pattern<Names<P[number]>> =>
  (build, v, found) => {
    const call = build.maker(v)
    return call?.kernel === kernel ? matchInputs(build, call, operands, found) : NONE
  }

/** The pattern, with a name for the value itself. */
export const as =
  <N extends string, M extends string>(name: N, pattern: Pattern<M>, test: Test = () => true): Pattern<N | M> =>
  (build, v, found) => {
    if (found[name] !== undefined) return found[name] === v ? [found] : NONE
    const inside = pattern(build, v, found)
    return inside.length === 0 ? NONE : inside.flatMap((f) => (test(build, v, f) ? [{ ...f, [name]: v }] : NONE))
  }

/** The pattern, where nothing else reads the value. */
export const once =
  <N extends string>(pattern: Pattern<N>): Pattern<N> =>
  (build, v, found) =>
    build.isReadOnce(v) ? pattern(build, v, found) : NONE

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
      for (const found of matchInputs(build, call, operands, {})) {
        // `rewrite` asks a rule about calls of its kernels alone
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
