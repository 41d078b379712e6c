/**
 * Where a browser finds the binaries of the wasm backend. Node reads them from beside the module.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'

/** The three binaries, of which a browser loads one. */
const names = ['tfjs-backend-wasm.wasm', 'tfjs-backend-wasm-simd.wasm', 'tfjs-backend-wasm-threaded-simd.wasm'] as const

/**
 * The URL of a folder that holds the binaries, of one of them, or of each by its file name. One that is not named is not
 * used: without the threaded one the backend runs on one thread.
 */
export type WasmFiles = string | Readonly<Partial<Record<(typeof names)[number], string>>>

const isFile = (url: string): boolean => /^(data|blob):|\.wasm($|[?#])/.test(url)

/** Tells the backend where its binaries are. */
export const placeWasmFiles = (
  { setWasmPaths }: { readonly setWasmPaths: (paths: string | Record<string, string>) => void },
  files: WasmFiles,
): void => {
  if (typeof files === 'string' && !isFile(files)) {
    setWasmPaths(files.endsWith('/') ? files : `${files}/`)
    return
  }
  const [plain, simd, threaded] = typeof files === 'string' ? [undefined, files] : names.map((name) => files[name])
  // the loader takes the plain one and the one with SIMD alike, the threaded one has a loader of its own
  if (threaded === undefined) tf.env().set('WASM_HAS_MULTITHREAD_SUPPORT', false)
  const one = simd ?? plain ?? threaded ?? ''
  setWasmPaths(Object.fromEntries(names.map((name, i) => [name, [plain, simd, threaded][i] ?? one])))
}

/** The binary that this environment loads, as a URL if one was named. */
export const wasmFileOf = async (files: WasmFiles | undefined): Promise<string> => {
  const simd = await tf.env().getAsync('WASM_HAS_SIMD_SUPPORT')
  const threads = simd && (await tf.env().getAsync('WASM_HAS_MULTITHREAD_SUPPORT'))
  const name = names[threads ? 2 : simd ? 1 : 0]!
  if (files === undefined) return name
  if (typeof files !== 'string') return files[name] ?? Object.values(files)[0] ?? name
  return isFile(files) ? files : `${files.replace(/\/$/, '')}/${name}`
}
