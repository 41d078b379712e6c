/**
 * TensorBoard's event files: records of TFRecord, each a protocol buffer `Event`
 * (tensorflow/core/util/event.proto, tensorflow/core/framework/summary.proto).
 *
 *     record = length (8 bytes, little endian) · mask(crc(length)) · event · mask(crc(event))
 *     mask(c) = (c rotated right by 15 bits) + 0xa282ead8,  crc = CRC-32C
 *
 * @module
 */
import crc32c from 'crc-32/crc32c.js'
import { encoder, field, many } from '../backends/shared/protobuf.js'

const encodeEvent = encoder({
  Event: {
    wallTime: field('double', 1),
    step: field('int64', 2),
    fileVersion: field('string', 3),
    summary: field('Summary', 5),
  },
  Summary: { value: many('Value', 1) },
  Value: { tag: field('string', 1), simpleValue: field('float', 2), image: field('Image', 4) },
  Image: {
    height: field('int32', 1),
    width: field('int32', 2),
    colorspace: field('int32', 3),
    encodedImageString: field('bytes', 4),
  },
})('Event')

/** A number, or a PNG file with its size, under a name. */
type Summary =
  | { readonly tag: string; readonly value: number }
  | { readonly tag: string; readonly png: Uint8Array; readonly width: number; readonly height: number }

const mask = (bytes: Uint8Array): number => {
  const crc = crc32c.buf(bytes) >>> 0
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0
}

const record = (event: object): Uint8Array => {
  const body = encodeEvent(event)
  const out = new Uint8Array(16 + body.length)
  const view = new DataView(out.buffer)
  view.setBigUint64(0, BigInt(body.length), true)
  view.setUint32(8, mask(out.subarray(0, 8)), true)
  out.set(body, 12)
  view.setUint32(12 + body.length, mask(body), true)
  return out
}

/** Returns the first record of an event file. `wallTime` is in seconds since 1970. */
export const eventHeader = (wallTime: number): Uint8Array => record({ wallTime, fileVersion: 'brain.Event:2' })

/**
 * Returns one record with the summaries of a step, to be appended to an event file.
 *
 * @example appendFile('events.out.tfevents.1', eventRecord(now, 100, [{ tag: 'bits/dim', value: 1.4 }]))
 */
export const eventRecord = (wallTime: number, step: number, summaries: readonly Summary[]): Uint8Array =>
  record({
    wallTime,
    step,
    summary: {
      value: summaries.map((s) =>
        'value' in s
          ? { tag: s.tag, simpleValue: s.value }
          : { tag: s.tag, image: { height: s.height, width: s.width, colorspace: 3, encodedImageString: s.png } },
      ),
    },
  })
