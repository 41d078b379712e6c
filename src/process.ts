/**
 * Other processes of this machine.
 *
 * @module
 */

/** Whether a process is there. */
export const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch (thrown) {
    // a process that may not be signalled is there
    return thrown instanceof Error && 'code' in thrown && thrown.code === 'EPERM'
  }
}
