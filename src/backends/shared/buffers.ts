/**
 * Where the results of a native runtime live: a backend of TensorFlow.js that holds plain arrays and has no kernels.
 * An eager operation on such a tensor moves it to the backend that computes, so that nothing is written here and a tensor
 * never shares its data; a compiled one takes the array as it is.
 *
 * Tensors may be pieces of one array. An array is used again once all of its pieces are freed, so a loop that frees
 * what it replaces settles on two arrays and allocates no more. Nobody outside may hold one: reading copies.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import { PassiveBackend } from '../../compiler/passive-backend.js'
import type { Elements, ProgramType } from '../../compiler/program.js'

const BACKEND = 'diffeo-storage'

/** What tensors are pieces of: how many there were, how many there are, and what to do when the last is freed. */
interface Block {
  readonly owner: object
  readonly count: number
  readonly release: () => void
  pieces: number
}

interface Stored {
  /** Its elements in place. Callers must not keep the array. */
  readonly look: () => Elements
  readonly block: Block
  readonly index: number
}

/** A tensor to be, and where its elements lie. */
interface Piece {
  readonly shape: readonly number[]
  readonly look: () => Elements
}

const allocate = (dtype: ProgramType, size: number): Elements =>
  dtype === 'float32' ? new Float32Array(size) : dtype === 'int32' ? new Int32Array(size) : new Uint8Array(size)

/** How many freed arrays of one type and size are kept, and of how many types and sizes: those freed last. */
const KEPT = 4
const KEPT_SIZES = 32

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
      this.#stored.set(dataId, { look, block, index })
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
    this.#free.delete(key)
    this.#free.set(key, list)
    if (list.length < KEPT) list.push(data)
    if (this.#free.size > KEPT_SIZES) this.#free.delete(this.#free.keys().next().value!)
  }
  override readSync(dataId: object): tf.BackendValues {
    return this.#stored.get(dataId)!.look().slice()
  }
  override disposeData(dataId: object): boolean {
    const block = this.#stored.get(dataId)?.block
    this.#stored.delete(dataId)
    if (block !== undefined && --block.pieces === 0) block.release()
    return true
  }
  override refCount(): number {
    return 1
  }
}

/** The one storage. */
export const storage = (): Storage => {
  const known = tf.findBackend(BACKEND)
  if (known === null) tf.registerBackend(BACKEND, () => new Storage(), 0)
  return (known ?? tf.findBackend(BACKEND)) as Storage
}

/** A tensor over an array of its own. */
export const hostTensor = (data: Float32Array, shape: readonly number[]): tf.Tensor =>
  storage().pieces('float32', data, [{ shape, look: () => data }], () => undefined)[0]!
