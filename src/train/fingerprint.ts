/**
 * What tells a flow from another one whose parameters have the same names and shapes: a permutation, a mask, alpha,
 * bins, an activation, the base.
 *
 * The fingerprint is what the flow computes: a few numbers at fixed parameters and fixed draws from its base. A digest
 * of its program would see as much, but every new compiler pass or rewritten bijector would change it and cost the users
 * their runs; a description of its structure would need the help of each bijector, and those of users give none. The
 * numbers depend on neither, nor on the engine: they are compared to 10⁻⁴, which is far more than engines differ by.
 *
 *   θ  = its start + 0.3 ε / √fan-in, so that nothing is an identity; statistics are 1, so data-dependent starts are over
 *   x  = f⁻¹(z; θ), z ~ base: in the domain of f, whatever that is
 *   numbers: log p(x) and Σ wᵢ xᵢ, of two examples. log p alone would not see a permutation of x
 *
 * Not seen: what evaluation does not depend on, such as the momentum of batch norm.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import type { Latents, Shape } from '../../types/shape.js'
import { drawBase } from '../distribution/base.js'
import { baseParams, bijectorParams, type ConditionalFlow, type Flow } from '../distribution/flow.js'
import { tidy } from '../tensor/ops.js'
import { countParams, disposeParams, leaves, mapLeaves, type Param, type Params, type Spec } from '../tensor/params.js'
import { foldIn, key, normalArray } from '../tensor/random.js'
import { product } from '../tensor/shape.js'
import { identityArray } from '../tensor/starts.js'
import { type AnyTensor, trust, unwrap } from '../tensor/tensor.js'

/** Numbers, or `null` for one that is not finite. */
export type Fingerprint = readonly (number | null)[]

const EXAMPLES = 2
const TOLERANCE = 1e-4
/** Of larger flows none is taken: it would take seconds, and memory that training needs. */
const MOST_PARAMETERS = 2 ** 25

/** As many normal numbers as are asked for, repeated where there are many: they cost time. */
const PERIOD = 2 ** 16
const normals = (n: number, place: number): Float32Array => {
  const some = normalArray(foldIn(key(0), place), Math.min(n, PERIOD))
  return n <= PERIOD ? some : Float32Array.from({ length: n }, (_, i) => some[i % PERIOD]!)
}

const fixedParams = (spec: Spec): Params => {
  let place = 0
  return mapLeaves<Param, AnyTensor>(spec, ({ shape, role, start }) => {
    const spread = 0.3 / Math.sqrt(Math.max(1, product(shape.slice(0, -1))))
    const base = 'identity' in start ? identityArray(shape) : undefined
    const constant = 'constant' in start ? start.constant : 0
    const noise = normals(product(shape), place++)
    return trust<Shape>(
      tf.tensor(role === 'statistic' ? noise.fill(1) : noise.map((e, i) => (base?.[i] ?? constant) + spread * e), [
        ...shape,
      ]),
    )
  })
}

const compute = (flow: Flow<Shape, Latents>): Fingerprint => {
  const params = fixedParams(flow.spec)
  try {
    const numbers = tf.tidy(() => {
      const z = drawBase(flow.base, flow.bijector.codomain, baseParams(flow, params), key(1), EXAMPLES)
      const [x] = flow.bijector.bind(bijectorParams(flow, params)).inverse(z)
      const logProb = unwrap(flow.logProb(params)(x)).dataSync<'float32'>()
      const data = unwrap(x as AnyTensor).dataSync<'float32'>()
      const size = data.length / EXAMPLES
      const weights = normals(size, leaves(flow.spec).length)
      const sums = Array.from({ length: EXAMPLES }, (_, n) =>
        data.subarray(n * size, (n + 1) * size).reduce((sum, v, i) => sum + weights[i]! * v, 0),
      )
      return [...logProb, ...sums]
    })
    return numbers.map((v) => (Number.isFinite(v) ? v : null))
  } finally {
    disposeParams(params)
  }
}

const taken = new WeakMap<object, Fingerprint | undefined>()

const isFlow = (of: object): of is Flow<Shape, Latents> | ConditionalFlow<Shape, Shape, Latents> =>
  'bijector' in of && 'base' in of

/** Of a conditional flow, the flow at fixed contexts. */
const atFixedContext = (of: Flow<Shape, Latents> | ConditionalFlow<Shape, Shape, Latents>): Flow<Shape, Latents> => {
  if (!('given' in of)) return of
  const { context } = of.bijector
  return of.given(trust(tf.tensor(normals(product(context), 0), [1, ...context])))
}

/**
 * The fingerprint of a flow; none of what is no whole flow, is very large or cannot be evaluated outside of `jit`.
 * Computed once for each flow.
 */
export const fingerprint = (of: object): Fingerprint | undefined => {
  if (!isFlow(of)) return undefined
  if (!taken.has(of)) {
    let computed: Fingerprint | undefined
    try {
      computed = countParams(of.spec) > MOST_PARAMETERS ? undefined : tidy(() => compute(atFixedContext(of)))
    } catch {
      // a flow without an inverse, or an engine whose values cannot be read at once
    }
    taken.set(of, computed)
  }
  return taken.get(of)
}

/** Whether two fingerprints are of the same flow, as far as both tell. */
export const isSameFlow = (a: Fingerprint | undefined, b: Fingerprint | undefined): boolean =>
  a === undefined ||
  b === undefined ||
  a.length !== b.length ||
  a.every((v, i) => {
    const w = b[i]!
    return v === null || w === null ? v === w : Math.abs(v - w) <= TOLERANCE * (1 + Math.max(Math.abs(v), Math.abs(w)))
  })
