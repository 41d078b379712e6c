/**
 * The format and the size of a picture by its first bytes, whatever its name. Only PNG and JPEG are decoded: the decoder
 * behind them reads many other formats, among them SVG, whose decoders are not audited for untrusted files.
 *
 * Sources: PNG, third edition (W3C), sections 5.2 and 11.2.1; ITU-T T.81 (JPEG), section B.2.2.
 *
 * @module
 */

/** The format, and width and height in pixels as the file claims them. */
export interface PictureHeader {
  readonly format: 'png' | 'jpeg'
  readonly width: number
  readonly height: number
}

const startsWith = (bytes: Uint8Array, text: string, at = 0): boolean =>
  Buffer.from(bytes.subarray(at, at + text.length)).toString('latin1') === text

const pngHeader = (view: DataView): PictureHeader | undefined =>
  view.byteLength < 24 ? undefined : { format: 'png', width: view.getUint32(16), height: view.getUint32(20) }

/** The frame header: any of the SOF markers, behind segments of any number. */
const jpegHeader = (view: DataView): PictureHeader | undefined => {
  let at = 2
  while (at + 9 <= view.byteLength) {
    if (view.getUint8(at) !== 0xff) return undefined
    const marker = view.getUint8(at + 1)
    if (marker === 0xff) at += 1
    else if (marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc)
      return { format: 'jpeg', height: view.getUint16(at + 5), width: view.getUint16(at + 7) }
    else at += 2 + view.getUint16(at + 2)
  }
  return undefined
}

const OTHERS: ReadonlyArray<readonly [text: string, at: number, name: string]> = [
  ['GIF8', 0, 'a GIF file'],
  ['WEBP', 8, 'a WebP file'],
  ['II*\0', 0, 'a TIFF file'],
  ['MM\0*', 0, 'a TIFF file'],
  ['BM', 0, 'a BMP file'],
  ['ftypavif', 4, 'an AVIF file'],
  ['ftyphei', 4, 'a HEIC file'],
  ['%PDF', 0, 'a PDF file'],
  ['<', 0, 'an SVG or XML file'],
]

/**
 * Returns the header of a PNG or JPEG file, or the description of another format.
 *
 * @example pictureHeader(Buffer.from('GIF89a')) // 'a GIF file'
 */
export const pictureHeader = (bytes: Uint8Array): PictureHeader | string => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  if (bytes.length === 0) return 'an empty file'
  if (startsWith(bytes, '\x89PNG\r\n\x1a\n')) return pngHeader(view) ?? 'a truncated PNG file'
  if (startsWith(bytes, '\xff\xd8\xff')) return jpegHeader(view) ?? 'a truncated JPEG file'
  return OTHERS.find(([text, at]) => startsWith(bytes, text, at))?.[2] ?? 'Input file contains unsupported image format'
}
