import { createRequire } from 'node:module'
import * as tf from '@tensorflow/tfjs-core'
import * as E from 'fp-ts/lib/Either.js'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { describeEngine, EngineName, ready, useEngine } from '../../src/backends/engine.js'
import { DiffeoException, describeError } from '../../src/error.js'

const installed = (name: string): boolean => {
  try {
    return createRequire(import.meta.url).resolve(name) !== ''
  } catch {
    return false
  }
}

afterEach(() => {
  vi.unstubAllEnvs()
  vi.restoreAllMocks()
})

describe('useEngine', () => {
  it('starts wasm from its own package and says what it is in one line', async () => {
    const engine = await ready('wasm')
    expect(tf.getBackend()).toBe('wasm')
    expect(describeEngine(engine)).toMatch(/^engine wasm \d+\.\d+\.\d+, 1 thread, CPU, SIMD$/)
  })

  it('starts ONNX Runtime, with wasm for what is not compiled', async () => {
    const engine = await ready('onnxruntime')
    expect(tf.getBackend()).toBe('wasm')
    expect(describeEngine(engine)).toMatch(/^engine onnxruntime \d+\.\d+\.\d+, \d+ threads?, CPU/)
  })

  it('takes as many threads as it is told', async () => {
    expect(await ready('onnxruntime', { threads: 1 })).toMatchObject({ threads: 1 })
  })

  it('says which engine has what another lacks', async () => {
    const refused = (...[name, options]: Parameters<typeof ready>): Promise<string> =>
      ready(name, options).then(describeEngine, (thrown: DiffeoException) => thrown.message)
    expect(await refused('onnxruntime', { precision: 'bf16' })).toBe(
      'precision bf16: expected an engine that has it, got onnxruntime; use --engine tensorflow',
    )
    expect(await refused('wasm', { threads: 2 })).toBe(
      'threads 2: expected an engine that has it, got wasm; use --engine onnxruntime or --engine tensorflow',
    )
    expect(await refused('cpu', { precision: 'float32', xla: false })).toMatch(/^engine cpu/)
  })

  it('looks among the engines that have what is asked when nothing is named', async () => {
    vi.stubEnv('DIFFEO_ENGINE', '')
    vi.stubEnv('DIFFEO_TENSORFLOW', '/nowhere')
    await expect(ready('auto', { precision: 'bf16' })).rejects.toThrow(
      /^engine tensorflow: expected lib.* got a folder without them: \/nowhere/,
    )
  })

  it('takes the name in DIFFEO_ENGINE', async () => {
    vi.stubEnv('DIFFEO_ENGINE', 'cpu')
    expect(await ready()).toMatchObject({ name: 'cpu', threads: 1 })
    expect(tf.getBackend()).toBe('cpu')
  })

  it('prefers the argument to DIFFEO_ENGINE', async () => {
    vi.stubEnv('DIFFEO_ENGINE', 'cpu')
    expect((await ready('wasm')).name).toBe('wasm')
  })

  it('takes the best that is installed when nothing is named, without a note', async () => {
    vi.stubEnv('DIFFEO_ENGINE', '')
    expect(await ready()).toMatchObject({ name: 'onnxruntime' })
    expect(await ready()).not.toHaveProperty('note')
  })

  it('goes on to the next where the native package does not load, and says so', async () => {
    vi.stubEnv('DIFFEO_ENGINE', '')
    vi.doMock('onnxruntime-node', () => {
      throw new Error('no binary for this platform')
    })
    try {
      const engine = await ready()
      expect(engine.name).not.toBe('onnxruntime')
      expect(describeEngine(engine)).toContain(
        '(engine onnxruntime: expected the package onnxruntime-node to load, got ',
      )
    } finally {
      vi.doUnmock('onnxruntime-node')
    }
  })

  it.skipIf(installed('@tensorflow/tfjs-node'))('says which command brings a missing engine', async () => {
    const result = await useEngine('tfjs-node')()
    expect(E.isLeft(result) && describeError(result.left)).toBe(
      'engine tfjs-node: expected the package @tensorflow/tfjs-node, got no such package; ' +
        'run `npm install @tensorflow/tfjs-node`',
    )
    await expect(ready('tfjs-node-gpu')).rejects.toThrow(DiffeoException)
  })

  it('starts WebGPU where there is an adapter, and says elsewhere what would bring it', async () => {
    const line = await ready('webgpu').then(describeEngine, (thrown: DiffeoException) => thrown.message)
    expect(line).toMatch(
      /^engine webgpu( \d+\.\d+\.\d+, 1 thread, GPU .+|: expected (the package .+; run `npm install @tensorflow\/tfjs-backend-webgpu webgpu`|an adapter, got none; install a current driver .+))$/,
    )
  })

  it('lists the engines for a name that is none', async () => {
    vi.stubEnv('DIFFEO_ENGINE', 'abacus')
    const result = await useEngine()()
    expect(E.isLeft(result) && describeError(result.left)).toBe(
      "engine: expected auto, onnxruntime, tensorflow, tfjs-node-gpu, tfjs-node, webgpu, wasm, cpu, got 'abacus'",
    )
    expect(EngineName.is('abacus')).toBe(false)
  })

  it('prints nothing', async () => {
    const streams = (['log', 'warn', 'error', 'info'] as const).map((m) => vi.spyOn(console, m))
    for (const name of ['cpu', 'wasm', 'cpu', 'wasm'] as const) {
      await ready(name)
      tf.tidy(() => tf.add(tf.ones([2]), 1))
    }
    for (const stream of streams) expect(stream).not.toHaveBeenCalled()
  })
})
