/** The error handling of a process stays the program's own, whichever engine is loaded. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'

const folder = mkdtempSync(join(tmpdir(), 'diffeo-listeners-'))
afterAll(() => rmSync(folder, { recursive: true }))
const diffeo = JSON.stringify(pathToFileURL(resolve('dist/src/entry/engine.js')).href)

let programs = 0
const run = (text: string, ...flags: readonly string[]) => {
  const path = join(folder, `program${programs++}.mjs`)
  writeFileSync(path, `import { ready } from ${diffeo}\n${text}`)
  const { status, stdout, stderr } = spawnSync('node', [...flags, path], { encoding: 'utf8' })
  return { status, stdout, stderr, path }
}
const throwLater = `setTimeout(() => { throw new Error('mine') }, 1)`
const rejectLater = `setTimeout(() => { Promise.reject(new Error('mine')) }, 1)`

describe.each(['onnxruntime', 'wasm'])('after ready(%j)', (engine) => {
  it('the handlers of the program decide', () => {
    const { status, stdout, stderr } = run(`
      process.on('uncaughtException', (error) => { console.log('exception', error.message); process.exitCode = 3 })
      process.on('unhandledRejection', (reason) => console.log('rejection', reason.message))
      await ready('${engine}')
      ${throwLater}
      ${rejectLater}`)
    expect([status, stdout, stderr]).toEqual([3, 'exception mine\nrejection mine\n', ''])
  })
  it.each([
    ['an exception', throwLater, []],
    ['a rejection', rejectLater, []],
    ['an exception with source maps', throwLater, ['--enable-source-maps']],
  ] as const)('%s without a handler ends with code 1 and the stack of the program', (_, fail, flags) => {
    const { status, stderr, path } = run(`await ready('${engine}')\n${fail}`, ...flags)
    expect(status).toBe(1)
    expect(stderr).toContain('Error: mine\n    at ')
    expect(stderr).toContain(path)
    expect(stderr).not.toContain('ExitStatus')
    expect(stderr.length).toBeLessThan(1000)
  })
  it('the same in a worker thread', () => {
    const { status, stdout, stderr } = run(`
      import { isMainThread, Worker } from 'node:worker_threads'
      if (isMainThread) new Worker(new URL(import.meta.url)).on('error', (error) => console.log('worker', error.message))
      else {
        await ready('${engine}')
        console.log(process.listenerCount('uncaughtException'), process.listenerCount('unhandledRejection'))
        ${throwLater}
      }`)
    expect([status, stdout, stderr]).toEqual([0, '0 0\nworker mine\n', ''])
  })
  it('what the program adds during the load stays, and handles what it throws meanwhile', () => {
    const { status, stdout, stderr } = run(`
      const before = process.listenerCount('newListener')
      const own = function (reason) { throw reason }
      const handler = (error) => console.log('exception', error.message)
      const loads = [ready('${engine}'), ready('${engine}')]
      process.on('unhandledRejection', own)
      // again and again while the engines load
      let loading = true
      const added = []
      const add = () => {
        const listener = function (ex) { if (!(ex instanceof Error)) throw ex }
        process.on('uncaughtException', listener)
        added.push(listener)
        if (loading) setTimeout(add, 1)
      }
      process.setMaxListeners(0)
      process.on('uncaughtException', handler)
      add()
      setTimeout(() => { throw new Error('meanwhile') }, 0)
      await Promise.all(loads).finally(() => { loading = false })
      await new Promise((resolve) => setImmediate(resolve))
      console.log(process.listeners('unhandledRejection').length === 1 && process.listeners('unhandledRejection')[0] === own)
      console.log(process.listeners('uncaughtException').length === added.length + 1)
      console.log(process.listenerCount('newListener') === before)`)
    expect([status, stdout, stderr]).toEqual([0, 'exception meanwhile\ntrue\ntrue\ntrue\n', ''])
  })
})

it('the command has its own listener alone, which escapes what a crash prints', () => {
  const count = join(folder, 'count.mjs')
  writeFileSync(
    count,
    `process.on('exit', () =>
      console.log('listeners', process.listenerCount('uncaughtException') + process.listenerCount('unhandledRejection')))`,
  )
  const args = ['--import', pathToFileURL(count).href, 'dist/src/cli/main.js']
  const { status, stdout } = spawnSync(
    'node',
    [...args, 'train', 'moons', '--steps', '1', '--no-report', '--out', join(folder, 'run')],
    { encoding: 'utf8' },
  )
  expect(status).toBe(0)
  expect(stdout).toContain('listeners 1\n')
})
