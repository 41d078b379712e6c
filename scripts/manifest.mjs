/**
 * `npm pack` runs this before and after: the packed `package.json` lists our packages of ONNX Runtime as optional
 * dependencies. The repository's own does not, so that `npm ci` asks for no package that the lock file cannot pin.
 *
 *     node scripts/manifest.mjs pack|restore [folder]
 */
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { optionalDependencies as runtimes } from './runtime-packages.mjs'

const [, , what, folder = '.'] = process.argv
if (what !== 'pack' && what !== 'restore') throw new Error('node scripts/manifest.mjs pack|restore [folder]')
const path = join(folder, 'package.json')
const { optionalDependencies, ...manifest } = JSON.parse(readFileSync(path, 'utf8'))
const others = Object.entries(optionalDependencies).filter(([name]) => !(name in runtimes))
const listed = Object.fromEntries([...(what === 'pack' ? Object.entries(runtimes) : []), ...others])
const fields = Object.entries(manifest)
const at = fields.findIndex(([name]) => name === 'devDependencies')
const next = Object.fromEntries([...fields.slice(0, at), ['optionalDependencies', listed], ...fields.slice(at)])
// whole or as before
writeFileSync(`${path}.new`, `${JSON.stringify(next, null, 2)}\n`)
renameSync(`${path}.new`, path)
