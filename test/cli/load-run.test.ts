import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as tf from '@tensorflow/tfjs-core'
import { key, loadRun } from 'diffeo'
import { expect, it } from 'vitest'
import { diffeo } from './support.js'

it('loads the model of a run of the command, and keeps memory flat', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'diffeo-load-run-'))
  const flags = ['--steps', '20', '--hidden', '8', '--couplings', '2', '--no-report', '--out', 'run']
  expect((await diffeo(folder, 'train', 'moons', ...flags)).code).toBe(0)
  const before = tf.memory().numTensors
  const model = await loadRun(join(folder, 'run'))
  expect(model.state.step).toBe(20)
  const { shape, data } = await model.sample(100, { key: key(0) })
  expect(shape).toEqual([100, 2])
  const logProb = await model.logProb(data)
  expect(logProb.every(Number.isFinite)).toBe(true)
  const { out } = await diffeo(folder, 'evaluate', 'run', '--json')
  expect(out).toContain('"step":20')
  await model.dispose()
  expect(tf.memory().numTensors).toBe(before)
})

it('refuses a folder without a run', async () => {
  await expect(loadRun('/nonexistent')).rejects.toThrow(
    'loadRun: expected a folder with a run, got "/nonexistent"; train one: npx diffeo train mnist --out runs/mnist',
  )
  await expect(loadRun(undefined as never)).rejects.toThrow('loadRun: expected a folder with a run, got undefined')
})
