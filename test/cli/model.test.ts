/** Files of models: what they may export by mistake, and those that never return. */
import { rmSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { command, diffeo, main, temporary } from './support.js'

const { folder, at } = temporary('model')
const beside = resolve('dist/examples/.test-strange.mjs')
afterAll(() => {
  rmSync(folder, { recursive: true })
  rmSync(beside, { force: true })
})

const inspect = (model: string, during: Parameters<typeof command>[3] = () => undefined) =>
  command(folder, process.execPath, [main, 'inspect', model, '--shape', '2'], during)

/** In this process, from a file that was not imported before. */
let files = 0
const inspectHere = (source: string) => {
  const file = at(`strange${++files}.mjs`)
  writeFileSync(file, source)
  return diffeo(folder, 'inspect', file, '--shape', '2')
}

describe('a file that exports no model gets one sentence', () => {
  const wanted = 'expected a bijector or a layer as default or model, got'
  it.each([
    ['nothing', '', 'no export'],
    ['another name', 'export const flow = 1', 'flow'],
    ['a string', 'export default "realnvp"', 'a string as default'],
    ['a number', 'export const model = 3', 'a number as model'],
    ['null', 'export default null', 'null as default'],
    ['an array', 'export default [1]', 'an array as default; join its layers: export default compose(…)'],
    ['an object', 'export default { layers: [] }', 'an object without at as default'],
    [
      'a function',
      'export default () => 1',
      'a function as default; did you forget to call it? export what it returns',
    ],
    ['a class', 'export default class {}', 'a function as default'],
    ['a promise', 'export default Promise.resolve(1)', 'a promise as default; export default await …'],
    ['at that is no function', 'export default { at: 3 }', 'an object without at as default'],
  ])('%s', async (_, source, got) => {
    const { code, out, err } = await inspectHere(source)
    expect([code, out, err]).toEqual([1, '', expect.stringContaining(`.mjs: ${wanted} ${got}`)])
    expect(err.trim()).not.toContain('\n')
  })
  it.each([
    ['a flow', 'flow(compose(input([2])), standardNormal)', 'a flow as default; export its bijector'],
    ['a function of the library', 'actNorm', undefined],
    ['an Either', 'actNorm.at([2])', 'an Either as default; export default orThrow(…)'],
  ])('%s', async (_, value, got) => {
    writeFileSync(
      beside,
      `import { actNorm, compose, flow, input, standardNormal } from 'diffeo'\nexport default ${value}`,
    )
    const { code, err } = await inspect(beside)
    if (got === undefined) expect(code).toBe(0)
    else expect([code, err]).toEqual([1, expect.stringContaining(`${wanted} ${got}`)])
  })
  it.each([
    ['a string', '() => "x"', 'string'],
    ['null', '() => null', 'null'],
    ['a right of something', '() => ({ _tag: "Right", right: { at() {} } })', 'an object without at'],
    ['a left of something', '() => ({ _tag: "Left", left: 3 })', 'a left without an error'],
    ['a promise', 'async () => 1', 'object'],
  ])('a layer whose at returns %s', async (_, source, got) => {
    const { code, err } = await inspectHere(`export default { at: ${source} }`)
    expect([code, err]).toEqual([1, expect.stringContaining('expected a layer whose at returns a bijector, got ')])
    if (!got.includes('without at')) expect(err).toContain(`got ${got};`)
    expect(err.trim()).not.toContain('\n')
  })
  it('or throws, escape sequences and all', async () => {
    const { code, err } = await inspectHere('throw new Error("\\x1b]0;owned\\x07\\u009b2J\\u202etxt\\nmore")')
    expect(code).toBe(1)
    expect(err).toContain('got \\x1b]0;owned\\x07\\x9b2J\\u202etxt')
    writeFileSync(
      at('later.mjs'),
      'setTimeout(() => { throw new Error("\\x1b[2J\\x1b]0;owned\\x07") }); await new Promise(() => {})',
    )
    const later = await inspect(at('later.mjs'))
    expect([later.code, later.err]).toEqual([1, expect.stringContaining('diffeo: Error: \\x1b[2J\\x1b]0;owned\\x07')])
    expect(later.err).not.toContain('\x1b')
  })
})

describe('a file that never returns', () => {
  it('is a sentence if it waits for nothing that comes', async () => {
    writeFileSync(at('waits.mjs'), 'export default await new Promise(() => {})')
    const { code, err } = await inspect(at('waits.mjs'))
    expect(code).toBe(1)
    expect(err).toMatch(/^diffeo: .*waits\.mjs: expected a module that loads, got one that never finishes; check .*\n$/)
  })
  it.skipIf(process.platform === 'win32').each([
    ['loops', 'console.error("begun"); for (;;);'],
    ['loops in at', 'export default { at: () => { console.error("begun"); for (;;); } }'],
    ['waits with a timer', 'setInterval(() => {}, 1000); console.error("begun"); await new Promise(() => {})'],
  ])('can be interrupted: it %s', async (_, source) => {
    writeFileSync(at('endless.mjs'), source)
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      const { code, signal } = await inspect(at('endless.mjs'), (child) => {
        child.stderr?.once('data', () => child.kill(name))
      })
      expect([code, signal]).toEqual([null, name])
    }
  })
})
