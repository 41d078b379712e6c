/**
 * Where ONNX Runtime is found: in our package for this platform, which holds what one platform needs and has no install
 * script; else in upstream's `onnxruntime-node`, which holds all platforms.
 *
 * @module
 */
import { DiffeoException, engineError, NotInstalled } from '../../error.js'
import { isMissingPackage, messageOf } from '../../thrown.js'
import { installCommand } from '../shared/install-command.js'

/** The part of ONNX Runtime's interface that is used. */
export type Runtime = typeof import('onnxruntime-node')

/** The version that our packages are made of, and that the advice names. */
const VERSION = '1.30.0'
const UPSTREAM = 'onnxruntime-node'

/** The platforms that upstream has a binary for; `scripts/runtime-packages.mjs` makes a package for each. */
const platforms: readonly string[] = ['linux-x64', 'linux-arm64', 'darwin-arm64', 'win32-x64', 'win32-arm64']

/** This platform, such as `linux-x64` or `linux-x64-musl`. */
const platformOf = ({ platform, arch, report }: NodeJS.Process): string => {
  const header = platform === 'linux' ? (report?.getReport() as { header?: { glibcVersionRuntime?: string } }) : {}
  const isMusl = platform === 'linux' && header.header !== undefined && !header.header.glibcVersionRuntime
  return `${platform}-${arch}${isMusl ? '-musl' : ''}`
}

const missing = (platform: string): NotInstalled =>
  new NotInstalled(
    platforms.includes(platform)
      ? engineError(
          'engine onnxruntime',
          `the package @diffeo/onnxruntime-${platform} or ${UPSTREAM}`,
          'neither',
          `run \`${installCommand(`${UPSTREAM}@${VERSION}`, import.meta.url)}\``,
        )
      : engineError(
          'engine onnxruntime',
          `a platform with a binary of ONNX Runtime (${platforms.join(', ')})`,
          platform,
          "use the engine 'wasm', several times slower: DIFFEO_ENGINE=wasm",
        ),
  )

/** Names of the typed arrays that go in and out. */
type ArrayName = 'Float32Array' | 'Int32Array' | 'Uint8Array' | 'BigInt64Array'
type TypedArray = Float32Array | Int32Array | Uint8Array | BigInt64Array

/** What a sandbox (jest, vitest's `vmThreads`) has its own of: typed arrays, and `node:module`, which jest replaces. */
interface MainRealm extends Pick<typeof globalThis, ArrayName> {
  readonly getBuiltinModule: typeof process.getBuiltinModule
}

/** Those of Node's main realm; undefined where this is the main realm, or a browser. */
const mainRealm = ((): MainRealm | undefined => {
  const classes = 'Float32Array, Int32Array, Uint8Array, BigInt64Array'
  const realm = globalThis.process
    ?.getBuiltinModule?.('node:vm')
    .runInThisContext(`({ ${classes}, getBuiltinModule: process.getBuiltinModule })`) as MainRealm | undefined
  return realm?.Float32Array === Float32Array ? undefined : realm
})()

/**
 * The same memory as an array of Node's main realm, whose classes the runtime compares with. Outside of a sandbox the
 * array itself.
 */
export const toRuntime = <A extends TypedArray>(data: A): A => {
  if (mainRealm === undefined) return data
  const name = Object.prototype.toString.call(data).slice('[object '.length, -1) as ArrayName
  // the class of the same name over the same memory
  return new mainRealm[name](data.buffer as ArrayBuffer, data.byteOffset, data.length) as unknown as A
}

// A name that bundlers do not see: they would refuse a package that is not installed. In a sandbox Node's own `require`:
// the binding makes arrays of the main realm, so the JavaScript around it has to be there too.
const load = async (name: string): Promise<Runtime> => {
  if (mainRealm !== undefined)
    return mainRealm.getBuiltinModule('node:module').createRequire(import.meta.url)(name) as Runtime
  const imported = (await import(name)) as Runtime & { readonly default?: Runtime }
  return imported.default ?? imported
}

/** vitest's environment `jsdom` replaces classes of Node's main realm, which the binding goes on to use. */
const replaced = (): DiffeoException =>
  new DiffeoException(
    engineError('engine onnxruntime', "Node's own Uint8Array", "another, as jsdom's", "test in the environment 'node'"),
  )

/**
 * Loads ONNX Runtime.
 *
 * @throws NotInstalled (as a rejection) if there is none for this platform, with what brings it
 * @throws (as a rejection) what the import of an installed package throws
 */
export const importRuntime = async (): Promise<Runtime> => {
  const { process } = globalThis
  if (mainRealm === undefined && !(Buffer.prototype instanceof Uint8Array)) throw replaced()
  for (const name of [`@diffeo/onnxruntime-${process.platform}-${process.arch}`, UPSTREAM])
    try {
      return await load(name)
    } catch (thrown) {
      if (isMissingPackage(name, thrown)) continue
      const platform = platformOf(process)
      // upstream's package is there, its binary for this platform is not, or its C library is another
      if (!platforms.includes(platform)) throw missing(platform)
      throw new Error(`${name}: ${messageOf(thrown)}`, { cause: thrown })
    }
  throw missing(platformOf(process))
}
