// @ts-check
/**
 * Measures the accuracy of each precision: trains the same model for the same steps from the same seed, and tests it.
 *
 *     npm run build && node bench/accuracy.mjs --steps 2000
 *     node bench/accuracy.mjs --steps 500 --width 8 --blocks 1 --precisions float32,bf16,fp16
 *
 * Each run is `diffeo train`, evaluated in its precision and again by the default engine in float32. The first figure is
 * what a user sees; the second shows the loss that is due to training.
 */
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { flagsFrom } from './flags.mjs'
import { writeResults } from './sides.mjs'

const { values: flags } = flagsFrom({
  options: {
    data: { type: 'string', default: 'mnist' },
    steps: { type: 'string', default: '2000' },
    seed: { type: 'string', default: '0' },
    precisions: { type: 'string', default: 'float32,bf16' },
    width: { type: 'string', default: '16' },
    blocks: { type: 'string', default: '2' },
  },
})
const main = join(dirname(fileURLToPath(import.meta.url)), '..', 'dist', 'src', 'cli', 'main.js')

/** Runs a command and returns its JSON document. @param {string[]} args */
const diffeo = async (...args) => {
  const { stdout } = await promisify(execFile)(process.execPath, [main, '--json', ...args])
  return JSON.parse(stdout)
}

const folder = mkdtempSync(join(tmpdir(), 'diffeo-accuracy-'))
const results = []
try {
  const sides = [['onnxruntime'], ...flags.precisions.split(',').map((name) => ['tensorflow', '--precision', name])]
  for (const [i, [engine = '', ...options]] of sides.entries()) {
    const out = join(folder, `${i}`)
    const side = [engine, ...options.slice(1)].join(' ')
    const model = ['--width', flags.width, '--blocks', flags.blocks]
    const recipe = ['--steps', flags.steps, '--seed', flags.seed, ...model, '--out', out]
    try {
      const { test } = await diffeo('train', flags.data, ...recipe, '--engine', engine, ...options)
      const again = await diffeo('evaluate', out, '--engine', 'onnxruntime')
      const { unit, mean, worst } = test
      console.log(
        `${side.padEnd(20)} ${mean.toFixed(4)} ${unit}, worst ${worst.toFixed(3)}; by onnxruntime ${again.mean.toFixed(4)}`,
      )
      results.push({ side, unit, mean, worst, byFloat32: again.mean })
    } catch (reason) {
      console.log(`${side.padEnd(20)} ${/** @type {{ stderr?: string }} */ (reason).stderr?.trim().split('\n').at(-1)}`)
    }
  }
} finally {
  rmSync(folder, { recursive: true })
}
writeResults(`accuracy-${flags.width}x${flags.blocks}-`, { ...flags, results })
