/**
 * The laws as properties: fast-check draws parameters and inputs, and shrinks the input of a failure.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import type { Arbitrary } from 'fast-check'
import * as E from 'fp-ts/lib/Either.js'
import type { Shape } from '../../types/shape.js'
import type { AnyBijector, AnyConditional } from '../bijector/layer.js'
import { requireEngine } from '../missing-engine.js'
import { tidy } from '../tensor/ops.js'
import { leaves } from '../tensor/params.js'
import { foldIn, key, normalArray } from '../tensor/random.js'
import { latentList, product, sameShape, showLatents } from '../tensor/shape.js'
import { type AnyTensor, trust, unwrap } from '../tensor/tensor.js'
import { type CategoryLaw, category } from './category.js'
import { density } from './density.js'
import { fc } from './fastCheck.js'
import { rows } from './jacobian.js'
import type { Claims, Draw, Law } from './law.js'
import { example, mandatory } from './mandatory.js'
import { optional } from './optional.js'
import { randomParams } from './random.js'
import { support } from './support.js'
import { agree, describeViolation, every, type Verdict, violates } from './verdict.js'

/**
 * The laws of one bijector by name.
 *
 * @example checkLaws(atShape([4], affine), {}, Object.keys(laws) as LawName[])
 */
export const laws = { ...mandatory, ...support, ...optional, ...density }
export type LawName = keyof typeof laws
/**
 * The laws of compositions by name.
 *
 * @example Object.keys(categoryLaws) // ['identity', 'associativity', 'logDetsAdd', 'reverse']
 */
export const categoryLaws: Readonly<Record<keyof typeof category, CategoryLaw>> = category

export interface LawOptions extends Claims {
  /**
   * Where inputs are drawn from: uniform on [low, high], ends included, or as an arbitrary of one value. Default the
   * middle nine tenths of the bijector's support, four units of one that is bounded on one side, or [−2, 2]
   */
  readonly domain?: readonly [low: number, high: number] | Arbitrary<number>
  /** The error allowed, relative to the largest value; gradients get ten times as much. Default 1e-4 */
  readonly tolerance?: number
  /** How many draws of parameters and inputs for each law. Default 8 */
  readonly runs?: number
  /** fast-check's seed, which a failure prints. */
  readonly seed?: number
}

const steps = 2 ** 20
/**
 * Values on [low, high], of which the ends and the middle come more often; shrinks to the middle.
 *
 * @example checkLaws(atShape([4], logit({ bins: 1 })), { domain: interval(0.1, 0.9) })
 */
export const interval = (low: number, high: number): Arbitrary<number> =>
  fc
    .integer({ min: -steps, max: steps })
    .map((k) => Math.fround(Math.min(high, Math.max(low, (low + high) / 2 + ((high - low) / 2) * (k / steps)))))

const examples = 3
const seeds = () => fc.noShrink(fc.integer({ min: 0, max: 2 ** 31 - 2 }))
const inputs = (
  b: { readonly domain: Shape },
  domain: NonNullable<LawOptions['domain']>,
): Arbitrary<readonly number[]> => {
  const length = examples * product(b.domain)
  return fc.array(Array.isArray(domain) ? interval(domain[0]!, domain[1]!) : (domain as Arbitrary<number>), {
    minLength: length,
    maxLength: length,
  })
}
const toBatch = (b: { readonly domain: Shape }, values: readonly number[]): AnyTensor =>
  trust(tf.tensor([...values], [examples, ...b.domain], 'float32'))

/** A law that throws is broken too. */
const judge = (verdict: () => Verdict): Verdict =>
  tidy(() => E.getOrElse((e) => violates('the call', 'an answer', String(e)))(E.tryCatch(verdict, (e) => e)))

const shown = (values: readonly number[]): string => {
  const short = values.slice(0, 24).map((v) => Number(v.toPrecision(7)))
  return `[${short.join(', ')}${values.length > short.length ? `, … ${values.length} values` : ''}]`
}

/**
 * Draws until a verdict is not lawful; then throws what it says about the smallest draw found.
 *
 * @param patience how many verdicts shrinking may cost
 */
const search = <Ts extends unknown[]>(
  arbitrary: Arbitrary<Ts>,
  verdictOf: (...drawn: Ts) => Verdict,
  { runs, seed, patience }: { readonly runs: number; readonly seed: number | undefined; readonly patience: number },
  sentence: (why: string, drawn: Ts) => string,
): void => {
  requireEngine()
  let left = patience
  const holds = (drawn: Ts): boolean => {
    if (left < patience && left-- <= 0) return true
    const so = E.isRight(judge(() => verdictOf(...drawn)))
    if (!so && left === patience) left--
    return so
  }
  const outcome = fc.check(
    fc.property(arbitrary, holds),
    seed === undefined ? { numRuns: runs } : { numRuns: runs, seed },
  )
  if (!outcome.failed || outcome.counterexample === null) return
  const [drawn] = outcome.counterexample
  const verdict = judge(() => verdictOf(...drawn))
  const why = E.isLeft(verdict) ? describeViolation(verdict.left) : String(outcome.errorInstance)
  throw new Error(`${sentence(why, drawn)}; repeat it with { seed: ${outcome.seed} }`)
}

const applies = (b: AnyBijector, claims: Claims) => (name: LawName) => {
  const law: Law = laws[name]
  return law.applies?.(b, claims) ?? true
}

/**
 * The names of the laws that say something about a bijector with these claims.
 *
 * @example lawsOf(atShape([4], affine)).includes('training') // true
 */
export const lawsOf = (b: AnyBijector, options: LawOptions = {}): readonly LawName[] =>
  (Object.keys(laws) as LawName[]).filter(applies(b, claimsOf(b, options)))

/** Where inputs are drawn from if no option says it. */
const domainOf = ({ support: [low, high] }: Pick<AnyBijector, 'support'>): readonly [low: number, high: number] => {
  if (low === Number.NEGATIVE_INFINITY) return high === Number.POSITIVE_INFINITY ? [-2, 2] : [high - 4, high - 0.1]
  if (high === Number.POSITIVE_INFINITY) return [low + 0.1, low + 4]
  const margin = (high - low) / 20
  return [low + margin, high - margin]
}

const claimsOf = (b: AnyBijector, { domain = domainOf(b), ...claims }: LawOptions): Claims =>
  claims.edges === undefined && Array.isArray(domain) ? { ...claims, edges: [domain[0]!, domain[1]!] } : claims

/** The distance of inputs from a kink: larger than the shorter steps of {@link agreesWithDifferences}. */
const CLEAR = 0.02

/** Values moved away from kinks. */
const clearOf =
  (kinks: readonly number[]) =>
  (value: number): number =>
    kinks.reduce((v, kink) => (Math.abs(v - kink) < CLEAR ? Math.fround(kink + (v < kink ? -CLEAR : CLEAR)) : v), value)

/**
 * Runs the laws on a bijector, or those named, with random parameters and inputs. One call in a test of vitest, jest
 * or node:test.
 *
 * A conditional bijector is lawful if the bijector at each context is: it is checked at drawn contexts, and the contexts
 * of a batch must not mix. Of a flow, the bijector is checked.
 *
 * @throws DiffeoException that asks for `await ready()`, if there is no engine
 * @throws Error that names the bijector, the law, both numbers, the smallest input found and the seed that repeats it
 * @example
 * test('my bijector', () => checkLaws(atShape([4], mine), { domain: [0, 1] }))
 */
export const checkLaws = (of: Lawful, options: LawOptions = {}, names?: readonly LawName[]): void => {
  const b = 'bijector' in of ? of.bijector : of
  if (!('given' in b)) {
    checkBijector(b, options, names)
    return
  }
  const { seed = 0, runs = 8 } = options
  const contexts = (n: number, place: number): AnyTensor => {
    const size = n * product(b.context)
    return trust(tf.tensor(normalArray(foldIn(key(seed), place), size), [n, ...b.context]))
  }
  checkContexts(b, options, contexts(examples, CONTEXTS))
  for (let place = 0; place < CONTEXTS; place++) {
    const context = contexts(1, place)
    checkBijector(b.given(context), { ...options, runs: Math.ceil(runs / CONTEXTS) }, names)
    unwrap(context).dispose()
  }
}

/** What laws are checked of. */
export type Lawful = AnyBijector | AnyConditional | { readonly bijector: AnyBijector | AnyConditional }

/** At how many contexts a conditional bijector is checked. */
const CONTEXTS = 3

/** Each example depends on its own context alone. Frees the contexts. */
const checkContexts = (
  b: AnyConditional,
  { tolerance = 1e-4, seed = 0, ...options }: LawOptions,
  contexts: AnyTensor,
) => {
  const domain = options.domain ?? domainOf(b)
  const params = randomParams(b.spec, key(seed))
  const verdictOf = (values: readonly number[]): Verdict => {
    const x = toBatch(b, values)
    const [z] = b.given(contexts).bind(params).forward(x)
    return every(
      ...Array.from({ length: examples }, (_, i) => () => {
        const [alone] = b.given(example(contexts, i)).bind(params).forward(example(x, i))
        const own = tf.slice(rows(z), [i, 0], [1, -1]).dataSync()
        return agree(`forward of example ${i} with its context alone`, rows(alone).dataSync(), own, tolerance)
      }),
    )
  }
  search(
    fc.tuple(inputs(b, domain)),
    verdictOf,
    { runs: 2, seed, patience: 20 },
    (why, [values]) => `${b.name} breaks the mandatory law 'contexts': ${why}; at x = ${shown(values)}`,
  )
  tf.dispose([unwrap(contexts), ...leaves<AnyTensor>(params).map(([, leaf]) => unwrap(leaf))])
}

const checkBijector = (b: AnyBijector, options: LawOptions, names?: readonly LawName[]): void => {
  const { domain = domainOf(b), tolerance = 1e-4, runs = 8, seed, kinks = [] } = options
  const claims = claimsOf(b, options)
  for (const name of (names ?? lawsOf(b, options)).filter(applies(b, claims))) {
    const law: Law = laws[name]
    const drawn = (draw: number, values: readonly number[]): Draw => ({
      params: randomParams(b.spec, key(draw)),
      x: toBatch(b, values.map(clearOf(kinks))),
      key: foldIn(key(draw), 1),
      tolerance,
      claims,
    })
    search(
      fc.tuple(seeds(), inputs(b, domain)),
      (draw, values) => law.holds(b, drawn(draw, values)),
      law.heavy === true
        ? { runs: Math.max(1, Math.ceil(runs / 4)), seed, patience: 15 }
        : { runs, seed, patience: 150 },
      (why, [draw, values]) =>
        `${b.name} breaks the ${law.rank} law '${name}': ${why}; at x = ${shown(values)} with the parameters of key(${draw})`,
    )
  }
}

/** A bijector, and where its inputs are drawn from. */
export interface Part {
  readonly bijector: AnyBijector
  readonly domain: NonNullable<LawOptions['domain']>
  /** Whether it takes every real number, so that it may follow any other. */
  readonly anywhere: boolean
}

/** Up to three parts, of which each takes what flows out of the one before. */
const chains = (parts: readonly Part[], length: number): Arbitrary<readonly Part[]> =>
  fc.array(fc.nat(), { minLength: length, maxLength: length }).map(([first = 0, ...choices]) =>
    choices.reduce<readonly Part[]>(
      (chain, choice) => {
        const flowing = latentList(chain.at(-1)!.bijector.codomain).at(-1)!
        const next = parts.filter((p) => p.anywhere && sameShape(p.bijector.domain, flowing))
        return next.length === 0 ? chain : chain.concat(next[choice % next.length]!)
      },
      [parts[first % parts.length]!],
    ),
  )
const needs: Readonly<Record<keyof typeof category, number>> = {
  identity: 1,
  associativity: 3,
  logDetsAdd: 3,
  reverse: 2,
}

/**
 * Runs the laws of composition on random chains of the given bijectors.
 *
 * @throws DiffeoException that asks for `await ready()`, if there is no engine
 * @throws Error that names the bijectors, the law, both numbers, the smallest input found and the seed that repeats it
 * @example
 * const part = { bijector: atShape([2], affine), domain: [-2, 2], anywhere: true } as const
 * checkCategory([part], { runs: 10 })
 */
export const checkCategory = (
  parts: readonly Part[],
  { runs = 50, seed }: Pick<LawOptions, 'runs' | 'seed'> = {},
  names: readonly (keyof typeof category)[] = Object.keys(category) as (keyof typeof category)[],
): void => {
  for (const name of names) {
    const drawn = fc
      .noShrink(chains(parts, needs[name]))
      .chain((chain) => fc.tuple(fc.constant(chain), seeds(), inputs(chain[0]!.bijector, chain[0]!.domain)))
    search(
      drawn,
      (chain, draw, values) =>
        chain.length < needs[name]
          ? E.right(undefined)
          : categoryLaws[name]({
              parts: chain.map((p) => p.bijector),
              params: chain.map((p, i) => randomParams(p.bijector.spec, foldIn(key(draw), i))),
              x: toBatch(chain[0]!.bijector, values),
            }),
      { runs, seed, patience: 50 },
      (why, [chain, draw, values]) => {
        const of = chain.map(({ bijector: b }) => `${b.name} ${showLatents(b.domain)}`).join(', ')
        return `compose(${of}) breaks the law '${name}': ${why}; at x = ${shown(values)} with the parameters of key(${draw})`
      },
    )
  }
}
