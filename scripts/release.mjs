/**
 * `npm run release`: packs our packages of ONNX Runtime and `diffeo` into `release/`. Publish these tarballs
 * (`npm publish release/<file>`), the runtimes first. Do not publish from the folder: the registry's entry of `diffeo`
 * would lack the optional dependencies.
 */
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { makeRuntimePackage, platforms } from './runtime-packages.mjs'

const pack = (folder) => {
  const args = ['pack', '--pack-destination', 'release', folder]
  const { status } = spawnSync('npm', args, { stdio: 'inherit', shell: process.platform === 'win32' })
  if (status !== 0) throw new Error(`npm ${args.join(' ')} ended with ${status}`)
}
const parent = mkdtempSync(join(tmpdir(), 'diffeo-release-'))
try {
  mkdirSync('release', { recursive: true })
  for (const platform of platforms) pack(makeRuntimePackage(platform, parent))
  pack('.')
} finally {
  rmSync(parent, { recursive: true })
}
