/** The tests that `npm run mutate` runs on each change: those that it names in the environment variable MUTATE_TESTS. */
import { mergeConfig } from 'vitest/config'
import config from './vitest.config.js'

const include = (process.env['MUTATE_TESTS'] ?? '').split(',').filter((name) => name !== '')
export default mergeConfig({ ...config, test: { ...config.test, include: [] } }, { test: { include } })
