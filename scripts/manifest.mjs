/**
 * `npm pack` runs this before and after packing: the packed `package.json` lists our packages of ONNX Runtime as
 * optional dependencies. The one in the repository does not, because the lock file cannot pin them for `npm ci`.
 *
 *     node scripts/manifest.mjs pack|restore [folder]
 */
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { optionalDependencies as runtimes } from './runtime-packages.mjs'

const [, , action, folder = '.'] = process.argv
if (action !== 'pack' && action !== 'restore') throw new Error('node scripts/manifest.mjs pack|restore [folder]')
const path = join(folder, 'package.json')
const { optionalDependencies, ...manifest } = JSON.parse(readFileSync(path, 'utf8'))
const unrelated = Object.entries(optionalDependencies).filter(([name]) => !(name in runtimes))
const listed = Object.fromEntries([...(action === 'pack' ? Object.entries(runtimes) : []), ...unrelated])
const fields = Object.entries(manifest)
const at = fields.findIndex(([name]) => name === 'devDependencies')
const next = Object.fromEntries([...fields.slice(0, at), ['optionalDependencies', listed], ...fields.slice(at)])
// renaming replaces the file at once: it is never half written
writeFileSync(`${path}.new`, `${JSON.stringify(next, null, 2)}\n`)
renameSync(`${path}.new`, path)
