/**
 * Loads fast-check, an optional peer, and reports in one sentence if it is missing.
 *
 * @module
 */
import { DiffeoException, usageError } from '../error.js'

type FastCheck = typeof import('fast-check')

/** As it is thrown while a module loads, where a stack says nothing. */
const missing = (): Error => {
  const sentence = new DiffeoException(
    usageError('diffeo/laws', 'the package fast-check', 'none', 'run npm install --save-dev fast-check'),
  )
  sentence.stack = sentence.message
  return sentence
}

export const fc: FastCheck = await import('fast-check').catch((failure: NodeJS.ErrnoException) => {
  // Node's code, or what bundlers and runners with a resolution of their own say instead
  throw failure.code === 'ERR_MODULE_NOT_FOUND' || /(find|resolve).*fast-check/i.test(failure.message)
    ? missing()
    : failure
})
