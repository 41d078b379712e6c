/**
 * What is true of compositions (Eqs. 13, 14): of bijectors one after another, where the last latent of each flows on.
 *
 * @module
 */
import { compose } from '../bijector/compose.js'
import { andThen, type Diffeo, id, reverse as reverseDiffeo } from '../bijector/diffeo.js'
import { type AnyBijector, input } from '../bijector/layer.js'
import { leaves, mapLeaves, type Params, type Spec } from '../tensor/params.js'
import { isShape, latentList } from '../tensor/shape.js'
import { type AnyTensor, latentTensors } from '../tensor/tensor.js'
import { agree, every, lawful, read, type Verdict } from './verdict.js'

/** Bijectors one after another, the parameters of each, and examples for the first. */
export interface Chain {
  readonly parts: readonly AnyBijector[]
  readonly params: readonly Params[]
  readonly x: AnyTensor
}
export type CategoryLaw = (chain: Chain) => Verdict

/** A diffeo between values of shapes known only at run time. */
type Calls = Diffeo<unknown, unknown>

/** The same leaves, in order, under the names of another tree. */
const renamed = (spec: Spec, params: readonly Params[]): Params => {
  const own = params.flatMap((p) => leaves<AnyTensor>(p).map(([, leaf]) => leaf))
  let place = 0
  return mapLeaves(spec, () => own[place++]!)
}
const composed = (...parts: readonly AnyBijector[]): AnyBijector =>
  compose(...(parts as never[])) as unknown as AnyBijector
const bound = (b: AnyBijector, params: readonly Params[]): Calls => b.bind(renamed(b.spec, params)) as unknown as Calls

/** Both directions of two diffeos at a point: the same values, and the same log-dets but for the order of sums. */
const same = (what: string, f: Calls, g: Calls, x: unknown): Verdict => {
  const [[z, logDet], [w, otherLogDet]] = [f.forward(x), g.forward(x)]
  const [[back, inverse], [again, otherInverse]] = [f.inverse(z), g.inverse(z)]
  return every(
    () => agree(`${what}: forward`, read(z), read(w), 1e-6),
    () => agree(`${what}: log-det`, read(logDet), read(otherLogDet), 1e-5),
    () => agree(`${what}: inverse`, read(back), read(again), 1e-6),
    () => agree(`${what}: inverse log-det`, read(inverse), read(otherInverse), 1e-5),
  )
}

/** Of how many latents the parts before the last are: values compose only through one. */
const single = (parts: readonly AnyBijector[]): boolean => parts.every((b) => isShape(b.codomain))

export const category = {
  identity: ({ parts, params, x }) => {
    const [b] = parts as [AnyBijector]
    const f = b.bind(params[0]!) as unknown as Calls
    const flowing = input(latentList(b.codomain).at(-1)!)
    return every(
      () => same('id before', andThen(f)(id()), f, x),
      () => same('id after', andThen(id())(f), f, x),
      () => same('input before', bound(composed(input(b.domain), b), params), f, x),
      () => same('input after', bound(composed(b, flowing), params.slice(0, 1)), f, x),
    )
  },
  associativity: ({ parts, params, x }) => {
    const [f, g, h] = parts as [AnyBijector, AnyBijector, AnyBijector]
    const flat = bound(composed(f, g, h), params)
    const left = bound(composed(composed(f, g), h), params)
    const right = bound(composed(f, composed(g, h)), params)
    const [a, b, c] = parts.map((p, i) => p.bind(params[i]!)) as unknown as [Calls, Calls, Calls]
    return every(
      () => same('(f, g), h', left, flat, x),
      () => same('f, (g, h)', right, flat, x),
      () =>
        single([f, g])
          ? every(
              () => same('(h ∘ g) ∘ f', andThen(andThen(c)(b))(a), flat, x),
              () => same('h ∘ (g ∘ f)', andThen(c)(andThen(b)(a)), flat, x),
            )
          : lawful,
    )
  },
  logDetsAdd: ({ parts, params, x }) => {
    let flowing: AnyTensor = x
    const sum = parts.reduce<readonly number[]>((total, b, i) => {
      const [z, logDet] = b.bind(params[i]!).forward(flowing)
      flowing = latentTensors(z).at(-1)!
      return total.length === 0 ? read(logDet) : read(logDet).map((v, n) => v + total[n]!)
    }, [])
    const [z, logDet] = bound(composed(...parts), params).forward(x)
    return every(
      () => agree('the log-det of a composition', read(logDet), sum, 1e-5),
      () => agree('what flows out of a composition', read(latentTensors(z).at(-1)), read(flowing), 1e-6),
    )
  },
  reverse: ({ parts, params, x }) => {
    const [f, g] = parts as [AnyBijector, AnyBijector]
    const [a, b] = [f.bind(params[0]!), g.bind(params[1]!)] as unknown as [Calls, Calls]
    const twice = same('reverse(reverse(f))', reverseDiffeo(reverseDiffeo(a)), a, x)
    if (!single([f])) return twice
    const both = andThen(b)(a)
    const [z] = both.forward(x)
    return every(
      () => twice,
      () => same('reverse(g ∘ f)', reverseDiffeo(both), andThen(reverseDiffeo(a))(reverseDiffeo(b)), z),
    )
  },
} satisfies Readonly<Record<string, CategoryLaw>>
