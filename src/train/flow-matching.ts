/**
 * Flow matching (Lipman et al. 2023): trains the velocity of a continuous flow without solving its equation. Noise z and
 * data x are joined by straight lines x(t) = (1 − t)·z + t·x, and the velocity at a random time is fitted to x − z, that of
 * the line (their Eq. 23 with σ = 0). Its optimum has the data's distribution at time 1.
 *
 * What is random, z and t, is in the batch: `noised(key, data)` makes one.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import { expectKind } from '../bijector/arguments.js'
import { linkName } from '../bijector/chain.js'
import { forEach } from '../bijector/context.js'
import { type Velocity, velocityOf } from '../bijector/continuous.js'
import { contextOf } from '../bijector/from-runs.js'
import type { AnyBijector, AnyConditional } from '../bijector/layer.js'
import type { RunInput } from '../bijector/runs.js'
import { drawNoise } from '../distribution/base.js'
import { type AnyConditionalFlow, type AnyFlow, baseParams, bijectorParams } from '../distribution/flow.js'
import { DiffeoException, usageError } from '../error.js'
import { stopGradient, sumEvent, tidy } from '../tensor/ops.js'
import { branch, type Params } from '../tensor/params.js'
import { foldIn, uniformArray } from '../tensor/random.js'
import { isShape, product } from '../tensor/shape.js'
import { type AnyTensor, sizes, trust, unwrap } from '../tensor/tensor.js'
import { drawn } from '../tracing.js'
import type { FlowOver, NoisyObjective } from './objective.js'

/** A batch of data, with the noise and the time of each example. */
export interface Matched<X> {
  readonly data: X
  readonly noise: readonly AnyTensor[]
  /** One time in [0, 1) for each example. */
  readonly time: AnyTensor
}

type Part = AnyBijector | AnyConditional

/** Whether the last layer of all is continuous. */
const endsContinuous = (b: Part): boolean =>
  velocityOf(b) !== undefined || (b.parts !== undefined && b.parts.length > 0 && endsContinuous(b.parts.at(-1)!))

/** The names of the layers, for a message. */
const namesOf = (b: Part): string => (b.parts?.map(namesOf) ?? [b.name]).join(', ')

/** Where data enter the continuous layer, and its velocity there. */
interface Entrance {
  readonly x: AnyTensor
  readonly velocity: Velocity
  readonly params: Params
}

/** The layers before the continuous one in training mode. */
const entering = (b: Part, input: RunInput): Entrance => {
  const velocity = velocityOf(b)
  if (velocity !== undefined)
    return { x: input.values[0]!, velocity: velocity(input.params, input.given), params: input.params }
  const parts = b.parts!
  const next: Record<string, Params> = {}
  const inputOf = (i: number, x: AnyTensor): RunInput => ({
    ...input,
    params: branch(input.params, linkName(i, parts[i]!)),
    values: [x],
  })
  const last = parts.length - 1
  let x = input.values[0]!
  for (const [i, part] of parts.slice(0, last).entries()) {
    const output = part.runs.train(inputOf(i, x))
    x = output.values[0]!
    if (Object.keys(part.spec).length > 0) next[linkName(i, part)] = output.params
  }
  const end = entering(parts[last]!, inputOf(last, x))
  return { ...end, params: { ...next, [linkName(last, parts[last]!)]: end.params } }
}

/**
 * The mean squared error of a continuous flow's velocity: see `continuous`. The layers before the continuous one, such as
 * ActNorm, keep the parameters that the first batch gave them, since the error would fall if they shrank the data. The base
 * keeps its parameters, too. A step costs one evaluation of the net, where a step of likelihood costs 4·steps.
 *
 * Its value is not a likelihood: `evaluate(flow, …)` computes that of the trained flow.
 *
 * @throws DiffeoException if the last layer of the flow is not continuous
 * @example
 * const moons = density([2], continuous())
 * const model = await train(moons, twoMoons(), { key: key(0), objective: flowMatching })
 * @example
 * const objective = flowMatching(density([2], continuous()))
 * const batch = (step: number) => objective.noised(foldIn(key(1), step), draw(foldIn(key(2), step), 64))
 */
export const flowMatching = <X>(flow: FlowOver<X>): NoisyObjective<X, Matched<X>> => {
  expectKind('flowMatching', 'a density', flow, ['a density'], 'make one: density(shape, layers)')
  // both kinds of flows have such a bijector
  const of = flow as object as AnyFlow | AnyConditionalFlow
  const { codomain } = of.bijector
  if (!endsContinuous(of.bijector) || !isShape(codomain))
    throw new DiffeoException(
      usageError(
        'flowMatching',
        'a flow whose last layer is continuous',
        namesOf(of.bijector),
        'end with continuous()',
      ),
    )
  const isConditional = contextOf(of.bijector) !== undefined
  const partsOf = (data: X): { readonly x: AnyTensor; readonly given?: AnyTensor } =>
    (isConditional ? data : { x: data }) as { readonly x: AnyTensor; readonly given?: AnyTensor }
  const hasBase = of.spec !== of.bijector.spec
  return {
    kind: 'loss',
    name: 'flow-matching loss',
    spec: of.spec,
    init: of.init,
    start: (params) => (batch) => flow.start(params)(batch.data),
    dimensions: product(codomain),
    noised: (key, data) => {
      const n = sizes(partsOf(data).x)[0]!
      return {
        data,
        noise: drawNoise(of.base, codomain, foldIn(key, 0), n),
        time: trust(drawn('flowMatching', [n, 1], () => uniformArray(foldIn(key, 1), n))),
      }
    },
    loss:
      (params) =>
      ({ data, noise, time }) =>
        tidy(() => {
          const { x: event, given } = partsOf(data)
          const contexts = given && forEach(sizes(event)[0]!, given)
          const input = { params: bijectorParams(of, params), values: [event], given: contexts }
          const { x, velocity, params: next } = entering(of.bijector, input)
          const latents = of.base.make(codomain, baseParams(of, params), noise, { given: contexts })
          const [start, end, t] = [latents[0]!, x, time].map((v) => unwrap(stopGradient(v))) as [
            tf.Tensor,
            tf.Tensor,
            tf.Tensor,
          ]
          const line = tf.sub(end, start)
          const [u] = velocity.at(tf.add(start, tf.mul(line, t)), t)
          const error = sumEvent(trust(tf.square(tf.sub(u, line))))
          return [error, hasBase ? { ...params, bijector: next } : next] as const
        }),
  }
}
