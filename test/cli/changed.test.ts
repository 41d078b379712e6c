/** A model whose file changed after its training: its parameters fit still. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, expect, it } from 'vitest'
import { started, temporary } from './support.js'

const { folder, at } = temporary('changed')
afterAll(() => rmSync(folder, { recursive: true }))

const model = (order: string): void =>
  writeFileSync(
    at('flow.mjs'),
    `import { compose, coupling, halves, input, mlp, permute } from '${pathToFileURL(resolve('dist/src/index.js'))}'
export default compose(input([2]), coupling(halves(), mlp({ hidden: [4] })), permute(${order}), coupling(halves(), mlp({ hidden: [4] })))
`,
  )
const small = ['--batch', '8', '--validation', '100', '--validate-every', '5', '--no-report']

it('every command refuses it, and leaves what the run has', async () => {
  model('[1, 0]')
  const trained = await started(
    folder,
    'train',
    'moons',
    '--model',
    './flow.mjs',
    '--steps',
    '10',
    '--out',
    'run',
    ...small,
  )
  expect([trained.code, trained.code === 0 ? '' : trained.err]).toEqual([0, ''])
  const kept = ['evaluation.json', 'last.safetensors', 'metrics.jsonl', 'config.json'].map((name) => at(`run/${name}`))
  const before = kept.map((path) => readFileSync(path))
  model('[0, 1]')
  const file = ['--model', './flow.mjs']
  // the others read a run through the same door
  const uses = [
    ['evaluate', 'run', ...file],
    ['sample', 'run', ...file],
    ['train', 'moons', ...file, '--steps', '20', '--out', 'run', '--resume', '--no-report'],
  ]
  for (const args of uses) {
    const { code, err } = await started(folder, ...args)
    expect([args[0], code]).toEqual([args[0], 1])
    expect(err).toContain(
      'expected the model that was trained, got one that changed since, though its parameters fit; undo the change, or train anew',
    )
  }
  expect(kept.map((path) => readFileSync(path))).toEqual(before)
  model('[1, 0]')
  expect((await started(folder, 'evaluate', 'run', ...file)).code).toBe(0)
})
