/**
 * Bijectors one after another. Each passes its last latent on to the next. Its other latents become latents of the whole
 * (Eq. 17): z = (z⁽¹⁾, …, z⁽ᴸ⁾).
 *
 * @module
 */
import * as E from 'fp-ts/lib/Either.js'
import { pipe } from 'fp-ts/lib/function.js'
import type { Shape, ShapeFn } from '../../types/shape.js'
import type { DiffeoError } from '../error.js'
import { add, zeroPerExample } from '../tensor/ops.js'
import { branch, type Params } from '../tensor/params.js'
import { latentList } from '../tensor/shape.js'
import type { AnyTensor, PerExample } from '../tensor/tensor.js'
import { fromRunsGiven } from './from-runs.js'
import type { AnyBijector, AnyConditional, Layer } from './layer.js'
import type { Run, Runs } from './runs.js'

const sum = (logDets: readonly PerExample[], like: AnyTensor): PerExample => {
  const [first, ...others] = logDets
  return first === undefined ? zeroPerExample(like) : others.reduce((a, b) => add(b)(a), first)
}

type Part = AnyBijector | AnyConditional

/** A bijector, its name in the tree of parameters and how many latents it leaves behind. */
interface Link {
  readonly part: Part
  readonly name: string
  readonly left: number
  readonly hasParams: boolean
}

/** The name of a bijector in the tree of parameters: unique, and in the order of the flow. */
export const linkName = (place: number, { name }: Part): string => `${place}.${name}`

const chainOf = (shape: Shape, parts: readonly Part[], given?: Shape): Part => {
  const links = parts.map(
    (part, i): Link => ({
      part,
      name: linkName(i, part),
      left: latentList(part.codomain).length - 1,
      hasParams: Object.keys(part.spec).length > 0,
    }),
  )
  const latents = parts.reduce<readonly Shape[]>(
    (z, { codomain }) => [...z.slice(0, -1), ...latentList(codomain)],
    [shape],
  )

  const through =
    (direction: Exclude<keyof Runs, 'inverse'>): Run =>
    (input) => {
      const left: AnyTensor[] = []
      const logDets: PerExample[] = []
      const next: Record<string, Params> = {}
      let flowing = input.values[0]!
      for (const { part, name, hasParams } of links) {
        const output = part.runs[direction]({ ...input, params: branch(input.params, name), values: [flowing] })
        left.push(...output.values.slice(0, -1))
        flowing = output.values.at(-1)!
        logDets.push(output.logDet)
        if (hasParams) next[name] = output.params
      }
      return { values: [...left, flowing], logDet: sum(logDets, flowing), params: next }
    }
  const back: Run = (input) => {
    const latent = [...input.values]
    const logDets: PerExample[] = []
    let flowing = latent.pop()!
    for (const { part, name, left } of links.toReversed()) {
      const values = [...latent.splice(latent.length - left), flowing]
      const output = part.runs.inverse({ ...input, params: branch(input.params, name), values })
      flowing = output.values[0]!
      logDets.push(output.logDet)
    }
    return { values: [flowing], logDet: sum(logDets, flowing), params: input.params }
  }

  const layers = parts.filter((part) => part.parts?.length !== 0)
  return fromRunsGiven(given, {
    name: 'compose',
    domain: shape,
    codomain: latents.length === 1 ? latents[0]! : latents,
    ...(layers[0] && { support: layers[0].support, range: layers.at(-1)!.range }),
    parts,
    spec: Object.fromEntries(links.flatMap(({ part, name, hasParams }) => (hasParams ? [[name, part.spec]] : []))),
    forward: through('forward'),
    inverse: back,
    train: through('train'),
    start: through('start'),
  })
}

/** Composes layers at a shape, with a context if there is one; returns the error of the first that does not fit. */
export const chainAt =
  (layers: readonly Layer<ShapeFn>[]) =>
  (shape: Shape, given?: Shape): E.Either<DiffeoError, Part> =>
    pipe(
      layers.reduce<E.Either<DiffeoError, { readonly flowing: Shape; readonly parts: readonly Part[] }>>(
        (state, next) =>
          pipe(
            state,
            E.chain(({ flowing, parts }) =>
              pipe(
                next.at(flowing, given),
                E.map((b) => ({ flowing: latentList(b.codomain).at(-1)!, parts: [...parts, b] })),
              ),
            ),
          ),
        E.right({ flowing: shape, parts: [] }),
      ),
      E.map(({ parts }) => chainOf(shape, parts, given)),
    )
