/**
 * Makes our packages of ONNX Runtime, one for each platform, from the installed official `onnxruntime-node`: its
 * binding, its shared libraries and the JavaScript that loads them. They need no install script and no download.
 *
 *     node scripts/runtime-packages.mjs <folder> [platform…]     writes a folder for each package
 */
import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'

const upstream = dirname(createRequire(import.meta.url).resolve('onnxruntime-node/package.json'))
const { version, dependencies, license, description } = JSON.parse(readFileSync(join(upstream, 'package.json'), 'utf8'))

/** The platforms of upstream, as `linux-x64`. */
export const platforms = ['linux-x64', 'linux-arm64', 'darwin-arm64', 'win32-x64', 'win32-arm64']

const nameOf = (platform) => `@diffeo/onnxruntime-${platform}`

/** The optional dependencies of the published `diffeo`; a package manager installs only those that fit the platform. */
export const optionalDependencies = Object.fromEntries(platforms.map((platform) => [nameOf(platform), version]))

const licence = `MIT License

Copyright (c) Microsoft Corporation

Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the "Software"), to deal
in the Software without restriction, including without limitation the rights
to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all
copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
SOFTWARE.
`

const readme = (platform) => `# ${nameOf(platform)}

The files of [onnxruntime-node](https://www.npmjs.com/package/onnxruntime-node) ${version} that ${platform} needs,
unchanged, without its install script. [diffeo](https://www.npmjs.com/package/diffeo) installs it on this platform.

ONNX Runtime is Microsoft's, under the MIT licence (LICENSE). It contains third-party software:
<https://github.com/microsoft/onnxruntime/blob/v${version}/ThirdPartyNotices.txt>.
`

const manifest = (platform) => {
  const [os, cpu] = platform.split('-')
  return {
    name: nameOf(platform),
    version,
    description: `${description}, for ${platform}`,
    license,
    author: 'Microsoft Corporation',
    repository: { type: 'git', url: 'git+https://github.com/microsoft/onnxruntime.git' },
    os: [os],
    cpu: [cpu],
    ...(os === 'linux' && { libc: ['glibc'] }),
    main: 'dist/index.js',
    types: 'dist/index.d.ts',
    // Yarn's Plug'n'Play cannot load shared libraries from an archive
    preferUnplugged: true,
    dependencies: { 'onnxruntime-common': dependencies['onnxruntime-common'] },
  }
}

const writeManifest = (platform, folder) => {
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(manifest(platform), null, 2)}\n`)
  return folder
}

/** A package without its files. Tests serve it for other platforms, on which package managers do not unpack it. */
export const makeEmptyPackage = (platform, parent) => writeManifest(platform, join(parent, `onnxruntime-${platform}`))

/** Makes the package of one platform in a folder of `parent`; returns the folder. */
export const makeRuntimePackage = (platform, parent) => {
  const folder = join(parent, `onnxruntime-${platform}`)
  const binaries = join('bin', 'napi-v6', ...platform.split('-'))
  // upstream has the dylib twice; the binding loads the copy that is named after the major version
  const isNeeded = (file) => !/\.\d+\.\d+\.\d+\.dylib$/.test(file) && !/\.map$/.test(file)
  for (const part of ['dist', binaries]) {
    mkdirSync(join(folder, part), { recursive: true })
    for (const file of readdirSync(join(upstream, part)).filter(isNeeded))
      copyFileSync(join(upstream, part, file), join(folder, part, file))
  }
  writeFileSync(join(folder, 'LICENSE'), licence)
  writeFileSync(join(folder, 'README.md'), readme(platform))
  return writeManifest(platform, folder)
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const [, , parent, ...selected] = process.argv
  if (parent === undefined) throw new Error('node scripts/runtime-packages.mjs <folder> [platform…]')
  for (const platform of selected.length > 0 ? selected : platforms) console.log(makeRuntimePackage(platform, parent))
}
