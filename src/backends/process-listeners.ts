/**
 * Keeps the error handling of a process the program's own. Emscripten's loader, inside the wasm backend, adds listeners
 * of `uncaughtException` and `unhandledRejection` that throw again whatever the program threw: Node then ends with code 7
 * and prints the loader's source.
 *
 * @module
 */
import type { AsyncLocalStorage } from 'node:async_hooks'

const events: readonly (string | symbol)[] = ['uncaughtException', 'unhandledRejection', 'uncaughtExceptionMonitor']

/**
 * Runs `load`, and removes the process's error listeners that it adds, each as soon as the call that adds it has
 * returned. What others add meanwhile stays: the listeners are told apart by their asynchronous context. Browsers have
 * no such listeners.
 */
export const withoutErrorListeners = <A>(load: () => Promise<A>): Promise<A> => {
  const { process } = globalThis
  // a name that bundlers for browsers do not see
  const hooks = process?.getBuiltinModule?.('node:async_hooks')
  if (hooks === undefined) return load()
  const loading: AsyncLocalStorage<true> = new hooks.AsyncLocalStorage()
  const remove = (event: string | symbol, listener: (...args: unknown[]) => void): void => {
    if (events.includes(event) && loading.getStore()) queueMicrotask(() => process.off(event, listener))
  }
  process.on('newListener', remove)
  return loading.run(true, load).finally(() => process.off('newListener', remove))
}
