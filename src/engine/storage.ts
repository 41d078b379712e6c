/**
 * Where the results of a native runtime live: a backend of TensorFlow.js that holds plain arrays and has no kernels.
 * An eager operation on such a tensor copies it to the backend that computes; a compiled one takes the array as it is.
 *
 * Tensors may be pieces of one array. An array is used again once all of its pieces are freed, so a loop that frees
 * what it replaces settles on two arrays and allocates no more. Nobody outside may hold one: reading copies.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import { PassiveBackend } from './backend.js'
import type { Elements, ProgramType } from './program.js'

const BACKEND = 'diffeo-storage'

/** What tensors are pieces of: how many there were, how many there are, and what to do when the last is freed. */
interface Block {
  readonly owner: object
  readonly count: number
  readonly release: () => void
  pieces: number
}

interface Stored {
  /** Its elements where they lie: nobody may keep them. */
  readonly look: () => Elements
  readonly block: Block
  readonly index: number
  refs: number
}

/** A tensor to be, and where its elements lie. */
interface Piece {
  readonly shape: readonly number[]
  readonly look: () => Elements
}

const allocate = (dtype: ProgramType, size: number): Elements =>
  dtype === 'float32' ? new Float32Array(size) : dtype === 'int32' ? new Int32Array(size) : new Uint8Array(size)

/** How many freed arrays of one type and size are kept. */
const KEPT = 4

class Storage extends PassiveBackend {
  readonly #stored = new Map<object, Stored>()
  readonly #free = new Map<string, Elements[]>()

  /** An array to fill, used before or new. */
  take(dtype: ProgramType, size: number): Elements {
    return this.#free.get(`${dtype}${size}`)?.pop() ?? allocate(dtype, size)
  }
  /** Tensors over the pieces of an array that was taken. */
  tensors(
    dtype: ProgramType,
    data: Elements,
    pieces: readonly { readonly shape: readonly number[]; readonly piece: Elements }[],
  ): readonly tf.Tensor[] {
    const own = pieces.map(({ shape, piece }) => ({ shape, look: () => piece }))
    return this.pieces(dtype, data, own, () => this.#keep(dtype, data))
  }
  /** Tensors over the pieces of whatever a runtime owns, which is told when the last of them is freed. */
  pieces(dtype: ProgramType, owner: object, pieces: readonly Piece[], release: () => void): readonly tf.Tensor[] {
    const block = { owner, release, count: pieces.length, pieces: pieces.length }
    return pieces.map(({ shape, look }, index) => {
      const dataId = {}
      this.#stored.set(dataId, { look, block, index, refs: 1 })
      return tf.engine().makeTensorFromTensorInfo({ dataId, shape: [...shape], dtype }, this)
    })
  }
  /** What owns these tensors, if they are all of its pieces, in order. */
  ownerOf(tensors: readonly tf.Tensor[]): object | undefined {
    const stored = tensors.map(({ dataId }) => this.#stored.get(dataId))
    const block = stored[0]?.block
    const whole = block?.count === stored.length && stored.every((s, i) => s?.block === block && s.index === i)
    return whole ? block?.owner : undefined
  }
  /** The elements themselves, if they live here. */
  peek(dataId: object): Elements | undefined {
    return this.#stored.get(dataId)?.look()
  }
  #keep(dtype: ProgramType, data: Elements): void {
    const key = `${dtype}${data.length}`
    const list = this.#free.get(key) ?? []
    this.#free.set(key, list)
    if (list.length < KEPT) list.push(data)
  }
  override write(values: tf.BackendValues, shape: number[], dtype: tf.DataType): object {
    const dataId = {}
    this.move(dataId, values, shape, dtype, 1)
    return dataId
  }
  override move(dataId: object, values: tf.BackendValues, _: number[], dtype: tf.DataType, refs: number): void {
    const data = values as Elements
    const block = { owner: data, release: () => this.#keep(dtype as ProgramType, data), count: 1, pieces: 1 }
    this.#stored.set(dataId, { look: () => data, block, index: 0, refs })
  }
  override readSync(dataId: object): tf.BackendValues {
    return this.#stored.get(dataId)!.look().slice()
  }
  override disposeData(dataId: object, force = false): boolean {
    const stored = this.#stored.get(dataId)
    if (stored === undefined) return true
    stored.refs -= 1
    if (!force && stored.refs > 0) return false
    this.#stored.delete(dataId)
    const { block } = stored
    block.pieces -= 1
    if (block.pieces === 0) block.release()
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
}

export type { Storage }

/** The one storage. */
export const storage = (): Storage => {
  const known = tf.findBackend(BACKEND)
  if (known === null) tf.registerBackend(BACKEND, () => new Storage(), 0)
  return (known ?? tf.findBackend(BACKEND)) as Storage
}
