/** `npm run test:faults`: repeats a short training, each time with another file-system call failing. */
import { spawnSync } from 'node:child_process'

const args = ['vitest', 'run', '--testTimeout=7200000', 'test/cli/faults.test.ts']
const { status } = spawnSync('npx', args, {
  stdio: 'inherit',
  shell: process.platform === 'win32',
  env: { ...process.env, DIFFEO_FAULTS: 'all' },
})
process.exitCode = status ?? 1
