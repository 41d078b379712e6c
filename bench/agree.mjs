// @ts-check
/**
 * Compares our gradients, densities and samples with PyTorch: `node bench/agree.mjs --engines onnxruntime,wasm`.
 *
 * The reference is PyTorch in float64; the error is ‖ours − reference‖/‖reference‖, over all gradients together. The
 * errors of float32 PyTorch and JAX show which part is due to float32. The parameters are not those of the identity
 * (rows.mjs). Each side runs in a separate process: ours is this file with `--side`.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { diffeo } from './diffeo.mjs'
import { flagsFrom } from './flags.mjs'
import { describeRow, flowOf, rows, writeRow } from './rows.mjs'

const { values: flags } = flagsFrom({
  options: {
    engines: { type: 'string', default: 'onnxruntime' },
    peers: { type: 'string', default: 'default,jax' },
    rows: { type: 'string', default: 'small,plane' },
    side: { type: 'string' },
    file: { type: 'string', default: '' },
    out: { type: 'string', default: '' },
  },
})
const LIMIT = 1e-3
const here = dirname(fileURLToPath(import.meta.url))
const bin = process.platform === 'win32' ? ['Scripts', 'python.exe'] : ['bin', 'python']
const python = join(here, 'peers', '.venv', ...bin)

/** @typedef {ReadonlyMap<string, import('../dist/src/entry/train.js').RawTensor>} Tensors */
/** @param {string} file @returns {Tensors} */
const read = (file) => diffeo.orThrow(diffeo.decodeSafetensors(file)(readFileSync(file))).tensors

/** An optimiser whose next parameters are the gradients. @type {import('../dist/src/entry/train.js').Optimiser} */
const showGradients = { init: () => [], rates: () => [], update: (grads) => [grads, []] }

/** Our side: writes the gradients of all trained parameters and the results of both directions to `--out`. */
const writeOurs = async () => {
  await diffeo.ready(/** @type {import('../dist/src/entry/engine.js').EngineName} */ (flags.side))
  const flow = flowOf(/** @type {import('./rows.mjs').Row} */ (rows.find(({ name }) => name === flags.rows)))
  const inputs = read(flags.file)
  const { spec } = flow.bijector
  const take = (/** @type {string} */ name) => {
    const { shape, data } = /** @type {import('../dist/src/entry/train.js').RawTensor} */ (inputs.get(name))
    return diffeo.orThrow(diffeo.tensor(shape, data))
  }
  const params = /** @type {import('../dist/src/entry/tensor.js').Params} */ (
    diffeo.mapLeaves(spec, (_, path) => take(`params/${path}`))
  )
  const x = /** @type {any} */ (take('x'))
  const z = [...inputs.keys()].filter((name) => name.startsWith('z/')).map(take)
  const step = diffeo.trainStep(flow, {
    optimiser: showGradients,
    learningRate: diffeo.constantRate(0),
    clip: Number.POSITIVE_INFINITY,
  })
  const [{ params: grads }] = await step({ step: 0, params, moments: [] }, x)
  const inverse = diffeo.jit(
    (/** @type {import('../dist/src/entry/tensor.js').Params} */ p, /** @type {any} */ l) =>
      flow.bijector.bind(p).inverse(l)[0],
  )
  const roles = new Map(diffeo.leaves(spec).map(([path, { role }]) => [path, role]))
  const results = /** @type {[string, any][]} */ ([
    ...diffeo.leaves(grads).flatMap(([path, t]) => (roles.get(path) === 'statistic' ? [] : [[`grads/${path}`, t]])),
    ['density', await diffeo.compiled(flow).logProb(params)(x)],
    ['sample', await inverse(params, z.length === 1 ? z[0] : z)],
  ])
  /** @type {Map<string, import('../dist/src/entry/train.js').RawTensor>} */
  const tensors = new Map()
  for (const [name, t] of results) tensors.set(name, { shape: diffeo.sizes(t), data: await diffeo.toArray(t) })
  writeFileSync(flags.out, diffeo.orThrow(diffeo.encodeSafetensors({ metadata: {}, tensors })))
}

/** ‖a − b‖/‖b‖ over the named tensors together. @param {Tensors} a @param {Tensors} b @param {readonly string[]} names */
const relativeError = (a, b, names) => {
  let [apart, size] = [0, 0]
  for (const name of names) {
    const [actual, reference] = [a.get(name), b.get(name)]
    if (actual === undefined || reference === undefined || actual.shape.join() !== reference.shape.join())
      throw new Error(`${name}: expected the shape ${reference?.shape}, got ${actual?.shape}`)
    reference.data.forEach((v, i) => {
      apart += ((actual.data[i] ?? Number.NaN) - v) ** 2
      size += v ** 2
    })
  }
  return Math.sqrt(apart / size)
}

/** Runs one side on a row's file. @param {string} name @param {import('./rows.mjs').Row} row @param {string} file */
const resultsOf = (name, row, file) => {
  const out = `${file}.results`
  const threads = `${availableParallelism()}`
  const ours = flags.engines.split(',').includes(name)
  const args = ours
    ? [fileURLToPath(import.meta.url), '--side', name, '--rows', row.name, '--file', file, '--out', out]
    : [
        join(here, 'peers', name === 'jax' ? 'jax_peer.py' : 'torch_peer.py'),
        ...(name === 'jax' ? [] : [name]),
        threads,
      ]
  const input = [
    { cmd: 'load', row, file },
    { cmd: 'write', out },
  ]
    .map((r) => `${JSON.stringify(r)}\n`)
    .join('')
  rmSync(out, { force: true })
  spawnSync(ours ? process.execPath : python, args, { input, stdio: ['pipe', 'ignore', 'inherit'] })
  return read(out)
}

/** @param {import('./rows.mjs').Row} row @param {string} folder */
const compareRow = async (row, folder) => {
  const file = join(folder, `${row.name}.safetensors`)
  await writeRow(row, file)
  console.log(`\n${describeRow(row)}: relative error against PyTorch in float64`)
  const reference = resultsOf('float64', row, file)
  const grads = [...reference.keys()].filter((name) => name.startsWith('grads/'))
  for (const name of `${flags.engines},${flags.peers}`.split(',').filter(Boolean)) {
    const results = resultsOf(name, row, file)
    const errors = [grads, ['density'], ['sample']].map((names) => relativeError(results, reference, names))
    const agrees = errors.every((v) => v <= LIMIT)
    if (!agrees) process.exitCode = 1
    const [gradients, density, sample] = errors.map((v) => v.toExponential(1))
    console.log(
      `  ${name.padEnd(14)} gradients ${gradients}  density ${density}  sample ${sample}${agrees ? '' : '  DIFFERS'}`,
    )
  }
}

if (flags.side !== undefined) await writeOurs()
else {
  await diffeo.ready('wasm')
  const folder = mkdtempSync(join(tmpdir(), 'diffeo-agree-'))
  try {
    for (const row of rows.filter(({ name }) => flags.rows.split(',').includes(name))) await compareRow(row, folder)
  } finally {
    rmSync(folder, { recursive: true })
  }
}
