/** `npm run test:realms`: in a realm of its own, as jest and vitest's `vmThreads` run tests. */
import { expect, it } from 'vitest'
import { train } from './program.mjs'

it.each(['onnxruntime', 'wasm', 'cpu'])('trains on %s', async (engine) => {
  const { name, nats, points } = await train(engine)
  expect(name).toBe(engine)
  expect(nats).toBeCloseTo(1.8354, 3)
  expect(points).toHaveLength(6)
})
