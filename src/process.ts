/**
 * Other processes of this machine.
 *
 * @module
 */
import { readFileSync } from 'node:fs'
import { codeOf } from './thrown.js'

/** Whether a process is there. */
export const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch (thrown) {
    // a process that may not be signalled is there
    return codeOf(thrown) === 'EPERM'
  }
}

/** When a process started, in ticks since boot; empty if the system does not report it. */
export const startOf = (pid: number): string => {
  try {
    // the name in parentheses may hold spaces
    return readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ')[19] ?? ''
  } catch {
    return ''
  }
}
