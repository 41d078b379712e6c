// @ts-check
/** The flags of a script; a wrong flag ends it with one sentence, not a stack trace. */
import { parseArgs } from 'node:util'

/** Ends the script with a sentence. @param {string} sentence @returns {never} */
export const stop = (sentence) => {
  console.error(sentence)
  process.exit(1)
}

/**
 * `parseArgs`, but unknown flags end the script.
 *
 * @template {import('node:util').ParseArgsConfig} T
 * @param {T} config
 */
export const flagsFrom = (config) => {
  try {
    return parseArgs(config)
  } catch (thrown) {
    const valid = Object.keys(config.options ?? {}).map((name) => `--${name}`)
    return stop(`${thrown instanceof Error ? thrown.message : thrown}\nflags: ${valid.join(' ')}; see bench/README.md`)
  }
}
