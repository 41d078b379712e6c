import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

const at = (path) => fileURLToPath(new URL(`../../dist/src/${path}`, import.meta.url))

export default defineConfig({
  resolve: {
    alias: [
      { find: /^diffeo$/, replacement: at('index.js') },
      { find: /^diffeo\/(data|image|engine|tensor|train|fp)$/, replacement: at('entry/$1.js') },
    ],
  },
  test: { include: ['test/realms/vitest.test.mjs'], pool: 'vmThreads', testTimeout: 60_000 },
})
