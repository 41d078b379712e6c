/**
 * What a public call leaves behind: what it answers, and nothing else. Every function that `diffeo` exports is a case
 * here, or makes bijectors, which the registry has, or is in the list of those that no tensor goes into or comes out of.
 * The operations `T` have their own table, in `tensor/ops.test.ts`.
 */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as tf from '@tensorflow/tfjs-core'
import { Diffeo, key, type Latents, type Net } from 'diffeo'
import type { EngineName } from 'diffeo/engine'
import { orThrow } from 'diffeo/fp'
import { type AnyTensor, type BatchOf, unwrap } from 'diffeo/tensor'
import { afterAll, describe, expect, it } from 'vitest'
import { registry } from './bijector/registry.js'
import { diffeo } from './everything.js'
import { randomParams } from './support.js'
import { collect, images, moonBatch, moons, tiny, tinyBatch } from './train/toy.js'

/** The tensors of an answer, however deep. */
const tensorsIn = (of: unknown): readonly tf.Tensor[] =>
  of instanceof tf.Tensor
    ? [of]
    : Array.isArray(of) || (typeof of === 'object' && of !== null && Object.getPrototypeOf(of) === Object.prototype)
      ? Object.values(of).flatMap(tensorsIn)
      : []

const folder = mkdtempSync(join(tmpdir(), 'diffeo-memory-'))
afterAll(() => {
  rmSync(folder, { recursive: true })
})
const path = join(folder, 'kept.safetensors')

// as the tests of engines do; otherwise the reference that the toys bring
const asked = process.env['DIFFEO_TEST_ENGINE']
if (asked !== undefined) await diffeo.ready(asked as EngineName)

const adam = diffeo.averaged(diffeo.adam())
const options = { optimiser: adam, learningRate: diffeo.constantRate(1e-3) }
const [x, image] = [moonBatch()(0), await tinyBatch(0)]
const state = await diffeo.startTraining(moons, adam, key(0), x)
const imageState = await diffeo.startTraining(tiny, adam, key(0), image)
const best = { bitsPerDim: 1, params: state.params }
const snapshot = { state, flow: moons, best }
await diffeo.saveCheckpoint(path, snapshot)
const checkpoint = await diffeo.loadCheckpoint(path)
const trained = state.moments[0]!
const rates = adam.rates(1, 1e-3).map((rate) => tf.scalar(rate))
const [kernel, bias] = [diffeo.tensor([2, 3], [1, 2, 3, 4, 5, 6]), diffeo.tensor([3], [1, 2, 3])]
const given = new Set([...tensorsIn([x, image, state, imageState, rates, kernel, bias])])

const stepper = diffeo.trainStep(moons, options)
const batches = diffeo.trainBatches(images, key(1), 4, { flips: true })
const evaluation = { count: 2, at: moonBatch() }
const { bijector } = moons
const bound = bijector.bind(state.params)
const square = diffeo.jit((v: AnyTensor) => diffeo.T.square(v))
const [compiledMoons, compiledTiny] = [diffeo.compiled(moons), diffeo.compiled(tiny)]
const own = imageState.params
const run = (net: Net<'vector'> | Net<'image'>, from: AnyTensor, to: readonly number[], train: boolean) => {
  const module = orThrow(net.at(diffeo.sizes(from).slice(1), to))
  const params = diffeo.initialise(module.spec, key(2))
  const answer = module.run(params, from, train)
  return [params, answer]
}
const onnx = { inputs: [{ name: 'x', shape: [2] }], outputs: ['y'], run: ([v]: tf.Tensor[]) => [tf.exp(v!)] }

const labelled = { ...images, labels: new Uint8Array(images.count) }
const shifted = diffeo.conditional({
  name: 'shifted',
  domain: [2],
  codomain: [2],
  given: [2],
  spec: {},
  forward: (_, v, c) => [diffeo.T.sub(c)(v), diffeo.T.zeroPerExample(v)],
  inverse: (_, z, c) => [diffeo.T.add(c)(z), diffeo.T.zeroPerExample(z)],
})
const embedded = diffeo.embed([2], diffeo.mlp({ hidden: [3] }), shifted).init(key(4))
const squares = (v: AnyTensor) => diffeo.T.neg(diffeo.T.sumEvent(diffeo.T.square(v)))
const elbo = diffeo.reverseKl(moons, squares)
const noise = elbo.draw(key(5), 4)
const following = diffeo.flow(diffeo.atShape([2], diffeo.continuous({ hidden: [3], steps: 2 })), diffeo.standardNormal)
const matching = diffeo.flowMatching(following)
const followingParams = following.init(key(6))
const matched = matching.noised(key(7), x)

/** A call that throws. */
const refused = (call: () => unknown): void => {
  expect(call).toThrow(diffeo.DiffeoException)
}

/** Calls by the name of the export, a dot, and what is called. */
const cases: Readonly<Record<string, () => unknown>> = {
  'Diffeo.andThen': () => Diffeo.andThen(Diffeo.reverse(bound))(bound).forward(x),
  'Diffeo.both': () => Diffeo.both(bound, bound).inverse([x, x]),
  'Diffeo.fromForward': () =>
    Diffeo.fromForward<AnyTensor, AnyTensor>(diffeo.T.exp, diffeo.T.log, diffeo.T.sumEvent).inverse(image),
  'Diffeo.id': () => Diffeo.id<typeof x>().forward(x),
  'Diffeo.logDetJacobian': () => Diffeo.logDetJacobian(bound)(x),
  'Diffeo.inverseLogDetJacobian': () => Diffeo.inverseLogDetJacobian(bound)(x),
  'adam.init': () => diffeo.adam().init(trained),
  'adam.update': () => diffeo.adam().update(trained, state.moments.slice(0, 2), trained, rates.slice(0, 2)),
  'averaged.init': () => adam.init(trained),
  'averaged.update': () => adam.update(trained, state.moments, trained, rates),
  averageParams: () => diffeo.averageParams(moons, adam, state),
  batch: () => diffeo.batch([2], [1, 2, 3, 4]),
  clipByGlobalNorm: () => diffeo.clipByGlobalNorm(trained, 1),
  'compiled.logProb': () => compiledMoons.logProb(state.params)(x),
  'compiled.bitsPerDim': () => compiledTiny.bitsPerDim(own)(image),
  'compiled.forward': () => compiledMoons.forward(state.params)(x),
  'compiled.inverse': () => compiledMoons.inverse(state.params)(x),
  'compiled.sample': () => compiledTiny.sample(own)(key(3), 2, 0.7),
  'compiled.dispose': () => compiledTiny.dispose(),
  vit: () => run(diffeo.vit({ width: 4, depth: 1, heads: 2 }), image, [4, 4, 2], true),
  convNet: () => run(diffeo.convNet({ hidden: [2], weightNorm: true }), image, [4, 4, 2], true),
  copyState: () => diffeo.copyState(state),
  density: () => diffeo.density([2], diffeo.affine) && undefined,
  trainPairs: () => diffeo.trainPairs(labelled, 2, key(6), 2)(0),
  evaluationPairs: () => diffeo.evaluationPairs(labelled, 2, key(6), 3).at(0),
  dense: () => diffeo.dense<2, 3>({ kernel, bias })(x),
  dequantise: () => diffeo.dequantise<readonly [2]>(key(4)).forward(x),
  disposeParams: () => diffeo.disposeParams(moons.init(key(5))),
  disposeState: () => diffeo.disposeState(diffeo.copyState(state)),
  embed: () =>
    diffeo
      .flow(diffeo.embed([2], diffeo.mlp({ hidden: [3] }), shifted), diffeo.standardNormal)
      .given(x)
      .sample(embedded)(key(4), 16),
  evaluateVariational: () => diffeo.evaluateVariational(moons, squares, state.params, key(5), 40),
  'importanceWeighted.loss': () => diffeo.importanceWeighted(moons, squares, 2).loss(state.params)(noise),
  paretoK: () => diffeo.paretoK([0, 1]) && undefined,
  'flowMatching.loss': () => matching.loss(followingParams)(matched)[0],
  'flowMatching.noised': () => matching.noised(key(8), x),
  'reverseKl.loss': () => elbo.loss(state.params)(noise),
  'reverseKl.draw': () => elbo.draw(key(5), 3),
  evaluate: () => diffeo.evaluate(moons, state.params, evaluation),
  evaluationBatches: () => diffeo.evaluationBatches(images, key(6), 3).at(0),
  fit: async () => {
    const validation = { batches: evaluation, every: 1 }
    const events = await collect(diffeo.fit(moons, state, { ...options, steps: 2, batch: moonBatch(), validation }))
    return events.at(-1)
  },
  bijectorParams: () => diffeo.bijectorParams(moons, state.params) === state.params && undefined,
  baseParams: () => Object.keys(diffeo.baseParams(moons, state.params)).length === 0 && undefined,
  drawNoise: () => diffeo.drawNoise(diffeo.standardNormal, [[2], [3, 1]], key(12), 2),
  conditional: () => shifted.given(x).bind({}).forward(x),
  'flow.init': () => moons.init(key(7)),
  'flow.logProb': () => moons.logProb(state.params)(x),
  'flow.bitsPerDim': () => tiny.bitsPerDim(own)(image),
  'flow.train': () => tiny.train(own)(image),
  'flow.sample': () => tiny.sample(own)(key(8), 2, 0.7),
  initialise: () => diffeo.initialise(tiny.bijector.spec, key(9)),
  'jit.call': () => square(x),
  'jit.prepare': () => square.prepare(image),
  'jit.program': () => square.program(x) && undefined,
  'jit.dispose': () => square.dispose(),
  latentGrid: () => diffeo.latentGrid(moons, state.params),
  mapLeaves: () => diffeo.mapLeaves<AnyTensor, AnyTensor>(own, (leaf) => leaf),
  maximumLikelihood: () => diffeo.maximumLikelihood(moons).loss(state.params)(x),
  mlp: () => run(diffeo.mlp({ hidden: [3], activation: 'tanh' }), x, [4], false),
  net: () => {
    const { constant, T } = diffeo
    const spec = ([from]: readonly [number], [to]: readonly [number]) => ({ w: constant([from, to], 1) })
    const own = diffeo.net({ name: 'own', kind: 'vector', spec, run: ({ w }, v) => T.square(T.matmul(w)(v)) })
    return run(own, x, [4], true)
  },
  planeDensity: () => diffeo.planeDensity(moons, state.params, { box: { x: [0, 1], y: [0, 1] }, width: 3, height: 2 }),
  planePicture: () =>
    diffeo.planePicture(moons, state.params, {
      title: '',
      data: Float32Array.of(0, 1, 1, 0),
      key: key(10),
      resolution: 4,
    }),
  refine: () => diffeo.refine(['N', 2], unwrap(x)),
  resampledRows: () => diffeo.resampledRows(tiny, own, key(11), image),
  'resnet, batch': () => run(diffeo.resnet({ width: 2, blocks: 1, norm: 'batch' }), image, [4, 4, 2], true),
  'resnet, instance': () => run(diffeo.resnet({ width: 2, blocks: 1, norm: 'instance' }), image, [4, 4, 2], true),
  'resnet, evaluation': () => run(diffeo.resnet({ width: 2, blocks: 1 }), image, [4, 4, 2], false),
  restore: () => diffeo.restore(checkpoint, moons.bijector.spec, adam),
  'restore, another flow': () => refused(() => diffeo.restore(checkpoint, tiny.bijector.spec, adam)),
  restoreBest: () => diffeo.restoreBest(checkpoint, moons.bijector.spec),
  load: async () => {
    const model = await diffeo.train(
      moons,
      [
        [0, 1],
        [1, 0],
        [2, 2],
      ],
      { key: key(0), steps: 1, validation: 0 },
    )
    const file = `${path}.model`
    await model.save(file)
    const again = await diffeo.load(moons, file)
    await Promise.all([model.dispose(), again.dispose()])
  },
  train: async () => {
    const model = await diffeo.train(moons, diffeo.twoMoons(), { key: key(0), steps: 2 })
    await model.dispose()
  },
  loadCheckpoint: () => diffeo.loadCheckpoint(path),
  saveCheckpoint: () => diffeo.saveCheckpoint(path, snapshot),
  drawBase: () => diffeo.drawBase(diffeo.standardLogistic, [[2], [3, 1]] as const, {}, key(12), 2),
  'standardLogistic.logProb': () => diffeo.standardLogistic.logProb({}, [x, x]),
  'drawBase, temperature': () => diffeo.drawBase(diffeo.standardNormal, [2], {}, key(13), 2, { temperature: 0.5 }),
  'standardNormal.logProb': () => diffeo.standardNormal.logProb({}, x),
  startTraining: () => diffeo.startTraining(tiny, adam, key(14), image),
  'trainStep.call': () => stepper(state, x),
  'trainStep.prepare': () => stepper.prepare(state, x),
  'trainStep.dispose': () => stepper.dispose(),
  temperatureRows: () => diffeo.temperatureRows(tiny, own, key(15), [0.5, 1], 2),
  tensor: () => diffeo.tensor([2, 2], [1, 2, 3, 4]),
  'tensor, of another size': () => refused(() => diffeo.tensor([2, 2], [1])),
  trainingGap: () =>
    diffeo.trainingGap(tiny, own, {
      count: 2,
      at: () => diffeo.evaluationBatches(images, key(16), 3).at(0),
    }),
  toOnnx: () => diffeo.toOnnx(onnx),
  onnxFunctions: () => diffeo.onnxFunctions(moons, state.params).density.run([unwrap(x)]),
  toOnnxSampler: () => diffeo.toOnnxSampler({ ...onnx, outputs: ['y', 'z'], run: ([v]) => [tf.exp(v!), v!] }),
  trainBatches: () => batches(3),
  toArray: () => diffeo.toArray(x),
}

/** What makes bijectors, by name: the registry below has them all. */
const ofBijectors = (
  await Promise.all(readdirSync('src/bijector').map((file) => import(`../src/bijector/${file}`)))
).flatMap((module) => Object.keys(module))
/** What takes and answers shapes, layers, numbers, bytes or sentences; what only reads a tensor's name or shape. */
const withoutTensors = new Set([
  'npe', // in test/inference/npe.test.ts
  'calibration',
  'boxPrior',
  'normalPrior',
  'simulatorProcess',
  'readTable',
  'tabular',
  'tableFrom',
  'anomalyThreshold',
  'areaUnderRoc',
  'typicality',
  'loadRun', // in test/cli/load-run.test.ts
  'oneHot',
  'trust',
  'defaultNet',
  ...['classMixture', 'gaussianMixture', 'studentT', 'uniformBox', 'independent'],
  ...[
    'cnf',
    'flowPlusPlus',
    'gaussianization',
    'glow',
    'iaf',
    'jet',
    'maf',
    'naf',
    'nsf',
    'realNvp',
    'realNvpVector',
    'residualFlow',
  ],
  ...[
    'branch',
    'constant',
    'countParams',
    'denseSpec',
    'fromKey',
    'gaussian',
    'identityMatrix',
    'leaves',
    'orthogonal',
    'sizes',
    'unwrap',
  ],
  ...['constantRate', 'cosineRate', 'warmUp', 'dynamicLossScale', 'summarise', 'toBitsPerDim'],
  ...['batchIndices', 'choosePictures', 'findPictures', 'holdOut', 'inMemory', 'pictureSet', 'firstIndices', 'subset'],
  ...['loadCelebA', 'loadCifar10', 'loadData', 'loadFashionMnist', 'loadFolder', 'loadMnist', 'loadNpy', 'openNpy'],
  ...['circles', 'correlatedNormal', 'pinwheel', 'rings', 'spirals', 'stepsPerEpoch', 'twoMoons'],
  ...['foldIn', 'key', 'normalArray', 'permutation', 'randomInt', 'splitKey', 'threefry2x32', 'uniformArray'],
  ...['boxAround', 'encodePng', 'gridPoints', 'heatMap', 'imageGrid', 'toBytes', 'toSvg', 'viridis', 'writePng'],
  ...['bytes', 'describeProgram', 'describeEngine', 'flops', 'ready'],
  ...['decodeSafetensors', 'encodeSafetensors'],
  ...['DiffeoException', 'NotInstalled', 'describeError'],
  ...['shapeError', 'usageError'],
])

it('every function that is exported has its place here', () => {
  const names = Object.entries(diffeo).flatMap(([name, value]) => (typeof value === 'function' ? [name] : []))
  const called = new Set(Object.keys(cases).map((name) => /^\w+/.exec(name)![0]))
  expect([...called].filter((name) => withoutTensors.has(name))).toEqual([])
  expect(names.filter((name) => !called.has(name) && !withoutTensors.has(name) && !ofBijectors.includes(name))).toEqual(
    [],
  )
  expect([...called, ...withoutTensors].filter((name) => !(name in diffeo))).toEqual([])
})

/** Runs a call; expects as many new tensors as there are in its answer, and frees those. */
const leavesItsAnswer = async (call: () => unknown, borrowed: ReadonlySet<tf.Tensor> = given) => {
  const before = tf.memory().numTensors
  const answers = new Set(tensorsIn(await call()).filter((answer) => !borrowed.has(answer)))
  expect(tf.memory().numTensors - before).toBe(answers.size)
  expect([...answers].filter((answer) => answer.isDisposed)).toEqual([])
  tf.dispose([...answers])
}

it.each(Object.entries(cases))('%s leaves its answer alone behind', (_, call) => leavesItsAnswer(call))

describe.each(Object.entries(registry))('%s', (_, { make, domain: [low, high] }) => {
  it('leaves its answers alone behind, in init, start and train', async () => {
    const b = make()
    const params = randomParams(b, key(0))
    const event = tf.randomUniform([3, ...b.domain], low, high, 'float32', 1) as unknown as BatchOf<Latents>
    const borrowed = new Set(tensorsIn([params, event]))
    await leavesItsAnswer(() => b.init(key(1)), borrowed)
    for (const learn of [b.start, b.train]) await leavesItsAnswer(() => learn(params)(event as never), borrowed)
    tf.dispose([...borrowed])
  })
})

describe('the same key gives the same bits', () => {
  /** Bits of an answer's tensors, which are freed, or of its numbers. */
  const bits = async (of: unknown) => {
    const all = tensorsIn(of)
    const read = all.map((one) => [one.shape, ...new Uint32Array(Float32Array.from(one.dataSync()).buffer)])
    tf.dispose(all.filter((one) => !given.has(one)))
    return of instanceof Float32Array ? [...new Uint32Array(of.buffer)] : read
  }
  const draws: Readonly<Record<string, (seed: number) => unknown>> = {
    init: (seed) => tiny.init(key(seed)),
    sample: (seed) => tiny.sample(own)(key(seed), 3),
    'compiled sample': (seed) => compiledTiny.sample(own)(key(seed), 3),
    normal: (seed) => diffeo.drawBase(diffeo.standardNormal, [2], {}, key(seed), 3),
    logistic: (seed) => diffeo.drawBase(diffeo.standardLogistic, [2], {}, key(seed), 3),
    dequantise: (seed) => diffeo.dequantise<readonly [2]>(key(seed)).forward(x)[0],
    'training batches': (seed) => diffeo.trainBatches(images, key(seed), 4, { flips: true })(7),
    'evaluation batches': (seed) => diffeo.evaluationBatches(images, key(seed), 4).at(1),
    'five steps of training': async (seed) => {
      const train = diffeo.trainStep(tiny, options)
      const of = diffeo.trainBatches(images, key(seed), 4)
      const first = await of(0)
      let now = await diffeo.startTraining(tiny, adam, key(seed), first)
      unwrap(first).dispose()
      for (let i = 0; i < 5; i++) {
        const batch = await of(i)
        const [next] = await train(now, batch)
        diffeo.disposeState(now)
        unwrap(batch).dispose()
        now = next
      }
      await train.dispose()
      return now
    },
    ...Object.fromEntries(
      Object.entries(diffeo.planes).map(([name, toy]) => [name, (seed: number) => toy.sample(key(seed), 9)]),
    ),
  }
  it.each(Object.entries(draws))('%s', async (_, draw) => {
    const [first, again, other] = [await bits(await draw(1)), await bits(await draw(1)), await bits(await draw(2))]
    expect(first.length).toBeGreaterThan(0)
    expect(again).toEqual(first)
    expect(other).not.toEqual(first)
  })
})
