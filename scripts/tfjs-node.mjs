/**
 * Builds the addon of `@tensorflow/tfjs-node` against a recent TensorFlow from PyPI, instead of the one of 2022 that the
 * package's install script downloads. Needs Linux, g++ and pip.
 *
 *     npm install --ignore-scripts @tensorflow/tfjs-node
 *     node scripts/tfjs-node.mjs [folder of an unpacked wheel]
 */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, resolve } from 'node:path'

const WHEEL = 'tensorflow-cpu==2.21.0'

const fail = (sentence) => {
  console.error(`tfjs-node: ${sentence}`)
  process.exit(1)
}
const run = (command, ...args) => {
  try {
    execFileSync(command, args, { stdio: 'inherit' })
  } catch (thrown) {
    fail(thrown.code === 'ENOENT' ? `expected ${command}, got no such command; install it` : thrown.message)
  }
}
const findPath = (what, places, fix) =>
  places.find((place) => existsSync(place)) ?? fail(`expected ${what}, got none in ${places.join(', ')}; ${fix}`)

const require = createRequire(join(process.cwd(), 'package.json'))
const packageFolder = (() => {
  for (const name of ['@tensorflow/tfjs-node', '@tensorflow/tfjs-node-gpu'])
    try {
      return dirname(require.resolve(`${name}/package.json`))
    } catch {}
  return fail(
    'expected the package @tensorflow/tfjs-node, got no such package; ' +
      'run `npm install --ignore-scripts @tensorflow/tfjs-node`',
  )
})()

if (process.platform !== 'linux')
  fail(`expected Linux, got ${process.platform}; use the library that the package installs`)

/** The wheel's folder; by default the wheel is downloaded. Its library needs no Python, so any Python version fits. */
const wheelFolder = (unpacked) => {
  if (unpacked !== undefined) return resolve(unpacked)
  const folder = join(packageFolder, 'deps', 'wheel')
  if (existsSync(join(folder, 'tensorflow'))) return folder
  mkdirSync(folder, { recursive: true })
  const options = ['--no-deps', '--only-binary=:all:', '--python-version=3.12', '--dest', folder]
  run('python3', '-m', 'pip', 'download', ...options, WHEEL)
  const wheel = readdirSync(folder).find((name) => name.endsWith('.whl'))
  run('python3', '-m', 'zipfile', '-e', join(folder, wheel), folder)
  return folder
}
const tensorflow = join(wheelFolder(process.argv[2]), 'tensorflow')
findPath(
  'the library of TensorFlow',
  [join(tensorflow, 'libtensorflow_cc.so.2')],
  'pass the folder of an unpacked wheel',
)
const headers = dirname(
  findPath(
    "Node's headers",
    [join(dirname(process.execPath), '../include/node/node_api.h'), '/usr/include/node/node_api.h'],
    'install Node from nodejs.org, whose archive has them',
  ),
)

const addon = join(packageFolder, 'lib', 'napi-v8')
mkdirSync(addon, { recursive: true })
const sources = ['tfjs_backend.cc', 'tfjs_binding.cc'].map((name) => join(packageFolder, 'binding', name))
const includes = [packageFolder, join(tensorflow, 'include'), headers].map((folder) => `-I${folder}`)
const libraries = [`-L${tensorflow}`, '-l:libtensorflow_cc.so.2', '-l:libtensorflow_framework.so.2']
const flags = ['-std=c++17', '-O2', '-fPIC', '-shared', '-DNAPI_VERSION=8', `-Wl,-rpath,${tensorflow}`]
run('g++', ...flags, ...includes, ...sources, '-o', join(addon, 'tfjs_binding.node'), ...libraries)
run(
  process.execPath,
  '-e',
  `
  const util = require('node:util')
  util.isNullOrUndefined ??= (x) => x == null
  util.isArray ??= Array.isArray
  const tf = require(${JSON.stringify(packageFolder)})
  if (tf.sum(tf.ones([3])).dataSync()[0] !== 3) throw new Error('the addon computes wrong numbers')
  console.log('tfjs-node ' + tf.version['tfjs-node'] + ' runs on the TensorFlow in ' + ${JSON.stringify(tensorflow)})
`,
)
