/**
 * What a command may do to the world around it: say, warn, show progress, answer with JSON, hear of signals. Results go
 * to stdout, all else to stderr; with `--json` stdout holds one JSON document and nothing more.
 *
 * Exit codes: 0 done; 1 refused or failed, with one sentence on stderr; 128 + n stopped by signal n, everything saved;
 * 130, as of Ctrl-C, stopped by the signal of another worker.
 *
 * @module
 */
import { constants } from 'node:os'
import { styleText } from 'node:util'
import * as E from 'fp-ts/lib/Either.js'
import type * as TE from 'fp-ts/lib/TaskEither.js'
import { type DiffeoError, DiffeoException, describeError } from '../error.js'
import { progress, type StartProgress } from './progress.js'

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
  /** Aborted by the first signal while something is held. */
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
  process.stderr.write(json ? `${JSON.stringify({ error })}\n` : `${red('red', 'diffeo:')} ${describeError(error)}\n`)
  process.exitCode = 1
}

const stopSignals = ['SIGINT', 'SIGTERM'] as const

/** Runs a command to its end: the one place where a task of a command starts. */
export const perform = async (
  command: (io: Io) => TE.TaskEither<DiffeoError, Outcome>,
  flags: GlobalFlags,
): Promise<void> => {
  const stop = new AbortController()
  const { json = false, color } = flags
  const yellow = paint(process.stderr, color)
  const held: string[] = []
  let code = 128 + constants.signals.SIGINT
  const onSignal = (name: (typeof stopSignals)[number]): void => {
    code = 128 + constants.signals[name]
    if (held.length === 0 || stop.signal.aborted) process.exit(code)
    process.stderr.write(`\n${held.at(-1)}\n`)
    stop.abort()
  }
  for (const name of stopSignals) process.on(name, onSignal)
  const io: Io = {
    say: (line) => void (json || process.stdout.write(`${line}\n`)),
    warn: (line) => void process.stderr.write(`${yellow('yellow', line)}\n`),
    result: (value) => void (json && process.stdout.write(`${JSON.stringify(value)}\n`)),
    progress: progress(json ? undefined : process.stderr),
    signal: stop.signal,
    hold: (sentence = 'stopping after this step (again: at once, back to the last checkpoint)') => {
      held.push(sentence)
      return () => void held.splice(held.indexOf(sentence), 1)
    },
  }
  try {
    const outcome = await command(io)()
    if (E.isLeft(outcome)) fail(outcome.left, flags)
    else if (outcome.right === 'stopped') process.exitCode = code
  } catch (thrown) {
    if (!(thrown instanceof DiffeoException)) throw thrown
    fail(thrown.error, flags)
  } finally {
    for (const name of stopSignals) process.off(name, onSignal)
  }
}
