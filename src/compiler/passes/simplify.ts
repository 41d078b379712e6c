/**
 * Simplification: algebra, pieces that are put together again, and constants, at every call; equal calls become one.
 *
 * @module
 */
import type { Program } from '../program.js'
import { type Rule, rewrite } from '../rewrite.js'
import {
  centredSum,
  early,
  even,
  hoisted,
  identity,
  lazy,
  mergedReshapes,
  mergedTransposes,
  negatedSum,
  negatedTwice,
  neutral,
  reassociated,
  shared,
  single,
} from './algebra.js'
import { filled, folded, narrow, spread, vanishing } from './constants.js'
import { abutting, cut, parted, reunited } from './slices.js'

/** In the order in which they are tried. */
const rules: readonly Rule[] = [
  identity,
  neutral,
  mergedReshapes,
  mergedTransposes,
  negatedTwice,
  even,
  cut,
  parted,
  single,
  reassociated,
  shared,
  reunited,
  abutting,
  vanishing,
  spread,
  narrow,
  negatedSum,
  hoisted,
  centredSum,
  lazy,
  early,
  filled,
  folded,
]

/** Simplifies until nothing changes any more, a few times at most. */
export const simplify = (program: Program, rounds = 4): Program => {
  const next = rewrite(program, rules, { merge: true })
  return rounds <= 1 || next.calls.length === program.calls.length ? next : simplify(next, rounds - 1)
}
