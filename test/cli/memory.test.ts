import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { affine, atShape } from 'diffeo'
import { constant } from 'diffeo/tensor'
import { adam, averaged } from 'diffeo/train'
import { expect, it } from 'vitest'
import { requireMemory, trainingBytes } from '../../src/cli/run/memory.js'
import { diffeo } from './support.js'

it('counts two states of parameters and moments, and the gradients', () => {
  // two lists of moments and an average
  expect(trainingBytes({ w: constant([10, 10], 0) }, averaged(adam()))).toBe(4 * 100 * 9)
  expect(trainingBytes(atShape([4], affine).spec, adam())).toBe(4 * 8 * 7)
})

it('refuses what needs more than there is', () => {
  const spec = { w: constant([1000, 1000], 0) }
  expect(() => requireMemory('train', spec, 2 ** 31, 2 ** 30)).toThrow(
    'train: expected a model that fits into 1.0 GB of memory, got one of 1,000,000 parameters, which needs 2.0 GB; make it smaller',
  )
  requireMemory('train', spec, 2 ** 30, 2 ** 30)
})

it.each([
  [['inspect', 'realnvp', '--width', '1024', '--blocks', '64'], 'inspect'],
  [['train', 'moons', '--couplings', '256', '--hidden', '4096,4096,4096,4096', '--steps', '1'], 'train'],
])('the command says so at once, before it allocates: %#', async (args, op) => {
  const folder = mkdtempSync(join(tmpdir(), 'diffeo-memory-'))
  const { code, err } = await diffeo(folder, ...args)
  expect(code).toBeGreaterThan(0)
  expect(err).toMatch(
    new RegExp(`${op}: expected a model that fits into [\\d.]+ GB of memory, got one of [\\d,]+ parameters`),
  )
  expect(err).not.toContain('    at ')
})
