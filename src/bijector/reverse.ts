/**
 * `reverse(f)`: a bijector or a layer with its two directions exchanged.
 *
 * @module
 */
import * as E from 'fp-ts/lib/Either.js'
import { pipe } from 'fp-ts/lib/function.js'
import type { HasShapeFn, Reversible, Told } from '../../types/check.js'
import type { Shape, ShapeFn } from '../../types/shape.js'
import { type DiffeoError, orThrow, shapeError, usageError } from '../error.js'
import { leaves, type Param } from '../tensor/params.js'
import { isShape, showLatents } from '../tensor/shape.js'
import { layerIn } from './arguments.js'
import { contextOf, fromRunsGiven } from './from-runs.js'
import { type AnyBijector, type AnyConditional, type Bijector, type Conditional, type Layer, layer } from './layer.js'

const learnsFromData = (b: AnyBijector | AnyConditional): boolean =>
  leaves<Param>(b.spec).some(([, { role }]) => role === 'statistic')

const reversed = (b: AnyBijector | AnyConditional): E.Either<DiffeoError, AnyBijector | AnyConditional> =>
  !isShape(b.codomain)
    ? E.left(shapeError('reverse', 'one latent', showLatents(b.codomain)))
    : learnsFromData(b)
      ? E.left(
          usageError(
            'reverse',
            'a bijector without statistics of the data',
            b.name,
            'reverse it with its parameters bound: Diffeo.reverse(b.bind(params))',
          ),
        )
      : E.right(
          fromRunsGiven(contextOf(b), {
            name: `reverse(${b.name})`,
            domain: b.codomain,
            codomain: b.domain,
            support: b.range,
            range: b.support,
            spec: b.spec,
            forward: b.runs.inverse,
            inverse: b.runs.forward,
          }),
        )

/**
 * Exchanges the two directions: `reverse(normalCdf())` turns uniforms into normals. It takes a bijector with one latent,
 * or a layer that keeps the shape. ActNorm and batch norm have no reverse, as layers or inside a net: their statistics
 * normalise the output of `forward`, and a reversed layer would push it further away at each step.
 *
 * @throws DiffeoException for a bijector with such statistics; `layer.at(shape)` returns an `Either`
 * @example atShape([1], reverse(normalCdf())) // Bijector<[1], [1]>
 */
export const reverse = <L>(of: Told<Reversible<L>> & L): Reversed<L> => {
  const l = layerIn('reverse')(of)
  const back =
    'domain' in l
      ? orThrow(reversed(l))
      : layer<ShapeFn>(`reverse(${l.name})`, (shape, given) => pipe(l.at(shape, given), E.chain(reversed)))
  return back as HasShapeFn as Reversed<L>
}

/** A bijector with its shapes exchanged, a layer that keeps the shape as it is. */
export type Reversed<L> =
  L extends Bijector<infer A, infer B>
    ? Bijector<B extends Shape ? B : Shape, A>
    : L extends Conditional<infer A, infer C, infer B>
      ? Conditional<B extends Shape ? B : Shape, C, A>
      : L extends Layer<infer F>
        ? Layer<F>
        : never
