/**
 * Labelled images in memory.
 *
 * @module
 */

/** `count` images of one shape with a label each: `labels[i]` belongs to the i-th image. */
export interface ImageSet<S extends readonly [number, number, number] = readonly [number, number, number]> {
  readonly name: string
  /** `count · H · W · C` bytes, channels last, 0 to 255. */
  readonly images: Uint8Array
  /** `count` class numbers. */
  readonly labels: Uint8Array
  readonly count: number
  /** Height, width, channels. */
  readonly shape: S
}
