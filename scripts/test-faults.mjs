/** `npm run test:faults`: fails every call of the file system that a short training makes, one after the other. */
import { spawnSync } from 'node:child_process'

const args = ['vitest', 'run', '--testTimeout=7200000', 'test/cli/faults.test.ts']
const { status } = spawnSync('npx', args, {
  stdio: 'inherit',
  shell: process.platform === 'win32',
  env: { ...process.env, DIFFEO_FAULTS: 'all' },
})
process.exitCode = status ?? 1
