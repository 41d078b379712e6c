/**
 * The kernel's own lock on an open file, `flock(2)`, which ends with its process and holds across containers. It is
 * called through koffi, which is optional. Windows has no such call.
 *
 * @module
 */
import { constants } from 'node:os'
import { importKoffi } from '../../backends/tensorflow/koffi.js'

/**
 * Tries to lock an open file until it is closed, exclusively or shared. Returns true if it is locked, false if another
 * has it, undefined if that cannot be told here.
 */
export type Flock = (fd: number, kind: 'exclusive' | 'shared') => boolean | undefined

const [SHARED, EXCLUSIVE, NOW] = [1, 2, 4]

const none: Flock = () => undefined

/** Loads the call, or one that always returns undefined. */
export const loadFlock = async (): Promise<Flock> => {
  if (process.platform === 'win32') return none
  try {
    const koffi = await importKoffi()
    const call = koffi.load(null).func('int flock(int, int)')
    return (fd, kind) => {
      if (call(fd, (kind === 'shared' ? SHARED : EXCLUSIVE) | NOW) === 0) return true
      return koffi.errno() === constants.errno.EWOULDBLOCK ? false : undefined
    }
  } catch {
    return none
  }
}
