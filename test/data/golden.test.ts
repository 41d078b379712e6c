/**
 * What a seed decides, pinned by values, and from keys that share no draw. A change here changes every run: a resumed
 * one would train on what it is tested on.
 */
import { writeFileSync } from 'node:fs'
import { key } from 'diffeo'
import {
  batchIndices,
  evaluationBatches,
  firstIndices,
  holdOut,
  inMemory,
  loadData,
  planes,
  trainBatches,
} from 'diffeo/data'
import { ready } from 'diffeo/engine'
import { permutation } from 'diffeo/tensor'
import { beforeAll, describe, expect, it, vi } from 'vitest'
import { defaultRecipe, type Recipe } from '../../src/cli/run/config.js'
import { type Examples, keysOf, loadDataSet } from '../../src/cli/run/examples.js'
import { values } from '../support.js'
import { npyBytes, ownFolder } from './files.js'

const drawn = vi.hoisted(() => ({ keys: [] as string[] }))
vi.mock('../../src/tensor/random.js', async (original) => {
  const random = await original<typeof import('../../src/tensor/random.js')>()
  const recorded =
    <A, B>(draw: (key: readonly [number, number], size: A) => B) =>
    (from: readonly [number, number], size: A): B => {
      drawn.keys.push(from.join())
      return draw(from, size)
    }
  return {
    ...random,
    uniformArray: recorded(random.uniformArray),
    normalArray: recorded(random.normalArray),
    permutation: recorded(random.permutation),
  }
})

beforeAll(() => ready())
const at = ownFolder()
const rounded = (list: ArrayLike<number>, n = 4): readonly number[] =>
  Array.from(list)
    .slice(0, n)
    .map((v) => Number(v.toFixed(4)))

/** Forty images of one pixel, whose level is their number. */
const numbered = (): string => {
  writeFileSync(
    at('forty.npy'),
    npyBytes("{'descr': '|u1', 'fortran_order': False, 'shape': (40, 1, 1), }", Uint8Array.from(firstIndices(40))),
  )
  return at('forty.npy')
}
const recipe = (shape: readonly number[], more: Partial<Recipe> = {}): Recipe => ({
  ...defaultRecipe(shape),
  batch: 4,
  validation: 6,
  ...more,
})
const levels = async (x: unknown): Promise<readonly number[]> => values(await x).map(Math.floor)

describe('pinned values', () => {
  it('hold-out', () => {
    const { train, validation } = holdOut(key(0), 4, 12)
    expect([[...validation], [...train]]).toMatchInlineSnapshot(`
      [
        [
          6,
          11,
          0,
          5,
        ],
        [
          1,
          2,
          3,
          4,
          7,
          8,
          9,
          10,
        ],
      ]
    `)
  })
  it('batch order, over the end of an epoch', () => {
    const batch = batchIndices(key(0), 4, 10)
    expect([0, 1, 2, 3].map((step) => [...batch(step)])).toMatchInlineSnapshot(`
      [
        [
          4,
          2,
          8,
          0,
        ],
        [
          5,
          7,
          6,
          1,
        ],
        [
          0,
          2,
          1,
          5,
        ],
        [
          6,
          7,
          3,
          4,
        ],
      ]
    `)
  })
  it('permutation', () =>
    expect([...permutation(key(7), 10)]).toMatchInlineSnapshot(`
    [
      2,
      5,
      1,
      3,
      9,
      0,
      6,
      4,
      7,
      8,
    ]
  `))
  it('training batches with flips', async () => {
    const set = inMemory({ name: 'two', shape: [1, 2, 1], images: Uint8Array.from(firstIndices(24)) })
    const batch = trainBatches(set, key(0), 3, { flips: true })
    expect([
      await levels(batch(0)),
      await levels(batch(5)),
      rounded(values(await batch(0)).map((v) => v % 1)),
    ]).toMatchInlineSnapshot(`
      [
        [
          12,
          13,
          20,
          21,
          2,
          3,
        ],
        [
          2,
          3,
          15,
          14,
          11,
          10,
        ],
        [
          0.2723,
          0.8403,
          0.1204,
          0.9863,
        ],
      ]
    `)
  })
  it('evaluation noise', async () => {
    const set = inMemory({ name: 'black', shape: [1, 1, 1], images: new Uint8Array(4) })
    const { at: batch } = evaluationBatches(set, key(0), 2)
    expect([rounded(values(await batch(0))), rounded(values(await batch(1)))]).toMatchInlineSnapshot(`
      [
        [
          0.384,
          0.4429,
        ],
        [
          0.8325,
          0.2147,
        ],
      ]
    `)
  })
  it('the parts of a data set, whatever is held out of which', async () => {
    const parts = async (seed: number, validation?: number) => {
      const data = await loadData({
        name: 'npy',
        folder: numbered(),
        seed,
        ...(validation === undefined ? {} : { validation }),
      })
      return Object.fromEntries(
        await Promise.all(
          (['test', 'validation', 'train'] as const).map(async (part) => [
            part,
            [...(await data[part].read(firstIndices(data[part].count)))].join(' '),
          ]),
        ),
      )
    }
    expect([await parts(0, 6), await parts(1)]).toMatchInlineSnapshot(`
      [
        {
          "test": "32 34 17 21",
          "train": "0 1 3 4 5 6 7 9 10 11 12 13 14 15 16 18 20 22 23 24 26 28 29 30 31 35 36 37 38 39",
          "validation": "19 2 8 27 25 33",
        },
        {
          "test": "24 22 4 13",
          "train": "0 2 3 5 6 7 8 9 10 11 12 14 15 16 17 18 19 20 21 23 26 27 28 29 30 31 32 33 34 35 36 38 39",
          "validation": "25 1 37",
        },
      ]
    `)
  })
  it('the examples of a run on images', async () => {
    const set = await loadDataSet({ name: 'npy', folder: numbered() }, { seed: 0, validation: 6 })
    const { batch, validation, test, large, limited } = set.examples(recipe([1, 1, 1], { limit: 5 }))
    expect({
      batch: [await levels(batch(0)), await levels(batch(1))],
      validation: rounded(values(await validation.at(0)), 6),
      large: rounded(values(await large.at(0)), 6),
      test: rounded(values(await test.at(0))),
      limited: await levels(limited!.at(0)),
    }).toMatchInlineSnapshot(`
      {
        "batch": [
          [
            4,
            9,
            20,
            13,
          ],
          [
            20,
            13,
            9,
            4,
          ],
        ],
        "large": [
          19.7313,
          2.7971,
          8.9867,
          27.2363,
          25.0798,
          33.0679,
        ],
        "limited": [
          13,
          20,
          23,
          9,
          4,
        ],
        "test": [
          32.8858,
          34.7328,
          17.3601,
          21.2044,
        ],
        "validation": [
          19.7313,
          2.7971,
          8.9867,
          27.2363,
          25.0798,
          33.0679,
        ],
      }
    `)
  })
  it('the examples of a run on points', async () => {
    const set = await loadDataSet({ name: 'moons' }, { seed: 0 })
    const { batch, validation, test, large } = set.examples(recipe([2]))
    expect({
      batch: [rounded(values(await batch(0))), rounded(values(await batch(1)))],
      validation: rounded(values(await validation.at(0))),
      large: rounded(values(await large.at(0))),
      test: [rounded(values(await test.at(0))), rounded(values(await test.at(9)))],
    }).toMatchInlineSnapshot(`
      {
        "batch": [
          [
            1.1735,
            -0.4924,
            -0.8507,
            0.2161,
          ],
          [
            -1.0235,
            0.0219,
            0.3546,
            0.9076,
          ],
        ],
        "large": [
          -0.2251,
          0.9563,
          1.0564,
          -0.4548,
        ],
        "test": [
          [
            0.9168,
            0.5986,
            0.1781,
            0.9073,
          ],
          [
            0.4439,
            0.886,
            1.7339,
            -0.2004,
          ],
        ],
        "validation": [
          -0.2251,
          0.9563,
          1.0564,
          -0.4548,
        ],
      }
    `)
  })
  it('the samples of each density', () =>
    expect(
      Object.entries(planes).map(([name, toy]) => [name, ...rounded(toy.sample(key(0), 2))].join(' ')),
    ).toMatchInlineSnapshot(`
      [
        "moons 0.5323 -0.4192 0.5675 -0.4072",
        "circles -0.3402 0.3732 -0.2637 0.389",
        "eight-gaussians -2.2188 -2.1389 -1.8161 -2.1309",
        "twenty-five-gaussians -2.0309 1.9804 -1.974 1.9815",
        "rings -0.578 -2.2185 -0.6973 -2.1548",
        "checkerboard 1.5288 1.1801 1.6314 1.8031",
        "pinwheel -0.6734 -1.4851 -0.4135 -2.2759",
        "spirals 1.4206 1.1084 1.4456 1.1862",
        "correlated-normal -1.0655 -1.3199 0.5837 -0.5229",
      ]
    `))
})

describe('keys', () => {
  it('of the purposes of a seed differ, for neighbouring seeds too', () => {
    const all = [0, 1, 2].flatMap((seed) => Object.values(keysOf(seed)).map(String))
    expect(new Set(all).size).toBe(all.length)
  })
  /** The keys that are drawn from while something is read. */
  const keysIn = async (read: () => unknown): Promise<readonly string[]> => {
    drawn.keys.length = 0
    await read()
    return [...new Set(drawn.keys)]
  }
  const disjoint = (purposes: Readonly<Record<string, readonly string[]>>): void => {
    const all = Object.values(purposes).flat()
    for (const [purpose, keys] of Object.entries(purposes)) expect(keys.length, purpose).toBeGreaterThan(0)
    const twice = all.filter((k, i) => all.indexOf(k) !== i)
    expect(
      Object.entries(purposes).flatMap(([name, keys]) => (keys.some((k) => twice.includes(k)) ? [name] : [])),
    ).toEqual([])
  }
  const steps = async (examples: Examples): Promise<void> => {
    for (let step = 0; step < 20; step++) await examples.batch(step)
  }
  const batches = async ({ count, at: batch }: Examples['test']): Promise<void> => {
    for (let i = 0; i < count; i++) await batch(i)
  }
  it('that a run on images draws from are used once', async () => {
    const open = () => loadDataSet({ name: 'npy', folder: numbered() }, { seed: 3, validation: 6 })
    const split = await keysIn(open)
    expect(split.length).toBe(2)
    const set = await open()
    let examples: Examples | undefined
    const limit = await keysIn(() => {
      examples = set.examples(recipe([1, 1, 1], { seed: 3, limit: 20 }))
    })
    const { init, sample } = keysOf(3)
    const { normalArray, foldIn } = await import('../../src/tensor/random.js')
    const derived = (parent: typeof init) =>
      keysIn(() => {
        for (const i of firstIndices(8)) normalArray(foldIn(parent, i), 1)
      })
    disjoint({
      split,
      limit,
      training: await keysIn(() => steps(examples!)),
      validation: await keysIn(() => batches(examples!.validation)),
      test: await keysIn(() => batches(examples!.test)),
      limited: await keysIn(() => batches(examples!.limited!)),
      init: await derived(init),
      sample: await derived(sample),
    })
  })
  it('that a run on points draws from are used once', async () => {
    const set = await loadDataSet({ name: 'moons' }, { seed: 3 })
    const examples = set.examples(recipe([2], { seed: 3 }))
    disjoint({
      training: await keysIn(() => steps(examples)),
      validation: await keysIn(() => batches(examples.validation)),
      test: await keysIn(() => batches(examples.test)),
    })
  })
})
