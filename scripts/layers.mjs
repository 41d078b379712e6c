/**
 * Checks the imports between the folders of `src/`. A folder may import the folders in its line of the table, and what
 * those may import; `jit` hides the folders below it. Biome reports cycles of files.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { posix } from 'node:path'

const layers = {
  printable: [],
  thrown: [],
  tree: ['thrown'],
  error: ['printable', 'thrown', 'tree'],
  throwing: ['error'],
  types: [],
  'missing-engine': ['error'],
  freed: ['error'],
  host: [],
  tracing: ['error', 'missing-engine', 'freed'],
  file: ['error'],
  process: ['error'],
  progress: [],
  codec: ['error'],
  compiler: ['tracing'],
  backends: ['host', 'compiler', 'file', 'process'],
  jit: ['backends'],
  tensor: ['host', 'types', 'tracing'],
  nn: ['tensor'],
  bijector: ['nn'],
  distribution: ['bijector', 'jit'],
  image: ['tensor', 'file'],
  models: ['bijector'],
  data: ['bijector', 'image', 'codec'],
  train: ['distribution', 'file', 'codec'],
  report: ['distribution', 'data', 'backends'],
  table: ['data'],
  api: ['train', 'data', 'table', 'models', 'backends', 'progress'],
  inference: ['api'],
  laws: ['bijector', 'distribution', 'train'],
}

const reach = (name, seen = new Set()) => {
  for (const below of layers[name] ?? []) if (!seen.has(below) && seen.add(below) && below !== 'jit') reach(below, seen)
  return seen
}
/** The layer of a file: its folder in `src/`, or its name. */
const layerOf = (path) => (/^types\//.test(path) ? 'types' : /^src\/([^/.]+)/.exec(path)?.[1])
const isSource = (path) => /^(src\/.+|types\/[^/]+)\.ts$/.test(path)

const root = process.argv[2] ?? '.'
const files = ['src', 'types'].flatMap((folder) =>
  readdirSync(posix.join(root, folder), { recursive: true }).map((path) =>
    posix.join(folder, path.replaceAll('\\', '/')),
  ),
)
let refused = 0
for (const file of files.filter(isSource))
  for (const [, path] of readFileSync(posix.join(root, file), 'utf8').matchAll(
    /(?:from|import)\s*\(?\s*'(\.[^']+)'/g,
  )) {
    const [layer, imported] = [layerOf(file), layerOf(posix.join(posix.dirname(file), path))]
    if (!(layer in layers) || layer === imported || reach(layer).has(imported)) continue
    refused += 1
    console.error(
      `${file}: expected imports of ${[...reach(layer)].join(', ') || 'nothing'}, got ${imported}; ` +
        'move the code down a layer, or change the table in scripts/layers.mjs',
    )
  }
process.exitCode = refused > 0 ? 1 : 0
