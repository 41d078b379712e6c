import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url))

export default defineConfig({
  resolve: {
    alias: [
      { find: /^diffeo\/laws$/, replacement: at('./src/laws/index.ts') },
      { find: /^diffeo\/(data|image|engine|tensor|train|fp)$/, replacement: at('./src/entry/$1.ts') },
      { find: /^diffeo$/, replacement: at('./src/index.ts') },
    ],
  },
  test: {
    include: ['test/**/*.test.ts'],
    // a busy machine is no failure
    testTimeout: 180_000,
    hookTimeout: 180_000,
    pool: 'forks',
    // the files that no test loads count too
    coverage: { include: ['src/**/*.ts'], reporter: ['text', 'html'] },
  },
})
