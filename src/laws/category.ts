/**
 * Laws of composition (Eqs. 13, 14): of bijectors one after another, where the last latent of each flows on.
 *
 * @module
 */

import type { ShapeFn } from '../../types/shape.js'
import { input } from '../bijector/bijector.js'
import { compose } from '../bijector/compose.js'
import { andThen, type Diffeo, id, reverse as reverseDiffeo } from '../bijector/diffeo.js'
import type { AnyBijector, Layer } from '../bijector/layer.js'
import { leaves, mapLeaves, type Params, type Spec } from '../tensor/params.js'
import { isShape, latentList } from '../tensor/shape.js'
import { type AnyTensor, latentBatch, latentTensors } from '../tensor/tensor.js'
import { agree, every, lawful, read, type Verdict } from './verdict.js'

/** Bijectors one after another, the parameters of each, and examples for the first. */
export interface Chain {
  readonly parts: readonly AnyBijector[]
  readonly params: readonly Params[]
  readonly x: AnyTensor
}
export type CategoryLaw = (chain: Chain) => Verdict

/** A diffeo between lists of tensors: bijectors between whatever shapes have the same type. */
type Listed = Diffeo<readonly AnyTensor[], readonly AnyTensor[]>

const bound = (b: AnyBijector, params: Params): Listed => {
  const { forward, inverse } = b.bind(params)
  return {
    forward: (x) => {
      const [z, logDet] = forward(latentBatch(b.domain, x))
      return [latentTensors(z), logDet]
    },
    inverse: (z) => {
      const [x, logDet] = inverse(latentBatch(b.codomain, z))
      return [latentTensors(x), logDet]
    },
  }
}
/** The same leaves, in order, under the names of another tree. */
const renamed = (spec: Spec, params: readonly Params[]): Params => {
  const tensors = params.flatMap((p) => leaves<AnyTensor>(p).map(([, leaf]) => leaf))
  let place = 0
  return mapLeaves(spec, () => tensors[place++]!)
}
const composed = (...parts: readonly Layer<ShapeFn>[]): AnyBijector =>
  compose(...parts) as Layer<ShapeFn> as AnyBijector
const boundTo = (b: AnyBijector, params: readonly Params[]): Listed => bound(b, renamed(b.spec, params))

/** Compares both directions of two diffeos at a point: values and log-dets are equal up to the order of sums. */
const same = (what: string, f: Listed, g: Listed, x: readonly AnyTensor[]): Verdict => {
  const [[z, logDet], [w, otherLogDet]] = [f.forward(x), g.forward(x)]
  const [[back, inverse], [again, otherInverse]] = [f.inverse(z), g.inverse(z)]
  return every(
    () => agree(`${what}: forward`, read(z), read(w), 1e-6),
    () => agree(`${what}: log-det`, read(logDet), read(otherLogDet), 1e-5),
    () => agree(`${what}: inverse`, read(back), read(again), 1e-6),
    () => agree(`${what}: inverse log-det`, read(inverse), read(otherInverse), 1e-5),
  )
}

/** Whether each part has one latent: diffeos compose only through one. */
const single = (parts: readonly AnyBijector[]): boolean => parts.every((b) => isShape(b.codomain))

export const category = {
  identity: ({ parts, params, x: event }) => {
    const x = [event]
    const [b] = parts as [AnyBijector]
    const f = bound(b, params[0]!)
    const flowing = input(latentList(b.codomain).at(-1)!)
    return every(
      () => same('id before', andThen(f)(id<readonly AnyTensor[]>()), f, x),
      () => same('id after', andThen(id<readonly AnyTensor[]>())(f), f, x),
      () => same('input before', boundTo(composed(input(b.domain), b), params), f, x),
      () => same('input after', boundTo(composed(b, flowing), params.slice(0, 1)), f, x),
    )
  },
  associativity: ({ parts, params, x: event }) => {
    const x = [event]
    const [f, g, h] = parts as [AnyBijector, AnyBijector, AnyBijector]
    const flat = boundTo(composed(f, g, h), params)
    const left = boundTo(composed(composed(f, g), h), params)
    const right = boundTo(composed(f, composed(g, h)), params)
    const [a, b, c] = [f, g, h].map((p, i) => bound(p, params[i]!)) as [Listed, Listed, Listed]
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
    const [z, logDet] = boundTo(composed(...parts), params).forward([x])
    return every(
      () => agree('the log-det of a composition', read(logDet), sum, 1e-5),
      () => agree('the latent that flows out of a composition', read(z.at(-1)), read(flowing), 1e-6),
    )
  },
  reverse: ({ parts, params, x: event }) => {
    const x = [event]
    const [f, g] = parts as [AnyBijector, AnyBijector]
    const [a, b] = [bound(f, params[0]!), bound(g, params[1]!)]
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
