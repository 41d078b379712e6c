/**
 * The laws of every bijector where an engine does the arithmetic: forward, inverse and their gradients are compiled by
 * the default engine, or by the one that DIFFEO_TEST_ENGINE names. A law asks at once and an engine answers later, so a
 * law is begun anew with every answer that it was waiting for.
 */
import * as tf from '@tensorflow/tfjs-core'
import { type AnyBijector, key, type Latents } from 'diffeo'
import { ready } from 'diffeo/engine'
import { laws, randomBatch, randomParams, type Verdict } from 'diffeo/laws'
import { type Params, unwrap } from 'diffeo/tensor'
import * as E from 'fp-ts/lib/Either.js'
import { describe, expect, it } from 'vitest'
import { jit } from '../../src/jit.js'
import { fromRows, rows } from '../../src/laws/jacobian.js'
import { type AnyTensor, trust } from '../../src/tensor/tensor.js'
import { fast } from '../compiler/agree.js'
import { registry } from './registry.js'

/** What a law needs to know to go on. */
class Question {
  readonly inputs: readonly { readonly shape: number[]; readonly data: Float32Array }[]
  constructor(
    readonly name: keyof ReturnType<typeof compile>,
    inputs: readonly tf.Tensor[],
  ) {
    this.inputs = inputs.map((t) => ({ shape: t.shape, data: t.dataSync<'float32'>() }))
  }
  get text(): string {
    return [this.name, ...this.inputs.map(({ shape, data }) => `${shape}: ${data}`)].join()
  }
}
type Answer = (question: Question) => tf.Tensor

/** Both directions as functions from rows to rows, the log-det as the last column, and their gradients. */
const compile = (b: AnyBijector) => {
  const pack = ([y, logDet]: readonly [unknown, AnyTensor]) =>
    tf.concat([rows(y), tf.reshape(unwrap(logDet), [-1, 1])], 1)
  const forward = (params: Params, x: tf.Tensor) =>
    pack(b.bind(params).forward(fromRows(b.domain)(trust(x)) as AnyTensor))
  const inverse = (params: Params, z: tf.Tensor) =>
    pack(b.bind(params).inverse(fromRows(b.codomain)(trust(z)) as never))
  const gradient = (f: typeof forward) => (params: Params, x: tf.Tensor, dy: tf.Tensor) =>
    tf.grad((v: tf.Tensor) => f(params, v))(x, dy)
  return {
    forward: jit(forward),
    inverse: jit(inverse),
    forwardGradient: jit(gradient(forward)),
    inverseGradient: jit(gradient(inverse)),
  }
}

/** The bijector whose every number is an answer. */
const answered = (b: AnyBijector, answer: Answer): AnyBijector => {
  const through = (name: 'forward' | 'inverse', latents: Latents) => {
    const f = tf.customGrad((x, save) => {
      ;(save as tf.GradSaveFunc)([x as tf.Tensor])
      return {
        value: answer(new Question(name, [x as tf.Tensor])),
        gradFunc: (dy: tf.Tensor, [saved]: tf.Tensor[]) => answer(new Question(`${name}Gradient`, [saved!, dy])),
      }
    })
    return (x: unknown) => {
      const made = f(rows(x))
      const size = made.shape[1]! - 1
      return [
        fromRows(latents)(trust(tf.slice(made, [0, 0], [-1, size]))),
        trust(tf.reshape(tf.slice(made, [0, size]), [-1])),
      ]
    }
  }
  const bound = { forward: through('forward', b.codomain), inverse: through('inverse', b.domain) }
  return { ...b, bind: () => bound as never }
}

const names = ['finite', 'roundTrip', 'oppositeLogDets', 'jacobian', 'perExample', 'batch'] as const

describe.each(Object.entries(registry))(`%s, compiled by ${fast}`, (_, { make, domain, tolerance, ...claims }) => {
  it('obeys the laws', async () => {
    const [b, seed] = [make(), 1]
    const compiled = compile(b)
    await ready('cpu')
    await ready(fast)
    const backend = tf.getBackend()
    const params = randomParams(b.spec, key(seed))
    const known = new Map<string, { readonly shape: number[]; readonly data: Float32Array }>()
    const learn = async ({ name, inputs, text }: Question): Promise<void> => {
      await tf.setBackend(backend)
      const given = inputs.map(({ shape, data }) => tf.tensor(data, shape))
      const made = await (compiled[name] as (params: Params, ...xs: tf.Tensor[]) => Promise<tf.Tensor>)(
        params,
        ...given,
      )
      known.set(text, { shape: made.shape, data: await made.data<'float32'>() })
      tf.dispose([given, made])
    }
    const own = answered(b, (question) => {
      const made = known.get(question.text)
      if (made === undefined) throw question
      return tf.tensor(made.data, made.shape)
    })
    const settle = async (name: (typeof names)[number]): Promise<Verdict> => {
      await tf.setBackend('cpu')
      const x = randomBatch(b.domain, domain, 3, key(seed + 100))
      try {
        return tf.tidy(() => laws[name].holds(own, { params, x, key: key(seed), tolerance, claims }) as never)
      } catch (thrown) {
        if (!(thrown instanceof Question)) throw thrown
        await learn(thrown)
      } finally {
        unwrap(x).dispose()
      }
      return settle(name)
    }
    for (const name of names) expect({ [name]: await settle(name) }).toEqual({ [name]: E.right(undefined) })
    for (const one of Object.values(compiled)) await one.dispose()
  })
})
