/**
 * Images by number: in memory, or read from disk as they are asked for, so that a set may be larger than memory.
 *
 * Laws: `read` is a function of its indices alone; it holds no more than what it answers; a set holds no file open.
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
   * Tells the files that it comes from apart from others, wherever they lie: by what they hold, or by their names and
   * sizes. That of a subset is that of the whole.
   */
  readonly digest?: string
  /** `count` class numbers, if the set has classes: `labels[i]` belongs to the i-th image. */
  readonly labels?: Uint8Array
  /**
   * The images of these numbers, one after another: `indices.length · H · W · C` bytes, channels last, 0 to 255.
   * Rejected with a `DiffeoException` if they cannot be read any more.
   */
  readonly read: (indices: Uint32Array) => Promise<Uint8Array>
}

/** What an image set in memory is made of. */
export interface InMemory<S extends ImageShape> {
  readonly name: string
  readonly shape: S
  /** `count · H · W · C` bytes. */
  readonly images: Uint8Array
  readonly labels?: Uint8Array
  readonly digest?: string
}

/**
 * The image set of bytes in memory.
 *
 * @example inMemory({ name: 'two pixels', shape: [1, 1, 1], images: Uint8Array.of(0, 255) })
 */
export const inMemory = <S extends ImageShape>({ images, ...rest }: InMemory<S>): ImageSet<S> => {
  const size = rest.shape[0] * rest.shape[1] * rest.shape[2]
  const take = gather(images, size)
  return { ...rest, count: images.length / size, read: async (indices) => take(indices) }
}

/**
 * The images of these numbers as a set of their own: the i-th is the set's `indices[i]`.
 *
 * @example subset(Uint32Array.of(0, 2))(mnist.test) // the first and the third
 */
export const subset =
  (indices: Uint32Array) =>
  <S extends ImageShape>(set: ImageSet<S>): ImageSet<S> => ({
    ...set,
    count: indices.length,
    ...(set.labels === undefined ? {} : { labels: gather(set.labels, 1)(indices) }),
    read: (own) => set.read(own.map((i) => indices[i]!)),
  })

/**
 * 0, 1, …, n − 1.
 *
 * @example range(3) // [0, 1, 2]
 */
export const range = (n: number): Uint32Array => Uint32Array.from({ length: n }, (_, i) => i)
