/**
 * Progress on stderr: one line that is drawn again in a terminal, a plain line every ten seconds in a pipe.
 *
 * @module
 */
import { Presets, SingleBar } from 'cli-progress'

/** A line of progress. The payload's names stand in braces in the line's format. */
export interface Progress {
  readonly update: (done: number, payload?: Readonly<Record<string, string>>) => void
  readonly stop: () => void
}

/** Starts a line. Signals stay the caller's. */
export const progress = (format: string, total: number, payload: Readonly<Record<string, string>> = {}): Progress => {
  const bar = new SingleBar(
    { format, barsize: 16, gracefulExit: false, noTTYOutput: true, notTTYSchedule: 10_000 },
    Presets.shades_classic,
  )
  bar.start(total, 0, payload)
  return { update: (done, next = {}) => bar.update(Math.min(done, total), next), stop: () => bar.stop() }
}

/** `12:05` from seconds */
export const clock = (seconds: number): string => {
  const whole = Math.max(0, Math.round(seconds))
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`
}
