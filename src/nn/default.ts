/**
 * The default net of a conditioner.
 *
 * @module
 */
import { product } from '../tensor/shape.js'
import { mlp } from './mlp.js'
import type { Net } from './net.js'
import { resnet } from './resnet.js'

/** The power of two at or above n, from `least` to `most`. */
const width = (n: number, least: number, most: number): number =>
  Math.min(most, Math.max(least, 2 ** Math.ceil(Math.log2(n))))

/**
 * The default net of a coupling, by the kind of its mask and the shape of what it reads.
 *
 * | kind | net | width |
 * |---|---|---|
 * | vectors of size D | `mlp` with two hidden layers | 4·D, rounded up to a power of two from 64 to 512 |
 * | images with C channels | `resnet` with two blocks | 8·C, rounded up to a power of two from 32 to 128 |
 *
 * @example coupling(halves(), defaultNet('vector')) // the same as coupling(halves())
 */
export const defaultNet = <K extends 'image' | 'vector'>(kind: K): Net<K> => ({
  kind,
  name: 'defaultNet',
  at: (from, to, context = 0) => {
    if (kind === 'image') return resnet({ width: width(8 * (from[2] ?? 1), 32, 128) }).at(from, to, context)
    const units = width(4 * product(from), 64, 512)
    return mlp({ hidden: [units, units] }).at(from, to, context)
  },
})
