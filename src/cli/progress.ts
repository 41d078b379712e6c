/**
 * Progress on stderr: one line that is drawn again in a terminal, and nothing anywhere else.
 *
 * @module
 */
import { Presets, SingleBar } from 'cli-progress'

/** A line of progress. The payload's names stand in braces in the line's format. */
export interface Progress {
  readonly update: (done: number, payload?: Readonly<Record<string, string>>) => void
  readonly stop: () => void
}

const silent: Progress = { update: () => undefined, stop: () => undefined }

/** Starts a line, where there is someone to see it. Signals stay the caller's. */
export const progress =
  (seen: boolean) =>
  (format: string, total: number, payload: Readonly<Record<string, string>> = {}): Progress => {
    if (!seen) return silent
    const bar = new SingleBar({ format, barsize: 16, gracefulExit: false }, Presets.shades_classic)
    bar.start(total, 0, payload)
    return { update: (done, next = {}) => bar.update(Math.min(done, total), next), stop: () => bar.stop() }
  }

/** `12:05` from seconds */
export const clock = (seconds: number): string => {
  const whole = Math.max(0, Math.round(seconds))
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`
}
