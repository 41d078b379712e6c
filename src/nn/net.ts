/**
 * A net: a family of conditioners, one for each pair of input and output shape. It does not depend on flows; a coupling
 * requests the width it needs. Convolutions are same-padded with stride 1, so height and width stay.
 *
 * @module
 */
import * as E from 'fp-ts/lib/Either.js'
import { pipe } from 'fp-ts/lib/function.js'
import type { Batch, Shape } from '../../types/shape.js'
import { asError, type DiffeoError, shapeError } from '../error.js'
import { checkParams } from '../tensor/check-params.js'
import { tidy } from '../tensor/ops.js'
import type { Params, ParamsOf, Spec } from '../tensor/params.js'
import { show } from '../tensor/shape.js'
import { type AnyTensor, sizes, standing, type Tensor } from '../tensor/tensor.js'

/** A batch of whatever event shape. */
type Value = AnyTensor

/** A net at its shapes. With `train`, it uses batch statistics and returns their next running values. */
export interface Module {
  readonly spec: Spec
  readonly run: (params: Params, x: Value, train: boolean) => readonly [y: Value, params: Params]
}

/** A family of nets over images or over vectors. */
export interface Net<K extends 'image' | 'vector'> {
  readonly kind: K
  readonly name: string
  /**
   * The net from one event shape to another, or why there is none. In a conditional flow, the last `context` channels that
   * it reads are the context: a net should start without them, as the flow then starts as one without a context.
   */
  readonly at: (from: Shape, to: Shape, context?: number) => E.Either<DiffeoError, Module>
}

/** The event shape of a kind of net. */
export type EventOf<K extends 'image' | 'vector'> = K extends 'vector'
  ? readonly [size: number]
  : readonly [height: number, width: number, channels: number]

/** What a net of your own is made from. */
export interface NetDefinition<K extends 'image' | 'vector', S extends Spec> {
  readonly name: string
  readonly kind: K
  /** The parameters of the net from one event shape to another. Of what it reads, the last `context` channels are the context. */
  readonly spec: (from: EventOf<K>, to: EventOf<K>, context: number) => S
  readonly run: (params: ParamsOf<S>, x: Tensor<Batch<EventOf<K>>>) => Tensor<Batch<EventOf<K>>>
  /** Only for a net with statistics: `run` with those of the batch; returns the parameters with their next ones. */
  readonly train?: (
    params: ParamsOf<S>,
    x: Tensor<Batch<EventOf<K>>>,
  ) => readonly [y: Tensor<Batch<EventOf<K>>>, params: ParamsOf<S>]
}

const KINDS = { vector: ['a vector', 1], image: ['height×width×channels', 3] } as const

/**
 * A net of your own. Its parameters have the types of its spec, and its intermediate tensors are freed. To refuse a shape,
 * throw a `DiffeoException` in `spec`.
 *
 * @example
 * const linear = net({
 *   name: 'linear', kind: 'vector',
 *   spec: ([from], [to]) => ({ kernel: constant([from, to], 0), bias: constant([to], 0) }),
 *   run: ({ kernel, bias }, x) => T.bias(bias)(T.matmul(kernel)(x)),
 * })
 * const layer = coupling(halves(), linear)
 * @throws DiffeoException, from the net, for parameters that do not fit, and if `run` returns another shape than `to`
 */
export const net = <K extends 'image' | 'vector', S extends Spec>(d: NetDefinition<K, S>): Net<K> => {
  const [expected, rank] = KINDS[d.kind]
  const event = (shape: Shape, what = ''): E.Either<DiffeoError, EventOf<K>> =>
    shape.length === rank
      ? E.right(shape as Shape as EventOf<K>) // the rank of `K`
      : E.left(shapeError(d.name, `${expected}${what}`, show(shape)))
  const { run, train = (params, x) => [run(params, x), params] as const } = d
  return {
    name: d.name,
    kind: d.kind,
    at: (from, to, context = 0) =>
      pipe(
        event(from),
        E.chain((shape) =>
          pipe(
            event(to, ' as output'),
            E.chain((result) => E.tryCatch(() => d.spec(shape, result, context), asError)),
          ),
        ),
        E.map((spec) => ({
          spec,
          run: (params, x, training) => {
            checkParams(d.name, spec, params)
            return tidy(() => {
              const own = params as ParamsOf<S> // checked above
              const [y, next] = training ? train(own, x) : [run(own, x), params]
              standing(d.name, [sizes(x)[0]!, ...to], y)
              return [y, next as Params]
            })
          },
        })),
      ),
  }
}
