/**
 * `npm run test:tensorflow`: runs the tests of engines on the engine `tensorflow`, or prints what is missing.
 */
import { spawnSync } from 'node:child_process'
import { findLibrary } from '../dist/src/backends/tensorflow/install/find.js'

const tests = [
  'test/compiler',
  'test/backends',
  'test/jit.test.ts',
  'test/bijector/engine.test.ts',
  'test/cli/cluster.test.ts',
  'test/cli/commands.test.ts',
]

try {
  const { folder } = findLibrary()
  console.log(`the library in ${folder}`)
  // on a busy machine, compiling a step of a whole model takes minutes
  const vitest = ['node_modules/vitest/vitest.mjs', 'run', '--testTimeout=300000', ...tests]
  const { status } = spawnSync(process.execPath, vitest, {
    stdio: 'inherit',
    env: { ...process.env, DIFFEO_TEST_ENGINE: 'tensorflow' },
  })
  process.exitCode = status ?? 1
} catch (thrown) {
  console.error(thrown.message)
  process.exitCode = 1
}
