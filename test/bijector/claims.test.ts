/** A bijector of a user whose output does not have the shape that it claims is refused, in both directions. */
import { bijector, flow, key, standardNormal } from 'diffeo'
import * as T from 'diffeo/tensor'
import { describe, expect, it } from 'vitest'
import '../support.js'

describe('a bijector whose output has another shape than it claims', () => {
  const wrong = bijector({
    name: 'narrow',
    domain: [2],
    codomain: [2],
    spec: {},
    // the compiler cannot see it: `trust` claims the shape
    forward: (_, x) => [T.trust(T.unwrap(T.slice(0, 1)(x))), T.zeroPerExample(x)],
    inverse: (_, z) => [T.trust(T.unwrap(T.slice(0, 1)(z))), T.zeroPerExample(z)],
  })
  const x = T.batch([2], [1, 2, 3, 4])
  it.each([
    ['forward', () => wrong.bind({}).forward(x), 'narrow: expected 2×2 from its forward, got 2×1'],
    ['inverse', () => wrong.bind({}).inverse(x), 'narrow: expected 2×2 from its inverse, got 2×1'],
    ['logProb', () => flow(wrong, standardNormal).logProb({})(x), 'narrow: expected 2×2 from its forward, got 2×1'],
    [
      'sample',
      () => flow(wrong, standardNormal).sample({})(key(0), 2),
      'narrow: expected 2×2 from its inverse, got 2×1',
    ],
  ] as const)('is refused by %s', (_, call, sentence) => {
    expect(call).toThrow(sentence)
  })
})
