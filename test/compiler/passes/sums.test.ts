import * as tf from '@tensorflow/tfjs-core'
import { ready } from 'diffeo/engine'
import { beforeAll, describe, expect, it } from 'vitest'
import { gatherSums } from '../../../src/compiler/passes/sums.js'
import { agrees, kernelsOf, programOf } from '../agree.js'
import type { Operation } from '../functions.js'

beforeAll(async () => {
  await ready('cpu')
})

const shapes = [[5], [5], [5], [5]]

describe('a sum', () => {
  const cases: Readonly<Record<string, readonly [Operation, readonly string[]]>> = {
    'of four vectors is one call': [{ f: (a, b, c, d) => tf.add(tf.add(a!, b!), tf.add(c!, d!)), shapes }, ['AddN']],
    'with terms that repeat is one call': [
      { f: (a, b, c) => tf.add(tf.add(a!, b!), c!), shapes: [[4, 5], [5], [4, 1]] },
      ['AddN'],
    ],
    'that is read again stays a call of its own': [
      {
        f: (a, b, c, d) => {
          const inner = tf.add(a!, b!)
          return tf.mul(tf.add(tf.add(inner, c!), d!), inner)
        },
        shapes,
      },
      ['Add', 'AddN', 'Multiply'],
    ],
    'of two stays as it is': [{ f: (a, b) => tf.add(a!, b!), shapes: shapes.slice(2) }, ['Add']],
    'of images stays as it is': [
      { f: (a, b, c) => tf.add(tf.add(a!, b!), c!), shapes: Array(3).fill([2, 3, 3, 1]) },
      ['Add', 'Add'],
    ],
  }
  it.each(Object.entries(cases))('%s', async (_, [own, wanted]) => {
    expect(kernelsOf(gatherSums(programOf(own)))).toEqual(wanted)
    await agrees(own, ['onnxruntime'])
  })
})
