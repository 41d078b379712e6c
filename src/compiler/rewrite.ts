/**
 * A program while it is simplified, and what rules ask of it: see `passes.ts`.
 *
 * @module
 */
import type * as tf from '@tensorflow/tfjs-core'
import type { Call, Elements, ValueInfo } from './program.js'

/** The program as it is rebuilt. */
export interface Walk {
  readonly values: ValueInfo[]
  readonly constants: Map<number, Elements>
  /** The call that makes a value. */
  readonly makers: Map<number, Call>
  /** A call's result, if it was made already. */
  readonly find: (kernel: string, inputs: readonly number[]) => number | undefined
  readonly add: (kernel: string, inputs: readonly number[], attrs: tf.NamedAttrMap, info: ValueInfo) => number
}

/** What a call may become: another value, one for each of its outputs, or nothing new. */
export type Rule = (walk: Walk, call: Call) => number | readonly number[] | undefined

export const same = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((n, i) => n === b[i])

export const shapeOf = (walk: Walk, v: number): readonly number[] => walk.values[v]!.shape

/** The number that all elements of a value are known to be. */
export const uniform = ({ constants, makers }: Walk, v: number): number | undefined => {
  const data = constants.get(v)
  if (data !== undefined) return data.length > 0 && data.every((d) => d === data[0]) ? data[0] : undefined
  const maker = makers.get(v)
  return maker?.kernel === 'Fill' ? (maker.attrs['value'] as number) : undefined
}

/** A value of one number throughout. */
export const fill = (walk: Walk, { shape, dtype }: ValueInfo, value: number): number =>
  walk.add('Fill', [], { shape: [...shape], value, dtype }, { shape, dtype })
