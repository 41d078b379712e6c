/**
 * `npm run soak [-- calls]`: calls compiled flows with batches of random sizes, for vectors and images on each engine,
 * each in a separate process. It fails if memory grows by more than 50 MB after the first hundred calls.
 */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const BOUND = 50
const [calls = '10000', engine, kind] = process.argv.slice(2)

const all = () => {
  const pairs = ['onnxruntime', 'wasm'].flatMap((name) => ['vector', 'image'].map((what) => [name, what]))
  const failed = pairs.filter(
    ([name, what]) =>
      spawnSync(process.execPath, ['--expose-gc', fileURLToPath(import.meta.url), calls, name, what], {
        stdio: 'inherit',
      }).status !== 0,
  )
  process.exitCode = failed.length === 0 ? 0 : 1
}

const one = async () => {
  const { diffeo: d } = await import('../bench/diffeo.mjs')
  await d.ready(engine)
  const shape = kind === 'vector' ? [2] : [8, 8, 1]
  const layer =
    kind === 'vector' ? d.realNvpVector({ couplings: 4, hidden: [32] }) : d.realNvp({ scales: 2, width: 8, blocks: 1 })
  const flow = d.flow(d.atShape(shape, layer), d.standardNormal)
  const params = flow.init(d.key(0))
  const size = shape.reduce((a, b) => a * b, 1)
  const most = kind === 'vector' ? 2000 : 64
  const rss = () => {
    globalThis.gc()
    return process.memoryUsage.rss() / 2 ** 20
  }
  let first = 0
  let highest = 0
  for (let i = 1; i <= Number(calls); i++) {
    const n = 1 + d.randomInt(d.foldIn(d.key(1), i), most)
    const x = d.orThrow(d.batch(shape, new Float32Array(n * size).fill(128)))
    const result = await d.compiled(flow).logProb(params)(x)
    await d.toArray(result)
    d.unwrap(result).dispose()
    d.unwrap(x).dispose()
    if (i === 100) first = rss()
    if (i % 100 === 0) highest = Math.max(highest, rss())
    if (i % 1000 === 0) console.log(`${engine}, ${kind}: ${i} calls, ${rss().toFixed(0)} MB`)
  }
  const last = rss()
  console.log(
    `${engine}, ${kind}: ${first.toFixed(0)} MB after 100 calls, ${last.toFixed(0)} MB after ${calls}, at most ${highest.toFixed(0)} MB`,
  )
  process.exitCode = last - first <= BOUND ? 0 : 1
}

await (engine === undefined ? all() : one())
