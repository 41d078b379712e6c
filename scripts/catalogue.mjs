/**
 * Trains every family of flows on four densities of the plane, and writes docs/catalogue.md and its pictures: what it is,
 * the nats above the entropy of the density, the time of a step, and what it learned.
 *
 *     npm run build && node scripts/catalogue.mjs [--steps 1000] [--only spline,maf]
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { planes } from '../dist/src/entry/data.js'
import { gridPoints, heatMap, imageGrid, writePng } from '../dist/src/entry/image.js'
import { countParams } from '../dist/src/entry/tensor.js'
import * as d from '../dist/src/index.js'

const { values } = parseArgs({ options: { steps: { type: 'string', default: '1000' }, only: { type: 'string' } } })
const { Transformers: by } = d

const couplings = (/** @type {d.Transformer} */ transformer) => {
  const pair = [d.couplingOf(transformer)(d.halves()), d.couplingOf(transformer)(d.halves('second')), d.actNorm]
  return d.compose(...Array.from({ length: 4 }, () => pair).flat())
}
const repeated = (/** @type {number} */ n, /** @type {any} */ layer) =>
  d.compose(...Array.from({ length: n }, () => [layer, d.actNorm]).flat())

/** Name, layers, what it is, source, options of the training. */
const families = [
  ['affine', couplings(by.affine()), 'affine couplings, `realNvpVector()`', 'Dinh et al. 2016'],
  ['additive', couplings(by.additive()), 'additive couplings, volume-preserving', 'Dinh et al. 2014'],
  ['spline', couplings(by.spline()), 'rational-quadratic splines', 'Durkan et al. 2019'],
  ['linear spline', couplings(by.linearSpline()), 'piecewise linear', 'Müller et al. 2019'],
  ['quadratic spline', couplings(by.quadraticSpline()), 'piecewise quadratic', 'Müller et al. 2019'],
  ['mixture', couplings(by.mixture()), 'logit of a mixture of logistic CDFs', 'Ho et al. 2019 (Flow++)'],
  ['bernstein', couplings(by.bernstein()), 'Bernstein polynomials', 'Ramasinghe et al. 2021'],
  ['sum of squares', couplings(by.sumOfSquares()), 'integral of a sum of squared polynomials', 'Jaini et al. 2019'],
  ['sigmoidal', couplings(by.sigmoidal()), 'neural autoregressive transformer', 'Huang et al. 2018 (NAF)'],
  ['monotone net', couplings(by.monotoneNet()), 'integral of a positive net', 'Wehenkel & Louppe 2019 (UMNN)'],
  ['maf', d.maf(), 'masked autoregressive, `maf()`', 'Papamakarios et al. 2017'],
  [
    'maf, splines',
    d.maf({ transformer: by.spline() }),
    '`maf({ transformer: Transformers.spline() })`',
    'Durkan et al. 2019',
  ],
  ['naf', d.naf(), 'deep sigmoidal autoregressive, `naf()`', 'Huang et al. 2018'],
  ['nsf', d.nsf(), 'LU maps and spline couplings, `nsf()`', 'Durkan et al. 2019'],
  ['gaussianization', d.gaussianization(), 'rotations and marginals', 'Meng et al. 2020'],
  ['planar', repeated(16, d.planar), '16 planar layers', 'Rezende & Mohamed 2015'],
  ['radial', repeated(16, d.radial), '16 radial layers', 'Rezende & Mohamed 2015'],
  ['sylvester', repeated(8, d.sylvester({ rank: 2 })), '8 Sylvester layers', 'van den Berg et al. 2018'],
  ['residual', repeated(4, d.residual({ hidden: [32, 32] })), '4 residual layers', 'Chen et al. 2019'],
  ['residual flow', d.residualFlow(), '8 residual layers, `residualFlow()`', 'Chen et al. 2019'],
  [
    'continuous',
    d.cnf(),
    'an ODE, `cnf()`, trained by `flowMatching`',
    'Lipman et al. 2023',
    { objective: d.flowMatching },
  ],
].filter(([name]) => values.only === undefined || values.only.split(',').includes(name))

const names = ['moons', 'checkerboard', 'spirals', 'rings']
const SIDE = 96
const rows = []
const pictures = []
for (const [name, layers, what, source, options = {}] of families) {
  const flow = d.density([2], d.compose(d.actNorm, layers))
  const gaps = []
  let seconds = 0
  for (const plane of names) {
    const toy = planes[plane]
    const began = performance.now()
    const model = await d.train(flow, toy, {
      key: d.key(0),
      steps: Number(values.steps),
      learningRate: 5e-3,
      validation: 0,
      ...options,
    })
    seconds += (performance.now() - began) / 1000
    const { nats } = await model.evaluate(toy.sample(d.key(1), 5000))
    gaps.push(nats - toy.entropy())
    const points = toy.sample(d.key(2), 2000)
    const reach = points.reduce((a, b) => Math.max(a, Math.abs(b)), 0) * 1.1
    const view = { box: { x: [-reach, reach], y: [-reach, reach] }, width: SIDE, height: SIDE }
    const density = (await model.logProb(gridPoints(view))).map(Math.exp)
    pictures.push(heatMap(density, view).data)
    await model.dispose()
  }
  const ms = (1000 * seconds) / (names.length * Number(values.steps))
  const own = [
    what,
    source,
    countParams(flow.spec).toLocaleString('en'),
    ...gaps.map((gap) => gap.toFixed(3)),
    ms.toFixed(1),
  ]
  rows.push([name, ...own])
  console.log(rows.at(-1).join(' | '))
}
mkdirSync('docs/pictures', { recursive: true })
const all = Uint8Array.from(pictures.flatMap((picture) => [...picture]))
const grid = imageGrid(all, [pictures.length, SIDE, SIDE, 3], { columns: names.length })
await writePng('docs/pictures/catalogue.png', grid)
const line = (/** @type {readonly string[]} */ cells) => `| ${cells.join(' | ')} |`
const head = ['family', 'what', 'source', 'parameters', ...names, 'ms a step']
writeFileSync(
  'docs/catalogue.md',
  `# Catalogue of flows

Every family, trained on four densities of the plane for ${values.steps} steps of 256 points. The four columns are nats above
the entropy of the density: 0 is perfect. Couplings are 8 in number with the default net. \`node scripts/catalogue.mjs\` makes
this page on your machine; one seed, so differences below 0.02 mean nothing. The times are of two
shared cores.

${[head, head.map(() => '---'), ...rows].map(line).join('\n')}

The densities that they learned, one family per row in the order of the table:

![densities of all families](pictures/catalogue.png)

All of them run on every engine and export to ONNX. In a conditional flow (\`{ given }\`), couplings, autoregressive, residual and
continuous layers see the context; planar, radial, Sylvester and Gaussianization layers do not. For images: \`realNvp\`,
\`glow\`, \`flowPlusPlus\`, \`jet\`, and couplings of any family over \`checkerboard\` and \`channelwise\` masks.

Which one? Start with \`nsf()\` for vectors: it is among the best on all four and samples in one pass. \`maf\` with splines or
mixtures suits tables, where sampling is rare. Use \`iaf\` for variational inference. Affine couplings are the fastest.
`,
)
