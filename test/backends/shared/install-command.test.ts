import { expect, it } from 'vitest'
import { installCommand } from '../../../src/backends/shared/install-command.js'

it.each([
  ['npm', 'file:///p/node_modules/diffeo/dist/a.js', false, 'npm install koffi@3 --ignore-scripts'],
  [
    'pnpm',
    'file:///p/node_modules/.pnpm/diffeo@1/node_modules/diffeo/a.js',
    false,
    'pnpm add koffi@3 --ignore-scripts',
  ],
  ["Yarn's Plug'n'Play", 'file:///p/.yarn/cache/diffeo.zip/a.js', true, 'yarn add koffi@3 --mode=skip-build'],
])('a package is installed by %s', (_, path, isPlugAndPlay, command) => {
  expect(installCommand('koffi@3', path, isPlugAndPlay)).toBe(command)
})
