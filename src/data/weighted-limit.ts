/**
 * Asynchronous tasks within a bound on the sum of their weights, such as the bytes that they hold.
 *
 * @module
 */

/**
 * Runs tasks in order of arrival, each as soon as its weight and those of the running ones are within the bound. A task
 * heavier than the bound runs alone.
 *
 * @example
 * const limit = weightedLimit(2 ** 27)
 * await Promise.all(files.map(({ path, size }) => limit(size, () => decode(path))))
 */
export const weightedLimit = (bound: number): (<A>(weight: number, task: () => Promise<A>) => Promise<A>) => {
  let used = 0
  const waiting: { readonly weight: number; readonly start: () => void }[] = []
  const startNext = (): void => {
    while (waiting.length > 0 && (used === 0 || used + waiting[0]!.weight <= bound)) {
      const { weight, start } = waiting.shift()!
      used += weight
      start()
    }
  }
  return async (weight, task) => {
    await new Promise<void>((start) => {
      waiting.push({ weight, start })
      startNext()
    })
    try {
      return await task()
    } finally {
      used -= weight
      startNext()
    }
  }
}
