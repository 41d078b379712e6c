import * as tf from '@tensorflow/tfjs-core'
import { affine, atShape, Diffeo, key, sigmoid } from 'diffeo'
import { randomBatch } from 'diffeo/laws'
import * as T from 'diffeo/tensor'
import { type AnyTensor, type BatchOf, unwrap } from 'diffeo/tensor'
import { describe, expect, it } from 'vitest'
import { randomParams, values } from '../support.js'

type Pair = BatchOf<readonly [2]>
const b = atShape([2], affine)
const f = b.bind(randomParams(b, key(1)))
const g = atShape([2], sigmoid).bind({})
const draw = (seed: number) => randomBatch([2], [-2, 2], 3, key(seed)) as Pair
const close = (got: AnyTensor, expected: AnyTensor) => {
  values(expected).forEach((v, i) => {
    expect(values(got)[i]).toBeCloseTo(v, 5)
  })
}

describe('both', () => {
  it('acts on each of a pair, and adds their log-dets', () => {
    tf.tidy(() => {
      const [x, y] = [draw(1), draw(2)]
      const [[z, w], logDet] = Diffeo.both(f, g).forward([x, y])
      const [[first, firstLogDet], [second, secondLogDet]] = [f.forward(x), g.forward(y)]
      close(z, first)
      close(w, second)
      close(logDet, T.add(secondLogDet)(firstLogDet))
      const [[back, forth], inverseLogDet] = Diffeo.both(f, g).inverse([z, w])
      close(back, x)
      close(forth, y)
      close(inverseLogDet, T.neg(logDet))
    })
  })
})

describe('log |det J| alone', () => {
  it('is what forward and inverse answer', () => {
    tf.tidy(() => {
      const x = draw(3)
      const [z, logDet] = f.forward(x)
      expect(values(Diffeo.logDetJacobian(f)(x))).toEqual(values(logDet))
      expect(values(Diffeo.inverseLogDetJacobian(f)(z))).toEqual(values(f.inverse(z)[1]))
    })
  })
})

describe('fromForward', () => {
  it('takes the log-det of the inverse from the point it came from', () => {
    const cube = Diffeo.fromForward<Pair, Pair>(
      (x) => T.mul(T.square(x))(x),
      (y) => T.mul(T.exp(T.times(1 / 3)(T.log(T.abs(y)))))(T.tanh(T.times(1e6)(y))),
      (x) => T.sumEvent(T.plus(Math.log(3))(T.times(2)(T.log(T.abs(x))))),
    )
    tf.tidy(() => {
      const x = T.plus(3)(draw(4))
      const [y, logDet] = cube.forward(x)
      const [back, inverseLogDet] = cube.inverse(y)
      close(back, x)
      close(inverseLogDet, T.neg(logDet))
    })
  })
})

describe('Category', () => {
  it('composes right to left, as fp-ts has it', () => {
    tf.tidy(() => {
      const x = draw(5)
      const [first, second] = [Diffeo.Category.compose(g, f).forward(x), Diffeo.andThen(g)(f).forward(x)]
      expect(values(first[0])).toEqual(values(second[0]))
      expect(values(first[1])).toEqual(values(second[1]))
      expect(Diffeo.Category.id<Pair>().forward(x)[0]).toBe(x)
    })
  })
})

describe('memory', () => {
  it('a combined diffeo leaves nothing behind but what it answers', () => {
    const x = draw(6)
    const all = Diffeo.andThen(Diffeo.reverse(f))(Diffeo.andThen(g)(f))
    const before = tf.memory().numTensors
    const [z, logDet] = all.forward(x)
    const [back, inverseLogDet] = all.inverse(z)
    expect(tf.memory().numTensors).toBe(before + 4)
    for (const t of [z, logDet, back, inverseLogDet]) unwrap(t).dispose()
    const alone = Diffeo.logDetJacobian(all)(x)
    expect(tf.memory().numTensors).toBe(before + 1)
    unwrap(alone).dispose()
  })
})
