/**
 * A line of progress on stderr: redrawn in a terminal, and nothing elsewhere.
 *
 * @module
 */
import { Presets, SingleBar } from 'cli-progress'

/** A line of progress. Its format has the names of the payload in braces. */
export interface Progress {
  readonly update: (done: number, payload?: Readonly<Record<string, string>>) => void
  readonly stop: () => void
}

/** Starts a line. */
export type StartProgress = (format: string, total: number, payload?: Readonly<Record<string, string>>) => Progress

const silent: Progress = { update: () => undefined, stop: () => undefined }

/** Draws lines on a stream, if it is a terminal. Signals stay the caller's. */
export const progress =
  (stream: NodeJS.WriteStream | undefined): StartProgress =>
  (format, total, payload = {}) => {
    if (stream?.isTTY !== true) return silent
    const bar = new SingleBar({ format, stream, barsize: 16, gracefulExit: false }, Presets.shades_classic)
    bar.start(total, 0, payload)
    return { update: (done, next = {}) => bar.update(Math.min(done, total), next), stop: () => bar.stop() }
  }
