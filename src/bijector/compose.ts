/**
 * `compose(first, second, …)`: layers in the order in which data flows. Log-dets add up (Eq. 13), the inverse runs
 * backwards (Eq. 14). A layer that answers several latents leaves all but the last behind (Eq. 17):
 * z = (z⁽¹⁾, …, z⁽ᴸ⁾).
 *
 * @module
 */
import * as E from 'fp-ts/lib/Either.js'
import { pipe } from 'fp-ts/lib/function.js'
import type { At, Composed, CountRefusal, OnlyLayer, RepeatedFn, Result, Start } from '../../types/check.js'
import type { Latents, Shape, ShapeFn } from '../../types/shape.js'
import { type DiffeoError, orThrow, shapeError } from '../error.js'
import { add, zeroPerExample } from '../tensor/ops.js'
import { branch, type Params } from '../tensor/params.js'
import { latentList } from '../tensor/shape.js'
import { type AnyTensor, latentTensors, type PerExample } from '../tensor/tensor.js'
import { type AnyBijector, type Bijector, bijector, type Layer, layer, type Trained } from './layer.js'

const one = (values: readonly AnyTensor[]): unknown => (values.length === 1 ? values[0] : values)
const sumAll = (logDets: readonly PerExample[], like: AnyTensor): PerExample => {
  const [first, ...rest] = logDets
  return first === undefined ? zeroPerExample(like) : rest.reduce((a, b) => add(b)(a), first)
}

/** `3.coupling`: unique, and in the order of the flow */
const nameOf = (part: AnyBijector, place: number): string => `${place}.${part.name}`

const chain = (shape: Shape, parts: readonly AnyBijector[]): AnyBijector => {
  const latents = parts.reduce<readonly Shape[]>(
    (z, part) => [...z.slice(0, -1), ...latentList(part.codomain as Latents)],
    [shape],
  )
  const codomain = latents.length === 1 ? latents[0]! : latents
  const isEmpty = (part: AnyBijector): boolean => part.parts?.length === 0
  const [first, last] = [parts.find((part) => !isEmpty(part)), parts.findLast((part) => !isEmpty(part))]
  const own = (params: unknown, i: number) => branch(params as Params, nameOf(parts[i]!, i))
  const run = (
    x: unknown,
    step: (part: AnyBijector, place: number, h: never) => Trained<unknown>,
  ): Trained<unknown> => {
    const left: AnyTensor[] = []
    const logDets: PerExample[] = []
    const params: Record<string, Params> = {}
    let flowing = x as AnyTensor
    parts.forEach((part, i) => {
      const [z, logDet, next] = step(part, i, flowing as never)
      const out = latentTensors(z)
      left.push(...out.slice(0, -1))
      flowing = out.at(-1)!
      logDets.push(logDet)
      if (Object.keys(part.spec).length > 0) params[nameOf(part, i)] = next
    })
    return [one([...left, flowing]), sumAll(logDets, flowing), params]
  }
  return bijector({
    name: 'compose',
    domain: shape,
    codomain,
    ...(first && { support: first.support }),
    ...(last && { range: last.range }),
    parts,
    spec: Object.fromEntries(
      parts.flatMap((part, i) => (Object.keys(part.spec).length > 0 ? [[nameOf(part, i), part.spec]] : [])),
    ),
    forward: (params, x) => {
      const [z, logDet] = run(x, (part, i, h) => [...part.bind(own(params, i)).forward(h), {}])
      return [z as never, logDet]
    },
    train: (params, x) => run(x, (part, i, h) => part.train(own(params, i))(h)) as Trained<never>,
    start: (params, x) => run(x, (part, i, h) => part.start(own(params, i))(h)) as Trained<never>,
    inverse: (params, z) => {
      const latent = [...latentTensors(z)]
      const logDets: PerExample[] = []
      let flowing = latent.pop()!
      for (let i = parts.length - 1; i >= 0; i--) {
        const part = parts[i]!
        const extra = latentList(part.codomain as Latents).length - 1
        const behind = extra > 0 ? latent.splice(-extra) : []
        const [x, logDet] = part.bind(own(params, i)).inverse(one([...behind, flowing]) as never)
        flowing = x as AnyTensor
        logDets.push(logDet)
      }
      return [flowing as never, sumAll(logDets, flowing)]
    },
  })
}

const partsAt =
  (layers: readonly Layer<ShapeFn>[]) =>
  (shape: Shape): E.Either<DiffeoError, AnyBijector> =>
    pipe(
      layers.reduce<E.Either<DiffeoError, { readonly flowing: Shape; readonly parts: readonly AnyBijector[] }>>(
        (state, next) =>
          pipe(
            state,
            E.chain(({ flowing, parts }) =>
              pipe(
                next.at(flowing),
                E.map((b) => ({ flowing: latentList(b.codomain as Latents).at(-1)!, parts: [...parts, b] })),
              ),
            ),
          ),
        E.right({ flowing: shape, parts: [] }),
      ),
      E.map(({ parts }) => chain(shape, parts)),
    )

/**
 * Layers in the order in which data flows. If the first has a shape (`input([32, 32, 3])`, or any bijector), so has
 * the result; else it is a reusable block. The compiler puts a sentence at the first layer that does not fit.
 *
 * @example
 * const b = compose(input([32, 32, 3]), squeeze, factorOut) // Bijector<[32, 32, 3], [[16, 16, 6], [16, 16, 6]]>
 * @throws DiffeoException if a size known only at run time does not fit; `layer.at(shape)` answers an `Either`
 */
export const compose = <const Ls extends readonly unknown[]>(
  ...layers: {
    [K in keyof Ls]: Start<Ls> extends infer S extends Shape ? At<Ls, S, K> & Ls[K] : OnlyLayer<Ls[K]> & Ls[K]
  }
): Start<Ls> extends infer S extends Shape
  ? Bijector<S, Result<Ls, S> extends infer B extends Latents ? B : never>
  : Layer<Composed<Ls>> => {
  const all = layers as unknown as readonly Layer<ShapeFn>[]
  const [first] = all
  const at = partsAt(all)
  const composed =
    first !== undefined && 'domain' in first
      ? orThrow(at((first as unknown as AnyBijector).domain as Shape))
      : layer<ShapeFn>('compose', at)
  return composed as never
}

/**
 * A layer `n` times, each time with parameters of its own: `repeat(3, f)` is `compose(f, f, f)`.
 *
 * Laws: `repeat(1, f) = compose(f)`, `repeat(n + m, f) = compose(repeat(n, f), repeat(m, f))`.
 *
 * @example
 * const step = compose(actNorm, coupling(checkerboard(), net))
 * compose(input([32, 32, 3]), repeat(32, step), squeeze) // Bijector<[32, 32, 3], [16, 16, 12]>
 */
export const repeat = <const N extends number, F extends ShapeFn>(
  n: N & CountRefusal<N>,
  of: Layer<F>,
): Layer<RepeatedFn<N, F>> =>
  layer('repeat', (shape) =>
    Number.isSafeInteger(n) && n > 0
      ? partsAt(Array.from({ length: n }, () => of as Layer<ShapeFn>))(shape)
      : E.left(shapeError('repeat', 'a whole number of at least 1', `${n}`)),
  )
