// Forty layers in one call: the most expensive case for the check of each argument.
import { actNorm as a, compose, flip as f, input, squeeze as s } from 'diffeo'

export const flat = compose(
  input([128, 128, 3]),
  ...([a, f, a, f, a, f, a, f, s, a, f, a, f, a, f, a, f, s, a, f] as const),
  ...([a, f, a, f, a, f, a, f, s, a, f, a, f, a, f, a, f, s, a, f] as const),
)
export const z: readonly [8, 8, 768] = flat.codomain
