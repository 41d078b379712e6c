/**
 * Output to stdout and stderr: the one place that escapes it and that handles failed writes.
 *
 * A stream that failed once is not written again. A failure of stderr is not reported. When stdout fails, a command
 * that has something to lose ({@link onLostOutput}) stops and saves. The end of the command reports the reason ({@link
 * lostOutput}), unless the reader left (`| head`) or the terminal was closed.
 *
 * @module
 */
import { writeSync } from 'node:fs'
import { Socket } from 'node:net'
import { constants } from 'node:os'
import { printableLines } from '../../printable.js'

type Stream = NodeJS.WriteStream

/** The reason why stdout cannot be written. */
export interface LostOutput {
  readonly error: NodeJS.ErrnoException
  /** Whether a reader left or a terminal closed: nobody is there to read. */
  readonly isUnread: boolean
  /** The exit code of a command that stops because of it: 128 + SIGPIPE or SIGHUP, else 1. */
  readonly code: number
}

const failed = new WeakMap<Stream, NodeJS.ErrnoException>()
const guarded = new WeakSet<Stream>()
const listeners = new Set<(lost: LostOutput) => void>()

const describeLoss = (error: NodeJS.ErrnoException): LostOutput => {
  const { SIGPIPE, SIGHUP } = constants.signals
  // a terminal that is gone: its driver answers EIO
  const signal = error.code === 'EPIPE' ? SIGPIPE : error.code === 'EIO' && process.stdout.isTTY ? SIGHUP : undefined
  return { error, isUnread: signal !== undefined, code: signal === undefined ? 1 : 128 + signal }
}

/** The reason why stdout can no longer be written; undefined while it can. */
export const lostOutput = (): LostOutput | undefined => {
  const error = failed.get(process.stdout)
  return error === undefined ? undefined : describeLoss(error)
}

/** Calls back when stdout fails, or at once if it has. Returns how to stop listening. */
export const onLostOutput = (listener: (lost: LostOutput) => void): (() => void) => {
  const lost = lostOutput()
  if (lost === undefined) listeners.add(listener)
  else listener(lost)
  return () => void listeners.delete(listener)
}

const lose = (stream: Stream, error: NodeJS.ErrnoException): void => {
  if (failed.has(stream)) return
  failed.set(stream, error)
  if (stream === process.stdout) for (const listener of [...listeners]) listener(describeLoss(error))
}

/** Listens for errors that a stream reports later; without a listener each would end the process with a stack trace. */
export const guardOutput = (): void => {
  for (const stream of [process.stdout, process.stderr]) {
    if (guarded.has(stream)) continue
    guarded.add(stream)
    stream.on('error', (error) => lose(stream, error))
  }
}

/**
 * Node's stream of a file writes once and ignores how much the system took: a full disk would cut the text silently.
 */
const writeWhole = (fd: number, text: string): void => {
  const bytes = Buffer.from(text)
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at)
}

/** Writes text that needs no escaping. */
export const writeRaw = (stream: Stream, text: string): void => {
  if (failed.has(stream)) return
  try {
    const { fd } = stream as { readonly fd?: number }
    // a test may have replaced `write`
    const isFile = !((stream as object) instanceof Socket) && fd !== undefined && !Object.hasOwn(stream, 'write')
    if (isFile) writeWhole(fd, text)
    else stream.write(text)
  } catch (thrown) {
    lose(stream, thrown as NodeJS.ErrnoException)
  }
}

/** Writes lines, escaped; `style` may colour what was escaped. */
export const writeLines = (stream: Stream, text: string, style: (escaped: string) => string = (t) => t): void =>
  writeRaw(stream, `${style(printableLines(text))}\n`)
