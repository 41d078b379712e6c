/**
 * Signals that stop the command: Ctrl-C, SIGTERM, and SIGHUP of a terminal that closes.
 *
 * @module
 */
import { constants } from 'node:os'

const stopSignals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** The exit code of a command that a signal stopped, as shells count. */
export const codeOf = (name: 'SIGINT' | 'SIGTERM' | 'SIGHUP'): number => 128 + constants.signals[name]

type Listener = (name: (typeof stopSignals)[number]) => void

const installed = new Set<Listener>()

const listen = (listener: Listener): void => {
  for (const name of stopSignals) process.on(name, listener)
}
const unlisten = (listener: Listener): void => {
  for (const name of stopSignals) process.off(name, listener)
}

/** Hears signals. Returns how to stop. */
export const onSignal = (listener: Listener): (() => void) => {
  installed.add(listener)
  listen(listener)
  return () => {
    installed.delete(listener)
    unlisten(listener)
  }
}

/**
 * Runs code of the user's that may never return. Node calls listeners only between turns of its loop, so meanwhile there
 * are none, and a signal ends the process by its default action.
 */
export const interruptible = async <A>(run: () => Promise<A>): Promise<A> => {
  for (const listener of installed) unlisten(listener)
  try {
    return await run()
  } finally {
    for (const listener of installed) listen(listener)
  }
}
