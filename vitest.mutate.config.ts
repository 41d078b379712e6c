/** The tests that `npm run mutate` runs on each change: those that it names in the environment variable MUTATE_TESTS. */
import type { Reporter, Vitest } from 'vitest/node'
import config from './vitest.config.js'

const include = (process.env['MUTATE_TESTS'] ?? '').split(',').filter((name) => name !== '')

/** A test file that does not load has no test that fails: without this, Stryker takes the change for one that survived. */
const unloaded = (): Reporter => {
  let vitest: Vitest | undefined
  return {
    onInit: (own) => {
      vitest = own
    },
    onTestModuleEnd: (module) => {
      for (const error of module.errors()) vitest?.state.catchError(error, 'Test File')
    },
  }
}

export default { ...config, test: { ...config.test, include, reporters: [unloaded()] } }
