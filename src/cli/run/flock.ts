/**
 * The kernel's own lock on an open file, `flock(2)`: of a process that lives, in whatever container, and of no other. It
 * is called through koffi, which is optional; Windows has no such call.
 *
 * @module
 */
import { constants } from 'node:os'
import { importKoffi } from '../../backends/tensorflow/koffi.js'

/**
 * Tries to lock an open file, until it is closed: for itself alone, or together with others. True: it is locked; false:
 * another has it; undefined: nobody can tell here.
 */
export type Flock = (fd: number, kind: 'exclusive' | 'shared') => boolean | undefined

const [SHARED, EXCLUSIVE, NOW] = [1, 2, 4]

const none: Flock = () => undefined

/** The call, or one that can never tell. */
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
