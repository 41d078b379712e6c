// @ts-check
/**
 * diffeo's side: one engine in a separate process, with the same protocol as the peers (README.md).
 * `node engine.mjs <engine> <options as JSON>`
 */
import { createInterface } from 'node:readline'
import { diffeo } from './diffeo.mjs'
import { flowOf } from './rows.mjs'

/** @param {object} message */
const send = (message) => console.log(JSON.stringify(message))

const mean = (/** @type {Float32Array} */ all) => all.reduce((a, b) => a + b, 0) / all.length

/** @param {import('./rows.mjs').Row} row @param {string} file */
const load = async (row, file) => {
  const { tensors } = diffeo.orThrow(diffeo.decodeSafetensors(file)(diffeo.orThrow(await diffeo.readBytes(file)())))
  const flow = flowOf(row)
  const tensor = (/** @type {string} */ name) => {
    const { shape, data } = /** @type {import('../dist/src/entry/train.js').RawTensor} */ (tensors.get(name))
    return diffeo.orThrow(diffeo.tensor(shape, /** @type {Float32Array} */ (data)))
  }
  const params = /** @type {import('../dist/src/entry/tensor.js').Params} */ (
    diffeo.mapLeaves(flow.bijector.spec, (_, path) => tensor(`params/${path}`))
  )
  const latents = [...tensors.keys()].filter((name) => name.startsWith('z/')).map(tensor)
  const x = /** @type {any} */ (tensor('x'))
  const objective = row.kind === 'cnf' ? diffeo.flowMatching(flow) : flow
  const noised = (/** @type {number} */ step) =>
    'noised' in objective ? objective.noised(diffeo.foldIn(diffeo.key(0), step), x) : x
  const optimiser = diffeo.averaged(diffeo.adam())
  const trained = diffeo.leaves(flow.bijector.spec).map(([, { role }]) => role !== 'statistic')
  const moments = optimiser.init(
    diffeo.leaves(params).flatMap(([, leaf], i) => (trained[i] ? [diffeo.unwrap(/** @type {any} */ (leaf))] : [])),
  )
  let state = /** @type {import('../dist/src/entry/train.js').TrainState} */ ({ step: 0, params, moments })
  const next = diffeo.trainStep(/** @type {any} */ (objective), { optimiser, learningRate: diffeo.constantRate(1e-3) })
  const { logProb } = diffeo.compiled(flow)
  const generate = diffeo.jit(
    (/** @type {import('../dist/src/entry/tensor.js').Params} */ p, /** @type {any} */ z) =>
      flow.bijector.bind(p).inverse(z)[0],
    { steady: 1 },
  )
  return {
    step: async () => {
      const batch = noised(state.step)
      const [after, metrics] = await next(state, batch)
      if (batch !== x) for (const t of [...batch.noise, batch.time]) diffeo.unwrap(t).dispose()
      if (state.params !== params) diffeo.disposeState(state)
      state = after
      return () => metrics
    },
    density: async () => {
      const nats = await logProb(params)(x)
      const all = await diffeo.toArray(nats)
      diffeo.unwrap(nats).dispose()
      return () => ({ mean: mean(all) })
    },
    sample: async () => {
      const samples = /** @type {any} */ (await generate(params, latents.length === 1 ? latents[0] : latents))
      const all = await diffeo.toArray(samples)
      diffeo.unwrap(samples).dispose()
      return () => ({ mean: mean(all) })
    },
  }
}

const started = await diffeo.useEngine(
  /** @type {any} */ (process.argv[2] ?? 'auto'),
  JSON.parse(process.argv[3] ?? '{}'),
)()
if (started._tag === 'Left') {
  send({ error: diffeo.describeError(started.left) })
  process.exit()
}
send({ ready: diffeo.describeEngine(started.right) })
/** @type {Awaited<ReturnType<typeof load>> | undefined} */
let works
for await (const line of createInterface({ input: process.stdin })) {
  const { cmd, row, file, work, repeat } = JSON.parse(line)
  try {
    if (cmd === 'load') {
      works = await load(row, file)
      send({})
    } else if (cmd === 'memory') send({ peak: process.resourceUsage().maxRSS / 1024 })
    else {
      const times = []
      let read = () => ({})
      for (let i = 0; i < repeat; i++) {
        const from = performance.now()
        read = await /** @type {any} */ (works)[work]()
        times.push(performance.now() - from)
      }
      send({ ms: times, ...read() })
    }
  } catch (reason) {
    send({ error: `${reason}` })
  }
}
