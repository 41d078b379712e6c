/**
 * Calls of the file system that a test hears of before they are made, and may fail. Plain JavaScript, so that a process
 * under test can load it before anything else.
 */
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'

/** Names of functions by the kind of call. */
const kinds = {
  open: ['open', 'openSync'],
  write: ['writeFile', 'appendFile', 'write', 'writeSync', 'writeFileSync'],
  fsync: ['sync', 'fsyncSync'],
  rename: ['rename', 'renameSync'],
  unlink: ['rm', 'unlink', 'rmdir', 'rmSync', 'unlinkSync'],
  chmod: ['chmod', 'chown'],
  mkdir: ['mkdir', 'mkdtemp', 'mkdirSync'],
  close: ['close', 'closeSync'],
  read: ['readFile', 'read', 'readdir', 'lstat', 'readSync'],
}

/**
 * Calls `hear(kind, path)` before each call; what it returns is thrown instead. A close is made all the same, as systems
 * do. Returns how to stop.
 */
export const hearCalls = async (hear) => {
  const probe = await fs.promises.open(process.execPath)
  const handle = Object.getPrototypeOf(probe)
  await probe.close()
  const paths = new Map()
  const undo = []
  const pathOf = (self, args) => {
    if (self?.constructor?.name === 'FileHandle') return paths.get(self) ?? ''
    const named = typeof args[0] === 'number' ? [paths.get(args[0]) ?? ''] : args.slice(0, 2)
    return named.filter((part) => typeof part === 'string').join(' → ')
  }
  const wrap = (object, name, kind) => {
    const call = object[name]
    if (typeof call !== 'function' || (object === handle && kind === 'open')) return
    const isSync = name.endsWith('Sync')
    const wrapped = function (...args) {
      const path = pathOf(this, args)
      const error = hear(kind, path)
      const fail = () => {
        if (isSync) throw error
        return Promise.reject(error)
      }
      if (error !== undefined && kind !== 'close') return fail()
      const result = call.apply(this, args)
      if (kind === 'open' && isSync) paths.set(result, path)
      if (kind === 'open' && !isSync)
        return result.then((opened) => {
          paths.set(opened, path)
          // Node 20 gives each handle a `close` of its own
          if (Object.hasOwn(opened, 'close')) wrap(opened, 'close', 'close')
          return opened
        })
      if (error !== undefined) return isSync ? fail() : result.then(fail)
      return result
    }
    object[name] = wrapped
    undo.push(() => {
      object[name] = call
    })
  }
  for (const [kind, names] of Object.entries(kinds))
    for (const name of names)
      if (name.endsWith('Sync')) wrap(fs, name, kind)
      else for (const object of [fs.promises, handle]) wrap(object, name, kind)
  syncBuiltinESMExports()
  return () => {
    for (const back of undo) back()
    syncBuiltinESMExports()
  }
}

const preload = (code) => ['--import', `data:text/javascript,${encodeURIComponent(code)}`]

/** Flags of Node for a process that gets a signal at its n-th call of a kind, or of any, on paths that have a text. */
export const killedAt = (kind, text, nth, signal = 'SIGKILL') =>
  preload(`
    const { hearCalls } = await import(${JSON.stringify(import.meta.url)})
    let n = 0
    await hearCalls((kind, path) => {
      if (${kind === undefined ? 'true' : `kind === ${JSON.stringify(kind)}`} && path.includes(${JSON.stringify(text)}) && ++n === ${nth})
        process.kill(process.pid, ${JSON.stringify(signal)})
    })`)

/** Of one that is killed when it says something. */
export const killedUpon = (text) =>
  preload(`
    const { write } = process.stdout
    process.stdout.write = (line, ...more) => {
      const went = write.call(process.stdout, line, ...more)
      if (String(line).includes(${JSON.stringify(text)})) process.kill(process.pid, 'SIGKILL')
      return went
    }`)
