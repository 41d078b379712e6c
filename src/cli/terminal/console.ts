/**
 * What a command may do to the world around it: say, warn, show progress, answer with JSON, hear of signals. Results go
 * to stdout, all else to stderr; with `--json` stdout holds one JSON document and nothing more.
 *
 * Exit codes: 0 done; 1 refused or failed, with one sentence on stderr; 128 + n stopped by signal n, everything saved;
 * 130, as of Ctrl-C, stopped by the signal of another worker; 141, as of SIGPIPE, stopped because nobody reads its output.
 *
 * @module
 */
import { styleText } from 'node:util'
import { asError, type DiffeoError, describeError } from '../../error.js'
import { fileFailure } from '../../file.js'
import { printableJson } from '../../printable.js'
import { lostOutput, onLostOutput, writeLines, writeRaw } from './output.js'
import { progress, type StartProgress } from './progress.js'
import { codeOf, onSignal } from './signals.js'

/** How a command came to its end. */
export type Outcome = 'done' | 'stopped'

export interface Io {
  /** A line for people; nothing with `--json`. */
  readonly say: (line: string) => void
  /** A line that everyone should see. */
  readonly warn: (line: string) => void
  /** The result for programs; nothing without `--json`. */
  readonly result: (value: unknown) => void
  /** A line that is drawn again and again: in a terminal alone. */
  readonly progress: StartProgress
  /** Aborted by the first signal while something is held, or when output can no longer be written. */
  readonly signal: AbortSignal
  /**
   * From here on there is something to lose: the first signal asks to stop, which is answered by a sentence, by default
   * that of training. Answers how to let go again.
   */
  readonly hold: (sentence?: string) => () => void
}

/** The flags that every command takes. */
export interface GlobalFlags {
  readonly json?: boolean
  readonly color: boolean
}

/**
 * Colours text for a stream: if it is a terminal that has them, and nobody said no (`NO_COLOR`, `--no-color`); with
 * `FORCE_COLOR` anywhere.
 */
export const paint = (
  stream: Pick<NodeJS.WriteStream, 'isTTY' | 'hasColors'>,
  allowed: boolean,
  env: Readonly<Record<string, string | undefined>> = process.env,
): ((format: 'red' | 'yellow', text: string) => string) => {
  const forced = !['0', 'false', undefined].includes(env['FORCE_COLOR'])
  const coloured = allowed && (stream.isTTY ? stream.hasColors(env) : forced)
  // whether to is settled here: Node would ask stdout, which may be a pipe where stderr is not
  return (format, text) => (coloured ? styleText(format, text, { validateStream: false }) : text)
}

/** Says what went wrong and sets the exit code. */
export const fail = (error: DiffeoError, { json = false, color }: GlobalFlags): void => {
  const red = paint(process.stderr, color)
  if (json) writeRaw(process.stderr, `${printableJson({ error })}\n`)
  else writeRaw(process.stderr, `${red('red', 'diffeo:')} ${describeError(error)}\n`)
  process.exitCode = 1
}

/** What is no expected failure is a fault of the program: its stack helps to report it. */
export const crash = (thrown: unknown): void => {
  const stack = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown)
  writeLines(process.stderr, `diffeo: ${stack}`)
  process.exitCode = 1
}

/** Fails where results could not be written to stdout; one that nobody reads is no failure. */
export const checkOutput = async (flags: GlobalFlags): Promise<void> => {
  // streams report errors a turn later
  await new Promise((resolve) => setImmediate(resolve))
  const lost = lostOutput()
  if (lost !== undefined && !lost.isUnread) fail(fileFailure('write', 'stdout')(lost.error), flags)
}

/** Does what a command can go on without: an expected failure becomes a warning. */
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
