/**
 * Coupling layers (Dinh et al. 2014, 2016): the kept part conditions how the other part changes, so the Jacobian is
 * triangular (Eq. 10) and both directions cost one pass of the net.
 *
 * @module
 */
import * as E from 'fp-ts/lib/Either.js'
import { pipe } from 'fp-ts/lib/function.js'
import type { Shape, ShapeError, ShapeFn } from '../../types/shape.js'
import type { Net } from '../nn/net.js'
import { add, exp, mul, neg, scale, slice, sub, sumEvent, tanh, zeroPerExample } from '../tensor/ops.js'
import { constant, type Params } from '../tensor/params.js'
import type { Tensor } from '../tensor/tensor.js'
import { bijector, type Layer, layer } from './layer.js'
import type { Mask, Value } from './mask.js'

/** Nothing if the net is over what the mask is over, else a sentence. */
type Serves<K, N> = K extends N
  ? unknown
  : ShapeError<`coupling: expected a net over ${K & string}s for this mask, got one over ${N & string}s`>

const doubled = (shape: Shape, times: number): Shape => [...shape.slice(0, -1), shape.at(-1)! * times]

/**
 * Affine coupling (Eqs. 8–12), with s = scale · tanh(·) bounded by a learned scale per channel.
 *
 * - Forward: y = b⊙x + (1−b)⊙(x⊙exp(s(b⊙x)) + t(b⊙x))
 * - Forward log-det: Σ (1−b)⊙s(b⊙x)
 * - Inverse: x = b⊙y + (1−b)⊙(y − t(b⊙y))⊙exp(−s(b⊙y))
 * - Inverse log-det: −Σ (1−b)⊙s(b⊙y)
 *
 * @example
 * compose(input([2]), coupling(halves(), mlp()), coupling(halves('second'), mlp()))
 */
export const coupling = <F extends ShapeFn, K extends 'image' | 'vector', N extends 'image' | 'vector'>(
  mask: Mask<F, K>,
  net: Net<N> & Serves<K, N>,
): Layer<F> =>
  layer<F>('coupling', (shape) =>
    pipe(
      mask.at(shape),
      E.bindTo('split'),
      E.bind('module', ({ split }) => net.at(split.kept, doubled(split.changed, 2))),
      E.map(({ split, module }) => {
        const c = split.changed.at(-1)!
        const spec = { net: module.spec, scale: constant([c], 1, 'scale') }
        const conditioner = (
          params: { readonly net: Params; readonly scale: Tensor<readonly [number]> },
          kept: Value,
          train: boolean,
        ) => {
          const [out, next] = module.run(params.net, kept, train)
          const s = pipe(slice(0, c)(out), tanh, scale(params.scale), split.project)
          const t = split.project(slice(c, c)(out))
          return [s, t, next] as const
        }
        const forward = (params: never, x: Value, train: boolean) => {
          const [kept, changed] = split.split(x)
          const [s, t, next] = conditioner(params, kept, train)
          const y = split.merge(kept, pipe(changed, mul(exp(s)), add(t)))
          return [y, sumEvent(s), { ...(params as Params), net: next }] as const
        }
        return bijector({
          name: 'coupling',
          domain: shape,
          codomain: shape,
          spec,
          forward: (params, x) => {
            const [y, logDet] = forward(params as never, x as Value, false)
            return [y as never, logDet]
          },
          train: (params, x) => forward(params as never, x as Value, true) as never,
          inverse: (params, y) => {
            const [kept, changed] = split.split(y as Value)
            const [s, t] = conditioner(params as never, kept, false)
            const x = split.merge(kept, pipe(changed, sub(t), mul(exp(neg(s)))))
            return [x as never, neg(sumEvent(s))]
          },
        })
      }),
    ),
  )

/**
 * Additive coupling (NICE, Dinh et al. 2014): affine coupling with s = 0, so it keeps volume.
 *
 * - Forward: y = b⊙x + (1−b)⊙(x + t(b⊙x))
 * - Forward log-det: 0
 * - Inverse: x = b⊙y + (1−b)⊙(y − t(b⊙y))
 * - Inverse log-det: 0
 */
export const additiveCoupling = <F extends ShapeFn, K extends 'image' | 'vector', N extends 'image' | 'vector'>(
  mask: Mask<F, K>,
  net: Net<N> & Serves<K, N>,
): Layer<F> =>
  layer<F>('additiveCoupling', (shape) =>
    pipe(
      mask.at(shape),
      E.bindTo('split'),
      E.bind('module', ({ split }) => net.at(split.kept, split.changed)),
      E.map(({ split, module }) => {
        const move = (params: Params, x: Value, sign: 1 | -1, train: boolean) => {
          const [kept, changed] = split.split(x)
          const [out, next] = module.run(params, kept, train)
          const t = split.project(out)
          return [split.merge(kept, (sign === 1 ? add(t) : sub(t))(changed)), zeroPerExample(x), next] as const
        }
        return bijector({
          name: 'additiveCoupling',
          domain: shape,
          codomain: shape,
          spec: module.spec,
          forward: (params, x) => move(params as Params, x as Value, 1, false).slice(0, 2) as never,
          train: (params, x) => move(params as Params, x as Value, 1, true) as never,
          inverse: (params, y) => move(params as Params, y as Value, -1, false).slice(0, 2) as never,
        })
      }),
    ),
  )
