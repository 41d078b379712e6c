/**
 * Images by number, in memory or read from disk on demand, so a set may be larger than memory.
 *
 * Laws: `read` depends only on its indices and holds no more memory than its result. No file stays open.
 *
 * @module
 */
import { gather } from './split.js'

/** Height, width, channels. */
export type ImageShape = readonly [height: number, width: number, channels: number]

/** `count` images of one shape. */
export interface ImageSet<S extends ImageShape = ImageShape> {
  readonly name: string
  readonly shape: S
  readonly count: number
  /**
   * A hash of the files by their contents, or by their names and sizes, independent of their location. A subset has the
   * digest of the whole set.
   */
  readonly digest?: string
  /** `count` class numbers, if the set has classes: `labels[i]` belongs to the i-th image. */
  readonly labels?: Uint8Array
  /**
   * The images of these numbers, one after another: `indices.length · H · W · C` bytes, channels last, 0 to 255.
   * Rejects with a `DiffeoException` if they can no longer be read.
   */
  readonly read: (indices: Uint32Array) => Promise<Uint8Array>
}

/** The input of {@link inMemory}. */
export interface InMemory<S extends ImageShape> {
  readonly name: string
  readonly shape: S
  /** `count · H · W · C` bytes. */
  readonly images: Uint8Array
  readonly labels?: Uint8Array
  readonly digest?: string
}

/**
 * Creates an image set from bytes in memory.
 *
 * @example inMemory({ name: 'two pixels', shape: [1, 1, 1], images: Uint8Array.of(0, 255) })
 */
export const inMemory = <S extends ImageShape>({ images, ...description }: InMemory<S>): ImageSet<S> => {
  const size = description.shape[0] * description.shape[1] * description.shape[2]
  const take = gather(images, size)
  return { ...description, count: images.length / size, read: async (indices) => take(indices) }
}

/**
 * Returns the set of the images at `indices`, in that order.
 *
 * @example subset(Uint32Array.of(0, 2))(mnist.test) // the first and the third
 */
export const subset =
  (indices: Uint32Array) =>
  <S extends ImageShape>(set: ImageSet<S>): ImageSet<S> => ({
    ...set,
    count: indices.length,
    ...(set.labels === undefined ? {} : { labels: gather(set.labels, 1)(indices) }),
    read: (places) => set.read(places.map((i) => indices[i]!)),
  })

/**
 * Returns 0, 1, …, n − 1.
 *
 * @example firstIndices(3) // [0, 1, 2]
 */
export const firstIndices = (n: number): Uint32Array => Uint32Array.from({ length: n }, (_, i) => i)
