import * as tf from '@tensorflow/tfjs-core'
import { ready } from 'diffeo/engine'
import { afterEach, beforeAll, expect, it, vi } from 'vitest'
import { passes as onnxruntime } from '../../src/backends/onnxruntime/pipeline.js'
import { passes as tensorflow } from '../../src/backends/tensorflow/pipeline.js'
import { runPasses } from '../../src/compiler/pipeline.js'
import { trace } from '../../src/compiler/trace.js'

beforeAll(async () => {
  await ready('cpu')
})
afterEach(() => {
  vi.unstubAllEnvs()
  vi.restoreAllMocks()
})

const float = (...shape: number[]) => ({ shape, dtype: 'float32' as const })
/** A dense layer, and a call that nothing reads. */
const program = () =>
  trace(
    ([x, w, b]) => {
      tf.exp(x!)
      return [tf.relu(tf.add(tf.matMul(x!, w!), b!))]
    },
    [float(4, 3), float(3, 2), float(2)],
  )

it.each([
  ['onnxruntime', onnxruntime({ portable: false }), 'dense: 3 → 1 calls', 'Dense(%0, %1, %2)'],
  ['tensorflow', tensorflow, 'fusions: 3 → 3 calls', 'BiasAdd('],
])('DIFFEO_DEBUG=passes prints what each pass of %s does', (name, passes, changed, call) => {
  const printed = vi.spyOn(console, 'error').mockImplementation(() => {})
  vi.stubEnv('DIFFEO_DEBUG', 'passes')
  runPasses(name, passes, program())
  const lines = printed.mock.calls.map(([line]) => String(line))
  expect(lines.filter((_, i) => i % 2 === 0).map((line) => line.split(': ')[1])).toEqual(passes.map(([pass]) => pass))
  expect(lines[0]).toMatch(new RegExp(`^${name}: simplify: 4 → 3 calls, \\d+\\.\\d ms$`))
  const at = lines.findIndex((line) => line.startsWith(`${name}: ${changed}, `))
  expect(lines[at + 1]).toContain(call)
})
it('prints nothing otherwise', () => {
  const printed = vi.spyOn(console, 'error')
  for (const value of ['', 'other']) {
    vi.stubEnv('DIFFEO_DEBUG', value)
    runPasses('tensorflow', tensorflow, program())
  }
  expect(printed).not.toHaveBeenCalled()
})
