/**
 * Where the results of a native runtime live: a backend of TensorFlow.js that holds plain arrays and has no kernels.
 * An eager operation on such a tensor copies it to the backend that computes; a compiled one takes the array as it is.
 *
 * Arrays are used again: a run needs as many as the one before has freed, so a loop that frees what it replaces
 * settles on two sets and allocates no more. Nobody outside may hold an array, so reading copies.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import type { Elements, ProgramType, ValueInfo } from './program.js'
import { sizeOf } from './program.js'

const BACKEND = 'diffeo-storage'

interface Stored {
  readonly data: Elements
  readonly dtype: ProgramType
  refs: number
}

const allocate = (dtype: ProgramType, size: number): Elements =>
  dtype === 'float32' ? new Float32Array(size) : dtype === 'int32' ? new Int32Array(size) : new Uint8Array(size)

/** Freed arrays of one type and size are kept up to this many. */
const KEPT = 4096

class Storage extends tf.KernelBackend {
  readonly #stored = new Map<object, Stored>()
  readonly #free = new Map<string, Elements[]>()

  /** An array to fill, used before or new. */
  take({ dtype, shape }: ValueInfo): Elements {
    const size = sizeOf(shape)
    return this.#free.get(`${dtype}${size}`)?.pop() ?? allocate(dtype, size)
  }
  /** The array itself, if it lives here. */
  peek(dataId: object): Elements | undefined {
    return this.#stored.get(dataId)?.data
  }
  override write(values: tf.BackendValues, _: number[], dtype: tf.DataType): object {
    const dataId = {}
    this.#stored.set(dataId, { data: values as Elements, dtype: dtype as ProgramType, refs: 1 })
    return dataId
  }
  override move(dataId: object, values: tf.BackendValues, _: number[], dtype: tf.DataType, refs: number): void {
    this.#stored.set(dataId, { data: values as Elements, dtype: dtype as ProgramType, refs })
  }
  override readSync(dataId: object): tf.BackendValues {
    return this.#stored.get(dataId)!.data.slice()
  }
  override async read(dataId: object): Promise<tf.BackendValues> {
    return this.readSync(dataId)
  }
  override disposeData(dataId: object, force = false): boolean {
    const stored = this.#stored.get(dataId)
    if (stored === undefined) return true
    stored.refs -= 1
    if (!force && stored.refs > 0) return false
    this.#stored.delete(dataId)
    const key = `${stored.dtype}${stored.data.length}`
    const list = this.#free.get(key) ?? []
    this.#free.set(key, list)
    if (list.length < KEPT) list.push(stored.data)
    return true
  }
  override refCount(dataId: object): number {
    return this.#stored.get(dataId)?.refs ?? 0
  }
  override incRef(dataId: object): void {
    const stored = this.#stored.get(dataId)
    if (stored !== undefined) stored.refs += 1
  }
  override numDataIds(): number {
    return this.#stored.size
  }
  override memory(): { unreliable: boolean } {
    return { unreliable: true }
  }
  override floatPrecision(): 32 {
    return 32
  }
  override epsilon(): number {
    return 1e-7
  }
  override timerAvailable(): boolean {
    return false
  }
}

export type { Storage }

/** The one storage. */
export const storage = (): Storage => {
  const known = tf.findBackend(BACKEND)
  if (known === null) tf.registerBackend(BACKEND, () => new Storage(), 0)
  return (known ?? tf.findBackend(BACKEND)) as Storage
}
