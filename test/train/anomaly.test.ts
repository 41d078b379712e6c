/** Thresholds, the area under the ROC curve and typicality, against counts by hand. */
import { anomalyThreshold, areaUnderRoc, typicality } from 'diffeo/train'
import fc from 'fast-check'
import { expect, it } from 'vitest'

it('has the asked share of held-out examples below the threshold', () => {
  const heldOut = Array.from({ length: 1000 }, (_, i) => Math.sin(i * 12.9898) * 43758.5453)
  for (const rate of [0.001, 0.01, 0.25]) {
    const threshold = anomalyThreshold(heldOut, rate)
    expect(heldOut.filter((score) => score < threshold)).toHaveLength(1000 * rate)
  }
})
it('is the share of pairs in the right order, ties counting half', () => {
  const scores = fc.array(fc.integer({ min: 0, max: 6 }), { minLength: 1, maxLength: 12 })
  fc.assert(
    fc.property(scores, scores, (normal, anomalies) => {
      const pairs = normal.flatMap((n): number[] => anomalies.map((a) => (a > n ? 1 : a === n ? 0.5 : 0)))
      expect(areaUnderRoc(normal, anomalies)).toBeCloseTo(pairs.reduce((a, b) => a + b) / pairs.length, 10)
    }),
  )
})
it('finds examples that are too likely', () => {
  const [usual, likely, rare] = typicality([-3, -2, -4, -3], [-3, 5, -11])
  expect(usual).toBe(0)
  expect(likely).toBeCloseTo(rare!, 5)
  expect(likely).toBeGreaterThan(5)
})
it.each([
  [() => anomalyThreshold([], 0.1), 'anomalyThreshold: expected at least one held-out log-likelihood, got none'],
  [() => anomalyThreshold([1], 0), 'anomalyThreshold: expected a rate between 0 and 1, got 0'],
  [() => areaUnderRoc([], [1]), 'areaUnderRoc: expected at least one normal score, got none'],
  [() => typicality([1], [1]), 'typicality: expected at least two held-out log-likelihoods, got 1'],
])('refuses what it cannot use', (f, sentence) => expect(f).toThrow(sentence))
