/**
 * Inverse transform sampling (Eq. 3): if F is the distribution function of X and U is uniform on (0, 1), then F⁻¹(U) is
 * distributed as X. A distribution function is a bijector, so its inverse turns uniforms into samples, and its log-det
 * is the log-density.
 *
 *     npm run build && node dist/examples/03-inverse-transform-sampling.js
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { atShape, exponentialCdf, key } from 'diffeo'
import { jit, ready } from 'diffeo/engine'
import { type BatchOf, batch, toArray, uniformArray } from 'diffeo/tensor'
import * as vega from 'vega'
import { compile } from 'vega-lite'

await ready()
const rate = 1.5
const cdf = atShape([1], exponentialCdf(rate)).bind({})
const quantile = jit((u: BatchOf<readonly [1]>) => cdf.inverse(u)[0])
const logDensityAt = jit((x: BatchOf<readonly [1]>) => cdf.forward(x)[1])

const uniforms = batch([1], uniformArray(key(0), 10_000))
const samples = await toArray(await quantile(uniforms))
const mean = samples.reduce((a, b) => a + b, 0) / samples.length
console.log(`mean ${mean.toFixed(3)}; 1/λ is ${(1 / rate).toFixed(3)}`)

const at = Float32Array.from({ length: 100 }, (_, i) => (i + 0.5) * 0.04)
const logDensity = await toArray(await logDensityAt(batch([1], at)))

const width = 0.1
const counts = Array.from({ length: 40 }, () => 0)
for (const x of samples) if (x < 4) counts[Math.floor(x / width)]! += 1
const bars = counts.map((n, i) => ({ x: i * width, end: (i + 1) * width, density: n / (samples.length * width) }))
const curve = Array.from(at, (x, i) => ({ x, density: Math.exp(logDensity[i]!) }))

const { spec } = compile({
  width: 480,
  height: 260,
  title: 'F⁻¹ of 10,000 uniforms, and the density |dF/dx|',
  encoding: { x: { field: 'x', type: 'quantitative' }, y: { field: 'density', type: 'quantitative' } },
  layer: [
    {
      data: { values: bars },
      mark: { type: 'rect', color: '#9ecae1' },
      encoding: { x2: { field: 'end' }, y2: { datum: 0 } },
    },
    { data: { values: curve }, mark: { type: 'line', color: '#de2d26' } },
  ],
})
const svg = await new vega.View(vega.parse(spec), { renderer: 'none' }).toSVG()
mkdirSync('runs', { recursive: true })
writeFileSync('runs/inverse-transform-sampling.svg', svg)
console.log('runs/inverse-transform-sampling.svg')
