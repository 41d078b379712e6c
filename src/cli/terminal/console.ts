/**
 * What a command may do to its surroundings: print, warn, show progress, return JSON, listen for signals. Results go to
 * stdout, everything else to stderr. With `--json` stdout holds exactly one JSON document.
 *
 * Exit codes: 0 done; 1 refused or failed, with one sentence on stderr; 128 + n stopped by signal n, everything saved;
 * 130, as of Ctrl-C, stopped by the signal of another worker; 141, as of SIGPIPE, stopped because nobody reads its
 * output.
 *
 * @module
 */
import { styleText } from 'node:util'
import { asError, type DiffeoError, describeError } from '../../error.js'
import { fileFailure } from '../../file.js'
import { printableJson } from '../../printable.js'
import { progress, type StartProgress } from '../../progress.js'
import { lostOutput, onLostOutput, writeLines, writeRaw } from './output.js'
import { codeOf, onSignal } from './signals.js'

/** How a command ended. */
export type Outcome = 'done' | 'stopped'

export interface Io {
  /** Prints a line for people; nothing with `--json`. */
  readonly say: (line: string) => void
  /** Prints a warning. */
  readonly warn: (line: string) => void
  /** Prints the result for programs; nothing without `--json`. */
  readonly result: (value: unknown) => void
  /** Starts a line of progress, in terminals only. */
  readonly progress: StartProgress
  /** Aborted by the first signal after `hold`, or when output can no longer be written. */
  readonly signal: AbortSignal
  /**
   * Declares that there is something to lose: the first signal then asks to stop and prints a sentence, by default that
   * of training. Returns how to release it.
   */
  readonly hold: (sentence?: string) => () => void
}

/** The flags of every command. */
export interface GlobalFlags {
  readonly json?: boolean
  readonly color: boolean
}

/**
 * Colours text for a stream, if it is a terminal with colours and neither `NO_COLOR` nor `--no-color` forbids them.
 * `FORCE_COLOR` colours everywhere.
 */
export const paint = (
  stream: Pick<NodeJS.WriteStream, 'isTTY' | 'hasColors'>,
  allowed: boolean,
  env: Readonly<Record<string, string | undefined>> = process.env,
): ((format: 'red' | 'yellow', text: string) => string) => {
  const forced = !['0', 'false', undefined].includes(env['FORCE_COLOR'])
  const coloured = allowed && (stream.isTTY ? stream.hasColors(env) : forced)
  // decided here, because Node would ask stdout, which may be a pipe where stderr is not
  return (format, text) => (coloured ? styleText(format, text, { validateStream: false }) : text)
}

/** Prints an error and sets the exit code. */
export const fail = (error: DiffeoError, { json = false, color }: GlobalFlags): void => {
  const red = paint(process.stderr, color)
  if (json) writeRaw(process.stderr, `${printableJson({ error })}\n`)
  else writeRaw(process.stderr, `${red('red', 'diffeo:')} ${describeError(error)}\n`)
  process.exitCode = 1
}

/** Prints an unexpected failure, a bug, with its stack, and sets the exit code. */
export const crash = (thrown: unknown): void => {
  const stack = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown)
  writeLines(process.stderr, `diffeo: ${stack}`)
  process.exitCode = 1
}

/** Fails if results could not be written to stdout. Output that nobody reads is no failure. */
export const checkOutput = async (flags: GlobalFlags): Promise<void> => {
  // streams report errors a turn later
  await new Promise((resolve) => setImmediate(resolve))
  const lost = lostOutput()
  if (lost !== undefined && !lost.isUnread) fail(fileFailure('write', 'stdout')(lost.error), flags)
}

/** Does optional work: an expected failure becomes a warning. */
export const warnIfFails = async <A>(work: () => Promise<A>, { warn }: Pick<Io, 'warn'>): Promise<A | undefined> => {
  try {
    return await work()
  } catch (thrown) {
    warn(describeError(asError(thrown)))
    return undefined
  }
}

/** Runs a command to its end, and listens for signals meanwhile. What it throws is caught by `run` in `program.ts`. */
export const perform = async (command: (io: Io) => Promise<Outcome>, flags: GlobalFlags): Promise<void> => {
  const stop = new AbortController()
  const { json = false, color } = flags
  const yellow = paint(process.stderr, color)
  const held: string[] = []
  let code = codeOf('SIGINT')
  const stopListening = onSignal((name) => {
    code = codeOf(name)
    if (held.length === 0 || stop.signal.aborted) process.exit(code)
    writeLines(process.stderr, `\n${held.at(-1)}`)
    stop.abort()
  })
  const stopOnLostOutput = (): (() => void) =>
    onLostOutput((lost) => {
      if (stop.signal.aborted) return
      code = lost.code
      stop.abort()
    })
  const io: Io = {
    say: (line) => void (json || writeLines(process.stdout, line)),
    warn: (line) => writeLines(process.stderr, line, (text) => yellow('yellow', text)),
    result: (value) => void (json && writeRaw(process.stdout, `${printableJson(value)}\n`)),
    progress: progress(json ? undefined : process.stderr),
    signal: stop.signal,
    hold: (sentence = 'stopping after this step (again: at once, back to the last checkpoint)') => {
      held.push(sentence)
      const ignoreOutput = stopOnLostOutput()
      return () => {
        held.splice(held.indexOf(sentence), 1)
        ignoreOutput()
      }
    },
  }
  try {
    if ((await command(io)) === 'stopped') process.exitCode = code
  } finally {
    stopListening()
  }
}
