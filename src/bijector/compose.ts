/**
 * `compose(first, second, …)`: layers in the order in which data flows. Log-dets add up (Eq. 13), and the inverse runs
 * backwards (Eq. 14). Only the last latent of a layer flows on (Eq. 17): z = (z⁽¹⁾, …, z⁽ᴸ⁾).
 *
 * @module
 */
import * as E from 'fp-ts/lib/Either.js'
import type {
  At,
  Checked,
  Codomain,
  Composed,
  ContextOf,
  CountRefusal,
  Ends,
  FnOf,
  OnlyLayer,
  RepeatedFn,
} from '../../types/check.js'
import type { ShapeFn } from '../../types/shape.js'
import { orThrow, shapeError } from '../error.js'
import { layerIn } from './arguments.js'
import { chainAt } from './chain.js'
import { contextOf } from './from-runs.js'
import { type Given, type Layer, layer } from './layer.js'

/**
 * Composes layers in the order in which data flows. If the first layer has a shape (`input([32, 32, 3])`, or any
 * bijector), the result is a bijector; otherwise it is a reusable block. The compiler reports the first layer that does
 * not fit, at its argument. If the first layer has a context (`input([2], { given: [10] })`), every coupling sees it and
 * the result is conditional.
 *
 * @example
 * const b = compose(input([32, 32, 3]), squeeze, factorOut) // Bijector<[32, 32, 3], [[16, 16, 6], [16, 16, 6]]>
 * @throws DiffeoException if a size known only at run time does not fit; `layer.at(shape)` returns an `Either`
 */
export const compose = <const Ls extends readonly unknown[]>(
  ...layers: { [K in keyof Ls]: At<Checked<Ls>, K> & Ls[K] }
): Ls extends readonly [Ends<infer A, infer B>, ...infer R]
  ? Given<A, ContextOf<Ls>, Codomain<Ls, B, R>>
  : Layer<Composed<Ls>> => {
  const all = layers.map(layerIn('compose'))
  const [first] = all
  const at = chainAt(all)
  const composed =
    first !== undefined && 'domain' in first
      ? orThrow(at(first.domain, contextOf(first)))
      : layer<ShapeFn>('compose', at)
  // the result type is conditional on `Ls`; the compiler resolves it only where `compose` is called
  return composed as never
}

/**
 * Composes a layer with itself `n` times, each time with separate parameters: `repeat(3, f)` is `compose(f, f, f)`.
 *
 * Laws: `repeat(1, f) = compose(f)`, `repeat(n + m, f) = compose(repeat(n, f), repeat(m, f))`.
 *
 * @example
 * const step = compose(actNorm, coupling(checkerboard(), resnet()))
 * compose(input([32, 32, 3]), repeat(32, step), squeeze) // Bijector<[32, 32, 3], [16, 16, 12]>
 * @throws DiffeoException, where it is put at a shape, if `n` is not a whole number of at least 1
 */
export const repeat = <const N extends number, L>(
  n: CountRefusal<N> & N,
  of: OnlyLayer<L, 'repeat'> & L,
): Layer<RepeatedFn<N, FnOf<L>>> => {
  const repeated = layerIn('repeat')(of)
  return layer('repeat', (shape, given) =>
    Number.isSafeInteger(n) && n > 0
      ? chainAt(Array.from({ length: n }, () => repeated))(shape, given)
      : E.left(shapeError('repeat', 'a whole number of at least 1', `${n}`)),
  )
}
