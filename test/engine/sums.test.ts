/** Log-dets are sums over every dimension: each engine must hold 1e-5 of them in float32. */
import * as tf from '@tensorflow/tfjs-core'
import { type AnyTensor, jit, ready, T, unwrap } from 'diffeo'
import { describe, expect, it } from 'vitest'
import { trust } from '../../src/tensor/tensor.js'

// all of one sign, where what rounding drops adds up; and large beside small
const terms: Readonly<Record<string, (i: number) => number>> = {
  equal: () => 0.1,
  'of one sign': (i) => 1 + Math.abs(Math.sin(i)),
  'large first': (i) => (i < 12 ? 1e4 : 0.37),
}
describe.each(['cpu', 'wasm', 'onnxruntime'] as const)('a sum over 12,288 dimensions on %s', (engine) => {
  it.each(Object.entries(terms))('is right to 1e-5, %s', async (_, term) => {
    await ready(engine)
    const data = Float32Array.from({ length: 12_288 }, (_, i) => term(i))
    const exact = data.reduce((s, v) => s + v, 0)
    const compiled = jit((v: AnyTensor) => T.sumEvent(v))
    for (const shape of [[64, 64, 3], [12_288]]) {
      const x = tf.tensor(data, [1, ...shape])
      const answers = [T.sumEvent(trust(x)), await compiled(trust(x))].map(unwrap)
      for (const sum of answers) expect(Math.abs((await sum.data())[0]! / exact - 1)).toBeLessThan(1e-5)
      for (const t of [x, ...answers]) t.dispose()
    }
    await compiled.dispose()
  })
})
