/**
 * Signals that stop the command: Ctrl-C, SIGTERM, and SIGHUP of a terminal that closes, unless `nohup` says otherwise.
 *
 * @module
 */
import { readFileSync } from 'node:fs'
import { constants } from 'node:os'
import { basename } from 'node:path'

const stopSignals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** The exit code of a command that a signal stopped, as shells count. */
export const codeOf = (name: 'SIGINT' | 'SIGTERM' | 'SIGHUP'): number => 128 + constants.signals[name]

type Listener = (name: (typeof stopSignals)[number]) => void

const installed = new Set<Listener>()

/**
 * Whether the command was started to ignore SIGHUP. Node resets ignored signals before any of our code runs, so this
 * looks for `nohup` in `_`, where bash, zsh and ksh put the command that they start, and on Linux for a parent process
 * that ignores the signal, such as a script under `nohup`.
 */
const isHangupIgnored = (): boolean => {
  if (basename(process.env['_'] ?? '') === 'nohup') return true
  try {
    const status = readFileSync(`/proc/${process.ppid}/status`, 'utf8')
    const [, lowest = '0'] = /^SigIgn:\s*[\da-f]*([\da-f])$/m.exec(status) ?? []
    return Number.parseInt(lowest, 16) % 2 === constants.signals.SIGHUP
  } catch {
    return false
  }
}

/** Stays for the whole process: with no listener at all, Node would let SIGHUP end it. */
const ignore = (): void => undefined
const ignoreHangup = (): void => {
  if (!process.listeners('SIGHUP').includes(ignore)) process.on('SIGHUP', ignore)
}

const listen = (listener: Listener): void => {
  const ignoresHangup = isHangupIgnored()
  if (ignoresHangup) ignoreHangup()
  for (const name of stopSignals) if (name !== 'SIGHUP' || !ignoresHangup) process.on(name, listener)
}
const unlisten = (listener: Listener): void => {
  for (const name of stopSignals) process.off(name, listener)
}

/** Calls back on signals. Returns how to stop listening. */
export const onSignal = (listener: Listener): (() => void) => {
  installed.add(listener)
  listen(listener)
  return () => {
    installed.delete(listener)
    unlisten(listener)
  }
}

/**
 * Runs code of the user's that may never return. Node calls listeners only between turns of its event loop, so there
 * are none meanwhile, and a signal ends the process by its default action.
 */
export const interruptible = async <A>(run: () => Promise<A>): Promise<A> => {
  for (const listener of installed) unlisten(listener)
  try {
    return await run()
  } finally {
    for (const listener of installed) listen(listener)
  }
}
