// @ts-check
/**
 * `npm run bench -- --growth`: measures and plots how the time of a train step grows with batch, image and depth. Each
 * line varies one size of the same base point: batch 32 of 32×32×3, width 16, 2 blocks, 2 scales.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { colours, toSvg } from '../dist/src/report/plot.js'
import { describeRow, writeRow } from './rows.mjs'
import { median, startSides, turn, writeResults } from './sides.mjs'

/** A side whose step takes longer than this, in ms, is measured once at that point and skipped at larger ones. */
const CAP = 10_000

/** @type {import('./rows.mjs').Row} */
const base = {
  ...{ kind: 'image', name: 'base', shape: [32, 32, 3], scales: 2, width: 16, blocks: 2, norm: 'batch' },
  ...{ path: 'actNorm', batch: 32, samples: 1, burst: 1 },
}
/** @type {Readonly<Record<string, { at: readonly number[], row: (n: number) => import('./rows.mjs').Row }>>} */
const lines = {
  batch: { at: [8, 32, 128, 256], row: (batch) => ({ ...base, batch }) },
  image: { at: [16, 32, 48, 64], row: (n) => /** @type {any} */ ({ ...base, shape: [n, n, 3] }) },
  depth: { at: [1, 2, 4, 8], row: (blocks) => /** @type {any} */ ({ ...base, blocks }) },
}

/**
 * @typedef {{ readonly side: string, readonly first: number, readonly times: number[], readonly peak: number }} Measured
 * @typedef {{ readonly axis: string, readonly at: number, readonly side: string, readonly median: number,
 *   readonly min: number, readonly first: number, readonly peak: number, readonly times: number[] }} Point
 */

/**
 * Times the steps of one row, the sides taking turns. A side above the cap has a single time.
 * @param {import('./rows.mjs').Row} row @param {string} file @param {readonly string[]} engines
 * @param {readonly string[]} peers @param {number} repeat @returns {Promise<readonly Measured[]>}
 */
const measure = async (row, file, engines, peers, repeat) => {
  await writeRow(row, file)
  const sides = await startSides(engines, peers, row, file)
  const step = { cmd: 'run', work: 'step', repeat: 1 }
  const found = []
  for (const { side, child } of sides) {
    const { ms: [first] = [], error } = await child.request(step)
    if (error !== undefined) console.log(`  ${side}: ${error}`)
    else
      found.push({ side, child, first, warm: (await child.request(step)).ms[0], times: /** @type {number[]} */ ([]) })
  }
  for (let i = 0; i < repeat; i++)
    for (const { child, warm, times } of found) if (warm <= CAP) times.push((await turn(child, step)).ms[0])
  const measured = []
  for (const { side, child, first, warm, times } of found) {
    const { peak } = await child.request({ cmd: 'memory' })
    measured.push({ side, first, times: warm <= CAP ? times : [warm], peak })
  }
  for (const { child } of sides) child.end()
  return measured
}

/** @type {Readonly<Record<string, string>>} */
const titles = { default: 'PyTorch', channels_last: 'PyTorch, NHWC', jax: 'JAX' }

/** A panel for each line, both axes logarithmic, so that proportional growth is a diagonal. @param {readonly Point[]} points */
const draw = (points) => {
  /** @param {string} axis @param {string} title */
  const panel = (axis, title) => ({
    width: 240,
    height: 220,
    data: { values: points.filter((p) => p.axis === axis).map((p) => ({ ...p, side: titles[p.side] ?? p.side })) },
    mark: /** @type {const} */ ({ type: 'line', point: true }),
    encoding: /** @type {const} */ ({
      x: {
        ...{ field: 'at', type: 'quantitative', title, scale: { type: 'log', base: 2, padding: 8 } },
        axis: { values: lines[axis]?.at ?? [], format: 'd', grid: false },
      },
      y: {
        field: 'median',
        type: 'quantitative',
        title: 'ms a step (median)',
        scale: { type: 'log', nice: false },
        axis: { tickCount: 4 },
      },
      color: { field: 'side', type: 'nominal', title: null, scale: { range: Object.values(colours).slice(1) } },
      strokeDash: { field: 'side', type: 'nominal', title: null },
    }),
  })
  const axes = { batch: 'batch', image: 'side of the image, pixels', depth: 'residual blocks in a net' }
  const shown = Object.entries(axes).filter(([axis]) => points.some((p) => p.axis === axis))
  return toSvg({
    title: `A train step: ${describeRow(base).replace('base: ', '')}, one size varied`,
    hconcat: shown.map(([axis, title]) => panel(axis, title)),
    resolve: { scale: { y: 'shared' } },
  })
}

/**
 * @param {{ readonly engines: readonly string[], readonly peers: readonly string[], readonly repeat: number,
 *   readonly axes: readonly string[], readonly picture: string }} options
 */
export const growth = async ({ engines, peers, repeat, axes, picture }) => {
  const folder = mkdtempSync(join(tmpdir(), 'diffeo-growth-'))
  /** @type {Map<string, readonly Measured[]>} measurements by row: the lines share the base point */
  const cache = new Map()
  /** @type {Point[]} */
  const points = []
  try {
    for (const axis of axes) {
      const line = lines[axis]
      if (line === undefined) throw new Error(`--axes: expected one of ${Object.keys(lines)}, got '${axis}'`)
      let [fastEngines, fastPeers] = [engines, peers]
      for (const at of line.at) {
        if (fastEngines.length + fastPeers.length === 0) break
        const row = line.row(at)
        const key = JSON.stringify(row)
        console.log(`\n${axis} ${at}: ${describeRow(row)}`)
        const measured =
          cache.get(key) ?? (await measure(row, join(folder, 'row.safetensors'), fastEngines, fastPeers, repeat))
        cache.set(key, measured)
        for (const { side, first, times, peak } of measured) {
          const point = { axis, at, side, median: median(times), min: Math.min(...times), first, peak, times }
          points.push(point)
          console.log(
            `  ${side.padEnd(14)} min ${point.min.toFixed(1).padStart(8)}  median ${point.median.toFixed(1).padStart(8)} ms  ` +
              `first ${first.toFixed(0).padStart(6)} ms  peak ${peak.toFixed(0).padStart(5)} MB`,
          )
        }
        const slow = measured.filter(({ times }) => median(times) > CAP).map(({ side }) => side)
        for (const side of slow) console.log(`  ${side}: over ${CAP / 1000} s a step, skipped at larger sizes`)
        fastEngines = fastEngines.filter((side) => !slow.includes(side))
        fastPeers = fastPeers.filter((side) => !slow.includes(side))
      }
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
  mkdirSync(dirname(picture), { recursive: true })
  writeFileSync(picture, await draw(points))
  console.log(`\n${picture}`)
  writeResults('growth-', { repeat, points })
}
