/** What the playground loads only when it is opened: the editor, the declarations of diffeo, and the worker that trains. */
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const at = (path) => fileURLToPath(new URL(path, import.meta.url))
const entries = ['data', 'engine', 'image', 'train', 'fp']

/** The declarations in a browser, by the address at which the editor finds them. */
const declarations = () => {
  const files = {}
  for (const name of readdirSync(at('../../dist'), { recursive: true, encoding: 'utf8' })) {
    const path = name.replaceAll('\\', '/')
    if (/^(src|types)\/.*\.d\.ts$/.test(path) && !/^src\/(cli|laws)\//.test(path))
      files[`diffeo/dist/${path}`] = readFileSync(at(`../../dist/${name}`), 'utf8')
  }
  files['diffeo/index.d.ts'] = "export * from './dist/src/browser.js'\n"
  files['diffeo/tensor.d.ts'] = "export * from './dist/src/entry/tensor.js'\n"
  for (const name of entries) files[`diffeo/${name}.d.ts`] = `export * from './dist/src/entry/${name}.browser.js'\n`
  return files
}

export const buildPlayground = async () => {
  const folder = at('../generated/public/playground')
  mkdirSync(folder, { recursive: true })
  const editor = at('../node_modules/monaco-editor/min/vs')
  const isUsed = (path) => !/assets.(css|html|json)\.worker-|nls.+messages\.\w/.test(path)
  cpSync(editor, `${folder}/vs`, { recursive: true, filter: isUsed })
  writeFileSync(`${folder}/declarations.json`, JSON.stringify(declarations()))
  await build({
    entryPoints: [at('worker.js')],
    outdir: folder,
    bundle: true,
    minify: true,
    format: 'esm',
    loader: { '.wasm': 'file' },
    assetNames: '[name]-[hash]',
    nodePaths: [at('../../node_modules')],
    alias: {
      diffeo: at('../../dist/src/browser.js'),
      'diffeo/tensor': at('../../dist/src/entry/tensor.js'),
      ...Object.fromEntries(entries.map((name) => [`diffeo/${name}`, at(`../../dist/src/entry/${name}.browser.js`)])),
    },
  })
}
