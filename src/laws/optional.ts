/**
 * Laws of bijectors that promise them, and of training, gradients and checkpoints.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import * as E from 'fp-ts/lib/Either.js'
import { pipe } from 'fp-ts/lib/function.js'
import type { AnyBijector } from '../bijector/layer.js'
import { describeError } from '../error.js'
import { tidy } from '../tensor/ops.js'
import { leaves, mapLeaves, type Param, type Params, type Spec } from '../tensor/params.js'
import { foldIn, normalArray } from '../tensor/random.js'
import { type AnyTensor, trust, unwrap } from '../tensor/tensor.js'
import { decodeSafetensors, encodeSafetensors } from '../train/safetensors.js'
import { agreesWithDifferences } from './differences.js'
import { rows } from './jacobian.js'
import type { Law } from './law.js'
import { example } from './mandatory.js'
import { agree, every, finite, lawful, read, type Verdict, violates } from './verdict.js'

const numbers = (params: Params): readonly number[] => leaves<AnyTensor>(params).flatMap(([, leaf]) => read(leaf))
const trained = (spec: Spec): readonly string[] =>
  leaves<Param>(spec).flatMap(([path, { role }]) => (role === 'statistic' ? [] : [path]))
const statistics = (b: AnyBijector, params: Params): readonly number[] => {
  const moving = new Set(trained(b.spec))
  return leaves<AnyTensor>(params).flatMap(([path, leaf]) => (moving.has(path) ? [] : read(leaf)))
}
const distance = (a: readonly number[], b: readonly number[]): number =>
  a.reduce((most, v, i) => Math.max(most, Math.abs(v - b[i]!)), 0)

/** The parameters before any data. */
const unstarted = (params: Params): Params =>
  mapLeaves<AnyTensor, AnyTensor>(params, (leaf, path) =>
    path.endsWith('started') ? trust(tf.zerosLike(unwrap(leaf))) : leaf,
  )

/**
 * The statistics after many steps on one batch, guessed from two steps: s ← s + m(ŝ − s) goes to ŝ = s + Δ/m, where m is
 * what the second difference lacks of the first.
 */
const nearerRest = (b: AnyBijector, params: Params, x: AnyTensor): Params => {
  const train = (p: Params) => b.train(p)(x)[2]
  const first = train(params)
  const [one, two] = [first, train(first)].map((p) => new Map(leaves<AnyTensor>(p)))
  const moving = new Set(trained(b.spec))
  return mapLeaves<AnyTensor, AnyTensor>(params, (leaf, path) => {
    const now = read(two!.get(path))
    if (moving.has(path)) return two!.get(path)!
    const from = read(leaf)
    const step = read(one!.get(path)).map((v, i) => v - from[i]!)
    const most = step.reduce((k, v, i) => (Math.abs(v) > Math.abs(step[k]!) ? i : k), 0)
    const m = 1 - (now[most]! - from[most]! - step[most]!) / step[most]!
    if (!(m > 1e-3 && m <= 1)) return two!.get(path)!
    const least = path.endsWith('variance') ? 0 : -Infinity
    return trust(
      tf.tensor(
        from.map((v, i) => Math.max(least, v + step[i]! / m)),
        unwrap(leaf).shape,
      ),
    )
  })
}

/** To the bytes of a file and back. */
const throughFile = (params: Params): E.Either<string, Params> =>
  pipe(
    encodeSafetensors({
      metadata: {},
      tensors: new Map(
        leaves<AnyTensor>(params).map(([path, leaf]) => [
          path,
          { shape: unwrap(leaf).shape, data: Float32Array.from(unwrap(leaf).dataSync()) },
        ]),
      ),
    }),
    E.chain(decodeSafetensors('checkpoint')),
    E.bimap(describeError, ({ tensors }) =>
      mapLeaves<AnyTensor, AnyTensor>(params, (_, path) => {
        const { shape, data } = tensors.get(path)!
        return trust(tf.tensor(data, [...shape]))
      }),
    ),
  )

export const optional = {
  keeps: {
    rank: 'optional',
    applies: (_, { keeps }) => keeps !== undefined,
    holds: (b, { params, x, claims }) => {
      const f = b.bind(params)
      const before = read(x)
      const size = before.length / unwrap(x).shape[0]!
      const kept = (values: readonly number[]) => values.filter((_, i) => claims.keeps!(i % size))
      return every(
        () => agree('what forward keeps', kept(read(f.forward(x)[0])), kept(before), 0),
        () => agree('what inverse keeps', kept(read(f.inverse(x)[0])), kept(before), 0),
      )
    },
  },
  permutes: {
    rank: 'optional',
    applies: (_, { permutes }) => permutes === true,
    holds: (b, { params, x }) => {
      const [z, logDet] = b.bind(params).forward(example(x, 0))
      const sorted = (values: readonly number[]) => values.toSorted((a, c) => a - c)
      return every(
        () => agree('the sorted values', sorted(read(z)), sorted(read(example(x, 0))), 0),
        () => agree('log-det of a permutation', read(logDet), [0], 0),
      )
    },
  },
  starts: {
    rank: 'optional',
    applies: (_, { normalises }) => normalises === true,
    holds: (b, { params, x }) => {
      const [y] = b.start(unstarted(params))(x)
      const c = b.domain.at(-1) ?? 1
      const channel = (of: AnyTensor, k: number) => read(of).filter((_, i) => i % c === k)
      const mean = (v: readonly number[]) => v.reduce((a, e) => a + e, 0) / v.length
      const variance = (v: readonly number[]) => mean(v.map((e) => (e - mean(v)) ** 2))
      return Array.from({ length: c }, (_, k) => k)
        .filter((k) => variance(channel(x, k)) > 0.01) // a constant channel has no variance to set
        .reduce<Verdict>(
          (so, k) =>
            every(
              () => so,
              () => agree(`the mean of channel ${k} after start`, [mean(channel(y as AnyTensor, k))], [0], 1e-3),
              () =>
                agree(`the variance of channel ${k} after start`, [variance(channel(y as AnyTensor, k))], [1], 1e-3),
            ),
          lawful,
        )
    },
  },
  checkpoint: {
    rank: 'optional',
    applies: (b) => leaves(b.spec).length > 0,
    holds: (b, { params, x }) => {
      const [, , begun] = b.start(unstarted(params))(x)
      const restored = throughFile(begun)
      if (E.isLeft(restored)) return violates('checkpoint', 'a file', restored.left)
      const outputs = (p: Params) => b.bind(p).forward(x).flatMap(read)
      const other = trust(tf.mul(unwrap(x), 0.5)) as AnyTensor
      return every(
        () => agree('outputs after a checkpoint', outputs(restored.right), outputs(begun), 0),
        () => agree('a second start', numbers(b.start(restored.right)(other)[2]), numbers(begun), 0),
      )
    },
  },
  training: {
    rank: 'optional',
    heavy: true,
    holds: (b, { params, x, tolerance }) => {
      const gap = (p: Params) => {
        const [y, logDet, next] = b.train(p)(x)
        const [z, evaluated] = b.bind(p).forward(x)
        return {
          next,
          moved: distance(statistics(b, p), statistics(b, next)),
          apart: distance([...read(y), ...read(logDet)], [...read(z), ...read(evaluated)]),
        }
      }
      const first = gap(params)
      // Without statistics the two are one function; with them, evaluation comes to agree with training on one batch.
      if (first.moved === 0) return agree('training against evaluation', [first.apart], [0], tolerance)
      const rest = tidy(() => Array.from({ length: 8 }).reduce<Params>((p) => nearerRest(b, p, x), params))
      const last = gap(rest)
      const bound = 10 * tolerance + (2 * first.apart * last.moved) / first.moved
      return last.apart <= bound
        ? lawful
        : violates('training against evaluation, at rest', `at most ${bound}`, last.apart)
    },
  },
  gradients: {
    rank: 'optional',
    heavy: true,
    holds: (b, { params, x, key }) => {
      const paths = trained(b.spec)
      const all = new Map(leaves<AnyTensor>(params))
      const noise = (i: number, like: tf.Tensor) => tf.tensor(normalArray(foldIn(key, i), like.size), like.shape)
      const f = (...at: readonly tf.Tensor[]): tf.Tensor => {
        const now = new Map(paths.map((path, i) => [path, at[i + 1]!]))
        const own = mapLeaves<Param, AnyTensor>(b.spec, (_, path) => trust(now.get(path) ?? unwrap(all.get(path)!)))
        const [y, logDet] = b.train(own)(trust(at[0]!))
        const weighted = tf.sum(tf.mul(rows(y), noise(1, rows(y))))
        return tf.add(weighted, tf.sum(tf.mul(unwrap(logDet), noise(2, unwrap(logDet)))))
      }
      const at = [unwrap(x), ...paths.map((path) => unwrap(all.get(path)!))]
      const gradients = E.tryCatch(() => tf.grads(f)(at), String)
      if (E.isLeft(gradients)) return violates('gradients', 'one for every parameter and the input', gradients.left)
      const name = (i: number) => (i === 0 ? 'the input' : paths[i - 1]!)
      const check = (chosen: readonly number[], i: number): Verdict => {
        const direction = at.map((v, k) => (chosen.includes(k) ? noise(3 + i + k, v) : tf.zerosLike(v)))
        const dot = (a: tf.Tensor, c: tf.Tensor) => tf.sum(tf.mul(a, c)).dataSync()[0]!
        const slope = direction.reduce((s, d, k) => s + dot(d, gradients.right[k]!), 0)
        const size = chosen.reduce((s, k) => s + dot(gradients.right[k]!, gradients.right[k]!), 0)
        const what = chosen.length > 1 ? 'the gradient by everything' : `the gradient by ${name(chosen[0]!)}`
        return agreesWithDifferences(what, f, at, direction, slope, 1e-2 * Math.max(1, Math.sqrt(size)))
      }
      // the input, a few of the parameters, and all at once
      const some = Array.from({ length: Math.min(4, paths.length) }, (_, i) =>
        paths.length <= 4 ? i + 1 : 1 + ((key[1] + i * 7) % paths.length),
      )
      return every(
        ...gradients.right.map((g, i) => () => finite(`the gradient by ${name(i)}`, read(g))),
        () => check([0], 0),
        ...some.map((k, i) => () => check([k], i + 1)),
        () =>
          check(
            at.map((_, k) => k),
            9,
          ),
      )
    },
  },
  edges: {
    rank: 'optional',
    applies: (_, { edges }) => edges !== undefined && edges.length > 0,
    holds: (b, { params, claims }) => {
      const f = b.bind(params)
      const edges = claims.edges!
      const event = (first: number) =>
        tf.reshape(
          tf.tensor(
            Array.from(
              { length: b.domain.reduce((n: number, d: number) => n * d, 1) },
              (_, i) => edges[(first + (i % 2 === 0 ? 0 : 1)) % edges.length]!,
            ),
          ),
          [1, ...b.domain],
        )
      const same = edges.map((v) => tf.fill([1, ...b.domain], v))
      return [...same, ...edges.map((_, i) => event(i))].reduce<Verdict>((so, at) => {
        if (E.isLeft(so)) return so
        const [z, logDet] = f.forward(trust(at))
        const [back, inverse] = f.inverse(z)
        const slopes = tf.grad((v: tf.Tensor) => {
          const [y, l] = f.forward(trust(v))
          return tf.add(tf.sum(rows(y)), tf.sum(unwrap(l)))
        })(at)
        const where = `at the edge [${[...new Set(read(trust(at)))].join(', ')}]`
        return every(
          () => finite(`forward ${where}`, [...read(z), ...read(logDet)]),
          () => finite(`inverse ${where}`, [...read(back), ...read(inverse)]),
          () => finite(`the gradient ${where}`, read(trust(slopes))),
        )
      }, lawful)
    },
  },
} satisfies Readonly<Record<string, Law>>
