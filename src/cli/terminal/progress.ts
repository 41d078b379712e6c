/**
 * How far a command is: clocks, rates, and lines that count.
 *
 * @module
 */
import type { Progress, StartProgress } from '../../progress.js'

/** `12:05` from seconds */
export const clock = (seconds: number): string => {
  const whole = Math.max(0, Math.round(seconds))
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`
}

/** Receives how much is done, and how many examples that are, where something else is counted. */
export type Heard = (done: number, examples?: number) => void

/** `640 images, 320 images/s, 0:02 left`. The rate counts from the first report, which follows the compilation. */
export const paceOf = (total: number, unit: string, now = () => performance.now()) => {
  let from = { at: now(), done: 0, examples: 0 }
  let reports = 0
  return (done: number, examples = done): string => {
    const at = now()
    const seconds = Math.max(1e-3, (at - from.at) / 1000)
    const rate = (examples - from.examples) / seconds
    const left = (seconds * (total - done)) / (done - from.done)
    const count = `${examples.toLocaleString('en')} ${unit}`
    if (done === from.done) return count
    if (reports++ === 0) from = { at, done, examples }
    return `${count}, ${rate.toFixed(rate < 10 ? 1 : 0)} ${unit}/s, ${clock(left)} left`
  }
}

/** What a line of progress counts. */
export interface Counted {
  readonly doing: string
  readonly total: number
  readonly unit: string
}

/** Does long work with a line of progress: how much is done, how fast, and the time left. */
export const counted =
  (start: StartProgress, { doing, total, unit }: Counted, now?: () => number) =>
  async <A>(use: (heard: Heard) => Promise<A>): Promise<A> => {
    const pace = paceOf(total, unit, now)
    const line = start(`{bar} ${doing}: {pace}`, total, { pace: `0 ${unit}` })
    try {
      return await use((done, examples) => line.update(done, { pace: pace(done, examples) }))
    } finally {
      line.stop()
    }
  }

/** The line of a training: progress, speed and figures. */
export const trainingLine = (
  start: StartProgress,
  { things, name }: { readonly things: string; readonly name: string },
  validations: number,
) => {
  const validation = validations === 0 ? '' : ', validation {validation}'
  const format = `{bar} step {step} · {rate} ${things}/s · train {train} ${name}${validation} · {left} left`
  let line: Progress | undefined
  let done = 0
  let pace: ReturnType<typeof paceOf> | undefined
  return {
    begin: (step: number): void => {
      line = start(format, 1000, { step: `${step}`, rate: '…', train: '…', validation: '…', left: '…' })
    },
    /** Takes a figure, examples per second, and the seconds of training so far and to come. */
    stepped: (step: number, train: number, rate: number, seconds: number, left: number): void => {
      done = (1000 * seconds) / (seconds + left)
      line?.update(done, { step: `${step}`, train: train.toFixed(3), rate: rate.toFixed(0), left: clock(left) })
    },
    validating: (batches: number, examples?: number): void => {
      pace ??= paceOf(validations, things)
      line?.update(done, { validation: pace(batches, examples) })
    },
    validated: (figure: number): void => {
      pace = undefined
      line?.update(done, { validation: figure.toFixed(3) })
    },
    end: (): void => line?.stop(),
  }
}
