import * as tf from '@tensorflow/tfjs-core'
import '@tensorflow/tfjs-backend-wasm'
import { afterEach, expect, it } from 'vitest'
import { placeWasmFiles, type WasmFiles, wasmFileOf } from '../../../src/backends/tfjs/wasm-files.js'

const [plain, simd, threaded] = ['', '-simd', '-threaded-simd'].map((kind) => `tfjs-backend-wasm${kind}.wasm`)
afterEach(() => tf.env().reset())

/** What the backend is told, and the file that is named where it does not load. */
const placed = async (files: WasmFiles) => {
  let paths: unknown
  placeWasmFiles({ setWasmPaths: (given) => (paths = given) }, files)
  return [paths, await wasmFileOf(files)]
}

it.each(['/wasm', '/wasm/', 'https://cdn.example/wasm/'])('%s is a folder', async (folder) => {
  const slashed = folder.replace(/\/?$/, '/')
  expect(await placed(folder)).toEqual([slashed, `${slashed}${simd}`])
})
it.each(['/assets/a-1b2c.wasm', '/a.wasm?v=1', 'data:application/wasm;base64,AA', 'blob:http://x/1'])(
  '%s is one file, used without threads',
  async (url) => {
    expect(await placed(url)).toEqual([{ [plain!]: url, [simd!]: url, [threaded!]: url }, url])
    expect(await tf.env().getAsync('WASM_HAS_MULTITHREAD_SUPPORT')).toBe(false)
  },
)
it('files by name: one that is not named is another that is', async () => {
  const files = { [plain!]: '/p.wasm', [simd!]: '/s.wasm' }
  expect(await placed(files)).toEqual([{ ...files, [threaded!]: '/s.wasm' }, '/s.wasm'])
  expect(await placed({ [plain!]: '/p.wasm' })).toEqual([expect.objectContaining({ [simd!]: '/p.wasm' }), '/p.wasm'])
})
