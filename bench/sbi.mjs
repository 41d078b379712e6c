/**
 * Simulation-based inference: neural posterior estimation on two tasks of sbibm, beside zuko at the same simulations,
 * architecture, batch and steps. The figure is the accuracy of a classifier that tells samples of the estimate from samples
 * of the reference posterior: 0.5 is perfect, 1 is useless.
 *
 *     npm run build && node bench/sbi.mjs [--steps 5000] [--simulations 10000] [--peers none]
 *
 * Needs `bench/peers/.venv` (`bash bench/peers/setup.sh`) with `pip install zuko scikit-learn` and, for its data alone,
 * `pip install --no-deps sbibm`.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { countParams } from '../dist/src/entry/tensor.js'
import { density, key, nsf, standardNormal, train } from '../dist/src/index.js'

const { values } = parseArgs({
  options: {
    steps: { type: 'string', default: '5000' },
    simulations: { type: 'string', default: '10000' },
    tasks: { type: 'string', default: 'two_moons,slcp' },
    peers: { type: 'string', default: 'zuko' },
  },
})
const peers = (/** @type {string} */ name) => fileURLToPath(new URL(`peers/${name}`, import.meta.url))
const python = (/** @type {string[]} */ ...args) => {
  const { status, stdout, stderr } = spawnSync(peers('.venv/bin/python'), [peers('sbi.py'), ...args], {
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(stderr)
  return JSON.parse(stdout)
}
const OBSERVATIONS = 5
const SAMPLES = 4000
const mean = (/** @type {number[]} */ all) => all.reduce((a, b) => a + b, 0) / all.length

for (const task of values.tasks.split(',')) {
  const folder = mkdtempSync(join(tmpdir(), 'diffeo-sbi-'))
  // copied: the bytes of a small file are a part of a larger buffer
  const numbers = (/** @type {string} */ name) =>
    new Float32Array(Uint8Array.from(readFileSync(join(folder, `${name}.f32`))).buffer)
  try {
    const { parameters, data } = python('simulate', task, values.simulations, folder)
    const [x, given, observed] = ['theta', 'x', 'observed'].map(numbers)
    const flow = density([parameters], nsf({ autoregressive: true, layers: 5 }), standardNormal, { given: [data] })
    const began = performance.now()
    const model = await train(
      flow,
      { x, given },
      { key: key(0), steps: Number(values.steps), batch: 256, learningRate: 1e-3, validation: 0 },
    )
    const seconds = (performance.now() - began) / 1000
    for (let o = 0; o < OBSERVATIONS; o++) {
      const context = observed.subarray(o * data, (o + 1) * data)
      const drawn = await model.given(context).sample(SAMPLES, { key: key(o + 1) })
      writeFileSync(join(folder, `diffeo.${o + 1}.f32`), drawn.data)
    }
    const rows = [
      { name: 'diffeo', parameters: countParams(flow.spec), seconds },
      ...(values.peers === 'none' ? [] : [{ name: 'zuko', ...python('zuko', task, values.steps, folder) }]),
    ].map(({ name, ...row }) => ({ name, ...row, scores: python('compare', task, name, folder) }))
    console.log(`${task}, ${values.simulations} simulations, ${values.steps} steps of 256`)
    for (const { name, parameters, seconds, scores } of rows)
      console.log(
        `  ${name.padEnd(7)} accuracy ${mean(scores).toFixed(3)} (${scores.map((/** @type {number} */ s) => s.toFixed(3)).join(', ')}), ${parameters} parameters, ${seconds.toFixed(0)} s`,
      )
    await model.dispose()
  } finally {
    rmSync(folder, { recursive: true })
  }
}
