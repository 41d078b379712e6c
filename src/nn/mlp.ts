/**
 * Dense nets over vectors: x ↦ W₂·a(… a(W₁·x + b₁) …) + b₂. The last layer starts at zero, so that a coupling starts
 * as the identity.
 *
 * @module
 */
import * as E from 'fp-ts/lib/Either.js'
import { pipe } from 'fp-ts/lib/function.js'
import { shapeError } from '../error.js'
import { bias, matmul, relu, tanh, tidy } from '../tensor/ops.js'
import { counts, oneOf, wrongOption } from '../tensor/options.js'
import { constant, type ParamsOf } from '../tensor/params.js'
import { show } from '../tensor/shape.js'
import type { Tensor } from '../tensor/tensor.js'
import { module } from './module.js'
import type { Net } from './net.js'
import { heStart } from './start.js'

/**
 * A dense layer's parameters: He start, or zero. The last `context` of its inputs start without influence.
 *
 * @example countParams(denseSpec(2, 3)) // 9
 */
export const denseSpec = <I extends number, O extends number>(from: I, to: O, zero = false, context = 0) => ({
  kernel: zero ? constant([from, to], 0) : heStart([from, to], context),
  bias: constant([to], 0),
})

/**
 * […, I] → […, O]: x·W + b
 *
 * @example
 * dense<2, 1>({ kernel: tensor([2, 1], [1, 10]), bias: tensor([1], [5]) })(x) // Tensor<['N', 1]>
 */
export const dense =
  <I extends number, O extends number>(p: ParamsOf<ReturnType<typeof denseSpec<I, O>>>) =>
  (x: Tensor<readonly ['N', I]>): Tensor<readonly ['N', O]> =>
    tidy(() => pipe(x, matmul(p.kernel), bias(p.bias)))

export interface MlpOptions {
  /** Widths of the hidden layers. Default: [64, 64] */
  readonly hidden?: readonly number[]
  readonly activation?: 'relu' | 'tanh'
}

/**
 * A net over vectors.
 *
 * @example
 * coupling(halves(), mlp({ hidden: [64, 64] }))
 */
export const mlp = ({ hidden = [64, 64], activation = 'relu' }: MlpOptions = {}): Net<'vector'> => ({
  kind: 'vector',
  name: `mlp(${hidden})`,
  at: (from, to, context = 0) => {
    const wrong = wrongOption('mlp', [
      counts('hidden widths', hidden),
      oneOf('activation', activation, ['relu', 'tanh']),
    ])
    if (wrong !== undefined) return E.left(wrong)
    if (from.length !== 1) return E.left(shapeError('mlp', 'a vector', show(from)))
    if (to.length !== 1) return E.left(shapeError('mlp', 'a vector as output', show(to)))
    const widths = [from[0]!, ...hidden, to[0]!]
    const last = hidden.length
    const spec = Object.fromEntries(
      widths.slice(1).map((width, i) => [`dense${i}`, denseSpec(widths[i]!, width, i === last, i === 0 ? context : 0)]),
    )
    const act = activation === 'relu' ? relu : tanh
    return E.right(
      module('mlp', spec, (params, x) =>
        tidy(() => {
          const p = params as ParamsOf<typeof spec>
          const y = widths.slice(1).reduce<Tensor<readonly ['N', number]>>((h, _, i) => {
            const next = dense(p[`dense${i}`]!)(h)
            return i === last ? next : act(next)
          }, x)
          return [y, params]
        }),
      ),
    )
  },
})
