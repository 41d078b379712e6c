/**
 * `npm run build` runs this first, because the compiler looks only at sources: files of `dist/` whose source was renamed
 * or deleted are removed, so that `npm pack` does not pack them, and a source whose result is missing is built again.
 *
 *     node scripts/prune.mjs [folder]
 */
import { existsSync, readdirSync, rmdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'

const [, , root = '.'] = process.argv
const dist = join(root, 'dist')

/** Removes the files of a folder of `dist/` that have no source; also removes folders that become empty. */
const prune = (folder) => {
  for (const entry of readdirSync(join(dist, folder), { withFileTypes: true })) {
    const name = join(folder, entry.name)
    if (entry.isDirectory()) prune(name)
    else if (!existsSync(join(root, name.replace(/(\.d\.ts|\.js)$/, '.ts')))) rmSync(join(dist, name))
  }
  if (readdirSync(join(dist, folder)).length === 0) rmdirSync(join(dist, folder))
}

const isBuilt = (name) => {
  const stem = join(dist, 'src', name.slice(0, -'.ts'.length))
  return name.endsWith('.d.ts') || (existsSync(`${stem}.js`) && existsSync(`${stem}.d.ts`))
}

if (existsSync(dist)) {
  for (const entry of readdirSync(dist, { withFileTypes: true })) if (entry.isDirectory()) prune(entry.name)
  const sources = readdirSync(join(root, 'src'), { recursive: true }).filter((name) => name.endsWith('.ts'))
  // this file has what the compiler takes for built already
  if (!sources.every(isBuilt)) rmSync(join(dist, '.tsbuildinfo'), { force: true })
}
