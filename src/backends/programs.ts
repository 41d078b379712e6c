/**
 * The compiled programs of one function. A program belongs to shapes, so a function that is called with ever new batch
 * sizes would keep one for each: only the most recently used are kept. A program that a call uses, or waits for, is
 * freed after that call.
 *
 * @module
 */
import type { Compiled, Compiler } from './compiler.js'

/** The most programs that one function keeps. One of a flow of images holds about 10 MB. */
export const MOST_PROGRAMS = 16

/** A program, or the promise of one, and what belongs to it. */
interface Entry {
  readonly compiled: Promise<Compiled>
}

interface Slot<E extends Entry> {
  readonly entry: E
  users: number
  /** Whether it was dropped: its last user frees it. */
  dropped: boolean
}

export interface Programs<E extends Entry> {
  /** Runs `f` with the program of a compiler and a signature, which `make` compiles if there is none. */
  readonly use: <A>(
    compiler: Compiler,
    signature: string,
    make: () => E,
    f: (compiled: Compiled, entry: E) => Promise<A>,
  ) => Promise<A>
  /** Drops all of them; those not in use are freed when it returns. */
  readonly dispose: () => Promise<void>
}

export const programs = <E extends Entry>(): Programs<E> => {
  /** In the order of their last use. */
  const slots = new Map<string, Slot<E>>()
  const numbers = new Map<Compiler, number>()

  const free = async ({ entry }: Slot<E>): Promise<void> => {
    // one that could not be compiled holds nothing
    const compiled = await entry.compiled.catch(() => undefined)
    await compiled?.dispose()
  }
  const drop = async (slot: Slot<E>): Promise<void> => {
    slot.dropped = true
    if (slot.users === 0) await free(slot)
  }
  const slotOf = (key: string, make: () => E): Slot<E> => {
    const slot = slots.get(key) ?? { entry: make(), users: 0, dropped: false }
    slots.delete(key)
    slots.set(key, slot)
    return slot
  }
  const dropOldest = (): void => {
    for (const [key, slot] of [...slots].slice(0, Math.max(0, slots.size - MOST_PROGRAMS))) {
      slots.delete(key)
      // a program that cannot be freed is no reason to fail a call of another
      drop(slot).catch(() => undefined)
    }
  }
  return {
    use: async (compiler, signature, make, f) => {
      const number = numbers.get(compiler) ?? numbers.size
      numbers.set(compiler, number)
      const key = `${number} ${signature}`
      const slot = slotOf(key, make)
      slot.users++
      try {
        dropOldest()
        const compiled = await slot.entry.compiled.catch((thrown) => {
          // a failed compilation is tried again
          if (slots.get(key) === slot) slots.delete(key)
          throw thrown
        })
        return await f(compiled, slot.entry)
      } finally {
        slot.users--
        if (slot.dropped && slot.users === 0) await free(slot)
      }
    },
    dispose: async () => {
      const all = [...slots.values()]
      slots.clear()
      numbers.clear()
      await Promise.all(all.map(drop))
    },
  }
}
