// @ts-check
/**
 * The rows of the benchmark, and the file of a row: parameters, batch and latents. Every engine and every peer reads the
 * same file, so that all compute the same.
 *
 *   params/<path>   every parameter, named by its path in the tree
 *   x               the batch, for training and for the density
 *   z/<i>           latents drawn from the base distribution, for sampling
 */
import { writeFileSync } from 'node:fs'
import { diffeo } from './diffeo.mjs'
import { stop } from './flags.mjs'

/**
 * @typedef {{ readonly kind: 'image', readonly shape: readonly [number, number, number], readonly scales: number,
 *   readonly width: number, readonly blocks: number, readonly norm: 'batch', readonly path: 'actNorm' | 'none' }} Image
 * @typedef {{ readonly kind: 'vector', readonly shape: readonly [number], readonly couplings: number,
 *   readonly hidden: readonly number[] }} Vector
 * @typedef {{ readonly kind: 'spline' | 'maf' | 'cnf', readonly shape: readonly [number], readonly layers: number,
 *   readonly hidden: readonly number[], readonly bins?: number }} Table
 * @typedef {{ readonly kind: 'glow', readonly shape: readonly [number, number, number], readonly scales: number,
 *   readonly steps: number, readonly width: number, readonly peerWidth: number }} Glow
 *   `peerWidth`: width that gives normflows, whose middle convolution is 1×1, as many parameters
 * @typedef {'step' | 'density' | 'sample'} Work
 * @typedef {(Image | Vector | Table | Glow) & { readonly name: string, readonly batch: number, readonly samples: number,
 *   readonly burst: number, readonly turns?: number,
 *   readonly peers?: readonly string[], readonly works?: readonly Work[] }} Row
 *   `burst`: calls per turn, so that short calls are timed with warm caches; `turns`: number of turns (default: 10);
 *   short calls need more, because other processes disturb them easily; `peers`: libraries with this flow, whose
 *   parameters cannot be shared (default: PyTorch and JAX with the parameters of the file); `works`: default all three
 */

const image = /** @type {const} */ ({ kind: 'image', scales: 2, norm: 'batch', path: 'actNorm', samples: 64 })

const table = /** @type {const} */ ({ hidden: [64, 64], batch: 512, samples: 512, turns: 20 })
const spline = /** @type {const} */ ({
  ...table,
  kind: 'spline',
  layers: 8,
  bins: 8,
  peers: ['zuko', 'nflows', 'flowjax'],
})
const maf = /** @type {const} */ ({ ...table, kind: 'maf', layers: 5, peers: ['zuko', 'nflows', 'flowjax'] })

/** @type {readonly Row[]} */
export const rows = [
  { ...image, name: 'small', shape: [32, 32, 1], width: 16, blocks: 2, batch: 32, burst: 3 },
  { ...image, name: 'large', shape: [32, 32, 3], width: 32, blocks: 4, batch: 32, burst: 2 },
  { ...image, name: 'large64', shape: [32, 32, 3], width: 32, blocks: 4, batch: 64, burst: 1 },
  {
    name: 'plane',
    kind: 'vector',
    shape: [2],
    couplings: 8,
    hidden: [64, 64],
    batch: 1000,
    samples: 1000,
    burst: 20,
    turns: 30,
  },
  { ...spline, name: 'spline8', shape: [8], burst: 5 },
  { ...spline, name: 'spline64', shape: [64], burst: 3 },
  { ...maf, name: 'maf8', shape: [8], burst: 5 },
  { ...maf, name: 'maf64', shape: [64], burst: 1, turns: 10 },
  {
    name: 'glow',
    kind: 'glow',
    shape: [32, 32, 3],
    scales: 2,
    steps: 8,
    width: 64,
    peerWidth: 136,
    batch: 32,
    samples: 32,
    burst: 2,
    peers: ['normflows'],
  },
  {
    ...table,
    name: 'cnf',
    kind: 'cnf',
    shape: [8],
    layers: 1,
    burst: 5,
    peers: ['torch', 'jax'],
    works: ['step', 'sample'],
  },
]

/** The row that a flag names; an unknown name ends the script. @type {(flag: string, name: string) => Row} */
export const rowNamed = (flag, name) =>
  rows.find((row) => row.name === name) ??
  stop(`${flag}: expected one of ${rows.map((row) => row.name)}, got '${name}'`)

/** @type {(row: Row) => string} */
export const describeRow = (row) => `${row.name}: batch ${row.batch} of ${row.shape.join('×')}, ${detailsOf(row)}`

/** @type {(row: Row) => string} */
const detailsOf = (row) => {
  if (row.kind === 'image') return `width ${row.width}, ${row.blocks} blocks, ${row.scales} scales`
  if (row.kind === 'glow') return `${row.scales} scales of ${row.steps} steps, width ${row.width}`
  const hidden = `hidden ${row.hidden.join('×')}`
  if (row.kind === 'vector') return `${row.couplings} couplings, ${hidden}`
  return {
    spline: `${row.layers} spline couplings of ${row.bins} bins, ${hidden}`,
    maf: `${row.layers} affine autoregressive layers, ${hidden}`,
    cnf: `flow matching, ${hidden}, 8 Runge-Kutta steps to sample`,
  }[row.kind]
}

/** The layers of a row. @param {Row} row @returns {import('../dist/src/index.js').Layer<any>} */
const layersOf = (row) => {
  switch (row.kind) {
    case 'image':
      return diffeo.realNvp(row)
    case 'vector':
      return diffeo.realNvpVector(row)
    case 'spline': {
      const { layers, hidden, bins = 8 } = row
      const over = (/** @type {'first' | 'second'} */ half) =>
        diffeo.splineCoupling(diffeo.halves(half), diffeo.mlp({ hidden }), { bins })
      return /** @type {any} */ (
        // one call for each number of layers would be needed for its type
        /** @type {any} */ (diffeo.compose)(
          ...Array.from({ length: layers }, (_, i) => over(i % 2 === 0 ? 'first' : 'second')),
        )
      )
    }
    case 'maf':
      return diffeo.maf(row)
    case 'glow':
      return diffeo.glow(row)
    case 'cnf':
      return diffeo.continuous({ hidden: row.hidden, steps: 8 })
  }
}

/** The flow of a row. @param {Row} row @returns {import('../dist/src/index.js').Flow<any, any>} */
export const flowOf = (row) => {
  return diffeo.flow(diffeo.orThrow(layersOf(row).at(row.shape)), diffeo.standardNormal)
}

/**
 * Dequantised images of waves and noise, points of two moons, or correlated vectors.
 * @param {Row} row @param {import('../dist/src/entry/tensor.js').Key} key @returns {ArrayLike<number>}
 */
export const dataOf = (row, key) => {
  if (row.kind === 'vector') return diffeo.twoMoons({ noise: 0.05 }).sample(key, row.batch)
  if (row.shape.length === 1) {
    // correlated, and bent
    const [d] = row.shape
    const [kStraight, kBent, kMix] = diffeo.splitKey(key, 3)
    const straight = diffeo.normalArray(kStraight, row.batch * d)
    const mix = diffeo.normalArray(kMix, d * d)
    return diffeo.normalArray(kBent, row.batch * d).map((v, i) => {
      const [n, j] = [Math.floor(i / d), i % d]
      let sum = 0
      for (let k = 0; k < d; k++) sum += (mix[j * d + k] ?? 0) * (straight[n * d + k] ?? 0)
      return sum / Math.sqrt(d) + Math.sin(2 * v)
    })
  }
  const [, w, c] = row.shape
  const size = row.batch * row.shape[0] * w * c
  const [kNoise, kFloat, kWave] = diffeo.splitKey(key, 3)
  const noise = diffeo.normalArray(kNoise, size)
  const float = diffeo.uniformArray(kFloat, size)
  const wave = diffeo.normalArray(kWave, row.batch)
  return noise.map((n, i) => {
    const at = Math.floor(i / c)
    const [y, x, example] = [Math.floor(at / w) % row.shape[0], at % w, Math.floor(at / (w * row.shape[0]))]
    const level = 128 + 70 * Math.sin(0.3 * x + 0.2 * y * (wave[example] ?? 0) + (i % c)) + 20 * n
    return Math.min(255, Math.max(0, Math.floor(level))) + (float[i] ?? 0)
  })
}

/**
 * Parameters near their initial values: at the initial values every coupling is the identity, which hides mistakes.
 * @param {import('../dist/src/index.js').Flow<any, any>} flow @param {import('../dist/src/entry/tensor.js').Key} key
 */
const perturbedParams = (flow, key) => {
  const roles = new Map(diffeo.leaves(flow.bijector.spec))
  let place = 0
  return /** @type {import('../dist/src/entry/tensor.js').Params} */ (
    diffeo.mapLeaves(flow.init(key), (leaf, path) => {
      const value = diffeo.unwrap(/** @type {import('../dist/src/entry/tensor.js').AnyTensor} */ (leaf))
      const noise = diffeo.normalArray(diffeo.foldIn(key, 10_000 + place++), value.size)
      const old = value.dataSync()
      const role = roles.get(path)?.role
      // variances stay positive, and ActNorm stays uninitialised
      const next = noise.map((n, i) => {
        const v = old[i] ?? 0
        return path.endsWith('/variance') ? v * Math.exp(0.1 * n) : path.endsWith('/started') ? v : v + 0.05 * n
      })
      // kernels keep their scale: weight norm and He's start set it
      const keeps = path.endsWith('/kernel') && role === 'weight' && old.some((v) => v !== 0)
      const perturbed = diffeo.orThrow(diffeo.tensor(value.shape, keeps ? old : next))
      value.dispose()
      return perturbed
    })
  )
}

/**
 * Writes a row's file. Call `ready` first.
 * @param {Row} row @param {string} file @returns {Promise<number>} the number of parameters
 */
export const writeRow = async (row, file) => {
  const flow = flowOf(row)
  const [kParams, kData, kLatents] = diffeo.splitKey(diffeo.key(0), 3)
  const x = /** @type {any} */ (diffeo.orThrow(diffeo.batch(row.shape, dataOf(row, kData))))
  const params = flow.bijector.start(perturbedParams(flow, kParams))(x)[2]
  const z = diffeo.drawBase(flow.base, flow.bijector.codomain, {}, kLatents, row.samples)
  /** @type {[string, import('../dist/src/entry/tensor.js').AnyTensor][]} */
  const named = [
    ...diffeo.leaves(params).map(([path, leaf]) => /** @type {[string, any]} */ ([`params/${path}`, leaf])),
    ['x', x],
    ...[z].flat().map((part, i) => /** @type {[string, any]} */ ([`z/${i}`, part])),
  ]
  const tensors = new Map(
    await Promise.all(
      named.map(
        async ([name, t]) => /** @type {const} */ ([name, { shape: diffeo.sizes(t), data: await diffeo.toArray(t) }]),
      ),
    ),
  )
  writeFileSync(file, diffeo.orThrow(diffeo.encodeSafetensors({ metadata: { row: row.name }, tensors })))
  return diffeo.countParams(flow.bijector.spec)
}
