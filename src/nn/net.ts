/**
 * A net: a family of conditioners, one for each pair of input and output shape. It does not depend on flows; a coupling
 * requests the width it needs. Convolutions are same-padded with stride 1, so height and width stay.
 *
 * @module
 */
import type * as E from 'fp-ts/lib/Either.js'
import type { Shape } from '../../types/shape.js'
import type { DiffeoError } from '../error.js'
import type { Params, Spec } from '../tensor/params.js'
import type { AnyTensor } from '../tensor/tensor.js'

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
