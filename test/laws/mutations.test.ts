/** Faults planted on purpose, each of which the laws must catch; each test names the law that does. */
import * as tf from '@tensorflow/tfjs-core'
import {
  type AnyBijector,
  actNorm,
  affine,
  atShape,
  batchNorm,
  bijector,
  factorOut,
  type Shape,
  squeeze,
  uniformCdf,
} from 'diffeo'
import { checkLaws, type LawName, type LawOptions, lawsOf } from 'diffeo/laws'
import * as T from 'diffeo/tensor'
import { type AnyTensor, constant, type Spec, unwrap } from 'diffeo/tensor'
import { describe, expect, it } from 'vitest'
import type { RunOutput } from '../../src/bijector/runs.js'
import { trust } from '../../src/tensor/tensor.js'
import '../support.js'

type Two = readonly [value: tf.Tensor, logDet: tf.Tensor]
type P = Readonly<Record<string, tf.Tensor>>
interface Faulty {
  readonly shape?: Shape
  readonly spec?: Spec
  readonly forward: (x: tf.Tensor, p: P) => Two
  readonly inverse: (z: tf.Tensor, p: P) => Two
  readonly train?: (x: tf.Tensor, p: P) => readonly [tf.Tensor, tf.Tensor, P]
}
const made = ({ shape = [4], spec = {}, forward, inverse, train }: Faulty): AnyBijector =>
  bijector({
    name: 'faulty',
    domain: shape,
    codomain: shape,
    spec,
    forward: (p, x) => forward(unwrap(x), p as never) as never,
    inverse: (p, z) => inverse(unwrap(z), p as never) as never,
    ...(train === undefined ? {} : { train: (p: unknown, x: AnyTensor) => train(unwrap(x), p as never) as never }),
  }) as AnyBijector
const sum = (t: tf.Tensor) => unwrap(T.sumEvent(trust(t)))
const perExample = (x: tf.Tensor, term: tf.Tensor | number) => tf.mul(tf.ones([x.shape[0]!]), term)

/** A coupling over a vector of 4 that keeps the even positions; s and t come from the sum of what is kept. */
const even = tf.tensor([1, 0, 1, 0])
const odd = tf.sub(1, even)
interface CouplingFault {
  /** What the conditioner sees: the kept part, or by a fault more. */
  readonly seen?: tf.Tensor
  readonly logDetMask?: tf.Tensor
  readonly back?: (y: tf.Tensor, s: tf.Tensor, t: tf.Tensor) => tf.Tensor
  readonly inverseSign?: 1 | -1
  readonly touched?: number
  readonly scale?: (s: tf.Tensor) => tf.Tensor
}
const coupled = ({
  seen = even,
  logDetMask = odd,
  inverseSign = -1,
  touched = 1,
  ...f
}: CouplingFault): AnyBijector => {
  const from = (x: tf.Tensor): Two => {
    const near = tf.mul(tf.sum(tf.mul(x, seen), 1, true), tf.tensor([0.3, -0.5, 0.7, 0.4]))
    const s = tf.tanh(tf.add(near, 0.3))
    return [f.scale?.(s) ?? s, tf.mul(near, 0.7)]
  }
  const back = f.back ?? ((y, s, t) => tf.mul(tf.sub(y, t), tf.exp(tf.neg(s))))
  return made({
    forward: (x) => {
      const [s, t] = from(x)
      const y = tf.add(tf.mul(x, tf.mul(even, touched)), tf.mul(odd, tf.add(tf.mul(x, tf.exp(s)), t)))
      return [y, sum(tf.mul(s, logDetMask))]
    },
    inverse: (y) => {
      const [s, t] = from(y)
      const x = tf.add(tf.mul(y, tf.div(even, touched)), tf.mul(odd, back(y, s, t)))
      return [x, tf.mul(sum(tf.mul(s, logDetMask)), inverseSign)]
    },
  })
}

/** A right bijector with its answers changed. */
const changed = (
  b: AnyBijector,
  over: Partial<Pick<AnyBijector, 'bind' | 'runs' | 'train' | 'start' | 'codomain' | 'support'>>,
): AnyBijector => ({
  ...b,
  ...over,
})
type Answer = readonly [AnyTensor, AnyTensor]
const same = (a: Answer): Answer => a
const answered = ({ values: [value], logDet, params }: RunOutput, f: (a: Answer) => Answer): RunOutput => {
  const [changedValue, changedLogDet] = T.tidy(() => f([value!, logDet]))
  return { values: [changedValue], logDet: changedLogDet, params }
}
const answers = (b: AnyBijector, forward: (a: Answer) => Answer, inverse: (a: Answer) => Answer = same) =>
  changed(b, {
    // what flows use
    runs: {
      ...b.runs,
      forward: (input) => answered(b.runs.forward(input), forward),
      inverse: (input) => answered(b.runs.inverse(input), inverse),
    },
    bind: (p) => {
      const f = b.bind(p)
      return {
        forward: (x) => T.tidy(() => forward(f.forward(x) as never)) as never,
        inverse: (z) => T.tidy(() => inverse(f.inverse(z) as never)) as never,
      }
    },
  })
const timesLogDet =
  (c: number) =>
  ([v, l]: Answer): Answer => [v, T.times(c)(l)]
const image = [2, 2, 2] as const
const norm: AnyBijector = atShape(image, batchNorm({ momentum: 0.1 })) as AnyBijector
const scaled: AnyBijector = atShape(image, actNorm) as AnyBijector

/** Batch norm by hand, with the faults of its training. */
const statistics = { mean: constant([2], 0, 'statistic'), variance: constant([2], 1, 'statistic') }
const normed = (unbiased: boolean, stale: boolean): AnyBijector => {
  const through = (x: tf.Tensor, mean: tf.Tensor, variance: tf.Tensor): Two => {
    const spread = tf.add(variance, 1e-5)
    return [tf.mul(tf.sub(x, mean), tf.rsqrt(spread)), perExample(x, tf.mul(tf.sum(tf.log(spread)), -2))]
  }
  return made({
    shape: image,
    spec: statistics,
    forward: (x, p) => through(x, p['mean']!, p['variance']!),
    inverse: (z, p) => {
      const spread = tf.add(p['variance']!, 1e-5)
      return [tf.add(tf.mul(z, tf.sqrt(spread)), p['mean']!), perExample(z, tf.mul(tf.sum(tf.log(spread)), 2))]
    },
    train: (x, p) => {
      const { mean, variance } = tf.moments(x, [0, 1, 2])
      const n = x.size / 2
      const mix = (old: tf.Tensor, now: tf.Tensor) => tf.add(tf.mul(old, 0.9), tf.mul(now, 0.1))
      const next = { mean: mix(p['mean']!, mean), variance: mix(p['variance']!, variance) }
      return [...through(x, mean, unbiased ? tf.mul(variance, n / (n - 1)) : variance), stale ? p : next]
    },
  })
}

/** logit of α + (1 − 2α)x on [0, 1], with the α of each direction. */
const logits = (there: number, back: number): AnyBijector => {
  const logDet = (y: tf.Tensor, alpha: number) =>
    sum(tf.add(tf.add(tf.softplus(y), tf.softplus(tf.neg(y))), Math.log(1 - 2 * alpha)))
  return made({
    forward: (x) => {
      const p = tf.add(tf.mul(x, 1 - 2 * there), there)
      const y = tf.sub(tf.log(p), tf.log(tf.sub(1, p)))
      return [y, logDet(y, there)]
    },
    inverse: (y) => [tf.div(tf.sub(tf.sigmoid(y), back), 1 - 2 * back), tf.neg(logDet(y, back))],
  })
}
const onUnit = { domain: [0, 1] } as const
const positions = (i: number) => i % 2 === 0

const faults: Readonly<Record<string, readonly [AnyBijector, law: LawName, options?: LawOptions]>> = {
  'the mask dropped from the log-det': [coupled({ logDetMask: tf.ones([4]) }), 'jacobian'],
  'H·W dropped from the log-det': [answers(scaled, timesLogDet(1 / 4), timesLogDet(1 / 4)), 'jacobian'],
  'a sign of the log-det flipped': [coupled({ inverseSign: 1 }), 'oppositeLogDets'],
  'both signs of the log-det flipped': [answers(scaled, timesLogDet(-1), timesLogDet(-1)), 'jacobian'],
  'the term of batch norm skipped': [answers(norm, timesLogDet(0), timesLogDet(0)), 'jacobian'],
  'a mask off by one': [coupled({ seen: tf.tensor([1, 1, 0, 0]) }), 'roundTrip'],
  'the corners of a squeeze in another order on the way back': [
    answers(atShape([4, 2, 2], squeeze), same, ([x, l]) => [trust(tf.reverse(unwrap(x), 1)), l]),
    'roundTrip',
  ],
  'x·exp(s) + t one way, (x + t)·exp(s) the other': [
    coupled({ back: (y, s, t) => tf.sub(tf.mul(y, tf.exp(tf.neg(s))), t) }),
    'roundTrip',
  ],
  'an unbiased variance in training, a biased one kept': [normed(true, false), 'training'],
  'a running statistic that is never updated': [normed(false, true), 'training'],
  'α missing in the inverse of the logit': [logits(0.05, 0), 'roundTrip', onUnit],
  'the halves of factor-out swapped in the inverse': [
    answers(
      atShape([1, 2, 4], factorOut),
      same,
      ([x, l]) => [T.concat(T.slice(0, 2)(x as never))(T.slice(2, 2)(x as never)), l] as never,
    ),
    'roundTrip',
  ],
  'a mean of the batch that leaks into evaluation': [
    answers(atShape([4], affine), ([z, l]) => [trust(tf.sub(unwrap(z), tf.mean(unwrap(z), 0))), l]),
    'batch',
  ],
  'a value that is not finite at the edge': [logits(0, 0), 'edges', onUnit],
  'a log-det summed over the batch': [
    answers(atShape([4], affine), ([z, l]) => [z, trust(perExample(unwrap(z), tf.sum(unwrap(l))))]),
    'perExample',
  ],
  'a log-det that every example shares': [
    answers(atShape([4], affine), ([z, l]) => [z, trust(tf.slice(unwrap(l), 0, 1))]),
    'perExample',
  ],
  'a log-det that knows the batch': [
    answers(atShape([4], affine), ([z, l]) => [z, trust(tf.add(unwrap(l), tf.mean(unwrap(z))))]),
    'perExample',
  ],
  'an inverse log-det that every example shares': [
    answers(atShape([4], affine), same, ([x, l]) => [x, trust(tf.slice(unwrap(l), 0, 1))]),
    'perExample',
  ],
  'a mean of the batch that leaks into the inverse': [
    answers(atShape([4], affine), same, ([x, l]) => [trust(tf.sub(unwrap(x), tf.mean(unwrap(x), 0))), l]),
    'batch',
  ],
  'a log-det that is not finite': [answers(scaled, ([z, l]) => [z, T.times(Number.NaN)(l)]), 'finite'],
  'another shape on the way back': [
    answers(atShape([4], affine), same, ([x, l]) => [trust(tf.reshape(unwrap(x), [-1, 2, 2])), l]),
    'shapes',
  ],
  'an inverse that is not finite at the edge': [
    made({
      forward: (x) => [tf.sigmoid(x), sum(tf.sub(tf.neg(tf.softplus(x)), tf.softplus(tf.neg(x))))],
      inverse: (y) => [tf.log(tf.div(y, tf.sub(1, y))), sum(tf.neg(tf.log(tf.mul(y, tf.sub(1, y)))))],
    }),
    'edges',
    { edges: [60] },
  ],
  'a gradient that is not finite at the edge': [
    made({
      forward: (x) => [tf.add(x, tf.mul(tf.sqrt(tf.abs(x)), 0)), sum(tf.zerosLike(x))],
      inverse: (y) => [y, sum(tf.zerosLike(y))],
    }),
    'edges',
    onUnit,
  ],
  'a parameter that half a gradient reaches': [
    made({
      spec: { shift: constant([4], 0) },
      forward: (x, p) => [
        tf.add(x, tf.mul(tf.add(p['shift']!, tf.tensor(p['shift']!.dataSync())), 0.5)),
        sum(tf.zerosLike(x)),
      ],
      inverse: (y, p) => [tf.sub(y, p['shift']!), sum(tf.zerosLike(y))],
    }),
    'gradients',
  ],
  'a kept position that the inverse touches': [
    answers(coupled({}), same, ([x, l]) => [T.times(1 + 2 ** -20)(x), l]),
    'keeps',
    { keeps: positions },
  ],
  'a permutation that has a log-det': [
    answers(atShape([4, 2, 2], squeeze), ([z, l]) => [z, T.plus(1)(l)]),
    'permutes',
    { permutes: true },
  ],
  'samples of another density': [
    answers(atShape([1], affine), same, ([x, l]) => [T.times(1.5)(x), l]),
    'samples',
    { mass: [-30, 30] },
  ],
  'a tensor that the inverse leaves behind': [
    answers(scaled, same, (a) => {
      tf.keep(tf.zeros([1]))
      return a
    }),
    'memory',
  ],
  'a kept position that is touched': [coupled({ touched: 1 + 2 ** -20 }), 'keeps', { keeps: positions }],
  'a permutation that repeats one value': [
    answers(atShape([4, 2, 2], squeeze), ([z, l]) => [trust(tf.mul(tf.ones(unwrap(z).shape), tf.max(unwrap(z)))), l]),
    'permutes',
    { permutes: true },
  ],
  'a start that does not look at the data': [changed(scaled, { start: scaled.train }), 'starts', { normalises: true }],
  'a start that forgets that it has happened': [
    changed(scaled, {
      start: (p) => (x) => {
        const [y, l, next] = scaled.start(p)(x as never)
        return [y, l, { ...next, started: trust(tf.zeros([1])) }] as never
      },
    }),
    'checkpoint',
  ],
  'a scale that no gradient reaches': [coupled({ scale: (s) => tf.tensor(s.dataSync(), s.shape) }), 'gradients'],
  'a density counted twice': [
    answers(atShape([1], affine), timesLogDet(2), timesLogDet(2)),
    'mass',
    { mass: [-30, 30] },
  ],
  'another shape than the type says': [changed(atShape([4], affine), { codomain: [2, 2] }), 'shapes'],
  'a finite density outside of the support': [
    changed(atShape([2], affine), { support: [0, Number.POSITIVE_INFINITY] }),
    'support',
  ],
  'an infinite log-det that spoils its neighbours': [
    answers(atShape([2], uniformCdf(-2, 2)), ([z, l]) => [z, trust(tf.mul(tf.ones([3]), tf.sum(unwrap(l))))]),
    'support',
  ],
  'a tensor that a call leaves behind': [
    changed(scaled, {
      bind: (p) => ({
        ...scaled.bind(p),
        forward: (x) => {
          tf.keep(tf.zeros([1]))
          return scaled.bind(p).forward(x)
        },
      }),
    }),
    'memory',
  ],
}

describe('the laws catch', () => {
  it.each(Object.entries(faults))('%s', (_, [b, law, options = {}]) => {
    expect(lawsOf(b, options)).toContain(law)
    const check = () => checkLaws(b, { ...options, runs: 4, seed: 1 }, [law])
    expect(check).toThrow(new RegExp(`breaks the \\w+ law '${law}': .*expected .*got .*at x = .*seed: 1`))
  })
  it('nothing in what the faults were planted in', () => {
    const right = { coupled: coupled({}), scaled, norm, squeeze: atShape([4, 2, 2], squeeze) }
    for (const b of Object.values(right)) checkLaws(b, { runs: 2, seed: 1 })
    checkLaws(coupled({}), { runs: 2, seed: 1, keeps: positions })
    checkLaws(logits(0.05, 0.05), { ...onUnit, runs: 2, seed: 1 })
  })
})
