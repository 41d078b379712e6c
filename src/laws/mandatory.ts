/**
 * Laws of every bijector.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import type { AnyBijector } from '../bijector/layer.js'
import { showLatents } from '../tensor/shape.js'
import { type AnyTensor, latentTensors, trust, unwrap } from '../tensor/tensor.js'
import { denseLogDet, fromRows, rows } from './jacobian.js'
import type { Draw, Law } from './law.js'
import { agree, every, finite, lawful, negated, read, violates } from './verdict.js'

/** Example `i` of a batch, as a batch of one. */
export const example = (x: AnyTensor, i: number): AnyTensor => trust(tf.slice(unwrap(x), i, 1))
const there = (b: AnyBijector, { params, x }: Draw) => b.bind(params).forward(x)

export const mandatory = {
  finite: {
    rank: 'mandatory',
    holds: (b, draw) => {
      const [z, logDet] = there(b, draw)
      return every(
        () => finite('forward(x)', read(z)),
        () => finite('logDetJacobian', read(logDet)),
      )
    },
  },
  roundTrip: {
    rank: 'mandatory',
    holds: (b, draw) => {
      const f = b.bind(draw.params)
      const [z] = f.forward(draw.x)
      const [back] = f.inverse(z)
      return every(
        () => agree('inverse(forward(x))', read(back), read(draw.x), draw.tolerance),
        () => agree('forward(inverse(z))', read(f.forward(back)[0]), read(z), draw.tolerance),
      )
    },
  },
  oppositeLogDets: {
    rank: 'mandatory',
    holds: (b, draw) => {
      const [z, logDet] = there(b, draw)
      const [, inverse] = b.bind(draw.params).inverse(z)
      return agree('log-det of the inverse', read(inverse), negated(read(logDet)), draw.tolerance)
    },
  },
  jacobian: {
    rank: 'mandatory',
    holds: (b, draw) => {
      const f = b.bind(draw.params)
      const x = example(draw.x, 0)
      const [z, logDet] = f.forward(x)
      // gradients lose a digit more than values
      const loose = 10 * draw.tolerance
      const flat = trust(rows(z)) as AnyTensor
      const inverse = (v: AnyTensor) => f.inverse(fromRows(b.codomain)(v))[0]
      return every(
        () => agree('log-det against log |det J|', read(logDet), [denseLogDet((v) => f.forward(v)[0], x)], loose),
        () => agree('inverse log-det against log |det J|', read(f.inverse(z)[1]), [denseLogDet(inverse, flat)], loose),
      )
    },
  },
  perExample: {
    rank: 'mandatory',
    holds: (b, draw) => {
      const f = b.bind(draw.params)
      const [z, logDet] = there(b, draw)
      const [, inverse] = f.inverse(z)
      const [, alone] = f.forward(example(draw.x, 1))
      const n = unwrap(draw.x).shape[0]!
      return every(
        () => agree('the shape of the log-det', unwrap(logDet).shape, [n], 0),
        () => agree('the shape of the inverse log-det', unwrap(inverse).shape, [n], 0),
        () => agree('log-det of one example alone', read(alone), [read(logDet)[1]!], 1e-5),
      )
    },
  },
  batch: {
    rank: 'mandatory',
    holds: (b, draw) => {
      const f = b.bind(draw.params)
      const [z] = there(b, draw)
      const [back] = f.inverse(z)
      const n = unwrap(draw.x).shape[0]!
      const alone = tf.concat(Array.from({ length: n }, (_, i) => rows(f.forward(example(draw.x, i))[0])))
      const own = (i: number) => fromRows(b.codomain)(trust(tf.slice(rows(z), [i, 0], [1, -1])))
      const aloneBack = tf.concat(Array.from({ length: n }, (_, i) => rows(f.inverse(own(i))[0])))
      return every(
        () => agree('forward one by one', alone.dataSync(), rows(z).dataSync(), 1e-5),
        () => agree('inverse one by one', aloneBack.dataSync(), rows(back).dataSync(), 1e-5),
      )
    },
  },
  shapes: {
    rank: 'mandatory',
    holds: (b, draw) => {
      const [z] = there(b, draw)
      const [x] = b.bind(draw.params).inverse(z)
      const got = (of: unknown) => showLatents(latentTensors(of).map((t) => unwrap(t).shape.slice(1)))
      const [latents, events] = [got(z), got(x)]
      return latents !== showLatents(b.codomain)
        ? violates('latents', showLatents(b.codomain), latents)
        : events !== showLatents(b.domain)
          ? violates('events', showLatents(b.domain), events)
          : lawful
    },
  },
  memory: {
    rank: 'mandatory',
    holds: (b, { params, x }) => {
      const f = b.bind(params)
      const count = (call: () => readonly unknown[]) => {
        const before = tf.memory().numTensors
        const answers = new Set(call().flatMap((a) => [...latentTensors(a)]))
        answers.delete(x)
        return [tf.memory().numTensors - before, answers.size] as const
      }
      const [forward, forwardAnswers] = count(() => f.forward(x))
      const [z] = f.forward(x)
      const [inverse, inverseAnswers] = count(() => f.inverse(z).filter((t) => t !== z))
      return every(
        () => agree('tensors that forward leaves', [forward], [forwardAnswers], 0),
        () => agree('tensors that inverse leaves', [inverse], [inverseAnswers], 0),
      )
    },
  },
} satisfies Readonly<Record<string, Law>>
