import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

export default defineConfig({
  resolve: {
    alias: [{ find: /^diffeo$/, replacement: fileURLToPath(new URL('../../dist/src/index.js', import.meta.url)) }],
  },
  test: { include: ['test/realms/vitest.test.mjs'], pool: 'vmThreads', testTimeout: 60_000 },
})
