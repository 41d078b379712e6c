/**
 * Kernels of the wasm backend that are many times slower than a composition of its other kernels, rewritten so, and some
 * that fail. The speed-ups in the comments are for a batch of 32 feature maps of 28×28×16 on one core with SIMD.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import { registerConvGradients } from './conv-gradients.js'
import { override, type Rewrite } from './override.js'

const sizeOf = tf.util.sizeFromShape

const isFloat = (t: tf.Tensor): boolean => t.dtype === 'float32' && t.size > 0

/** The shape under which the data of a right operand was first used, by the identity of the data. */
const packedAs = new WeakMap<object, string>()

/**
 * The backend packs a right operand once and finds the packed form again by the identity of the data, whatever its
 * shape: after a product with `b`, one with `reshape(b)` reads out of bounds. A copy has an identity of its own.
 */
const asRight = (b: tf.Tensor2D): tf.Tensor2D => {
  const shape = b.shape.join('×')
  const known = packedAs.get(b.dataId)
  if (known === undefined) packedAs.set(b.dataId, shape)
  return known === undefined || known === shape ? b : tf.mul(b, 1)
}

/** Products of matrices run in a tuned kernel, but with a transposed operand in a plain loop: 4 to 20×. */
const matMul: Rewrite = ({ a, b }, { transposeA, transposeB }) => {
  const batch = (t: tf.Tensor): number => sizeOf(t.shape.slice(0, -2))
  if (batch(a!) !== 1 || batch(b!) !== 1 || !isFloat(a!) || !isFloat(b!)) return undefined
  const plain = (t: tf.Tensor, transposed: unknown): tf.Tensor2D => {
    const flat: tf.Tensor2D = tf.reshape(t, t.shape.slice(-2) as [number, number])
    return transposed ? tf.transpose(flat) : flat
  }
  const right = plain(b!, transposeB)
  const safe = asRight(right)
  if (!transposeA && !transposeB && safe === right) return undefined
  const out = tf.matMul(plain(a!, transposeA), safe)
  return tf.reshape(out, [...(a!.rank > b!.rank ? a! : b!).shape.slice(0, -2), ...out.shape])
}

/** How many numbers the backend may add one after another: float32 then loses 4e-6 of their sum at most. */
const MOST = 512
const CHUNK = 256

/**
 * Sums over leading axes as the sum over the rows of one transposed matrix: 1.5×. Pooling would be 5×, but it turns
 * NaN into -Infinity. Long rows are added in chunks first: the backend adds one number after another.
 */
const sum: Rewrite = ({ x }, { axis, keepDims }) => {
  if (!isFloat(x!)) return undefined
  const axes = tf.util.parseAxisParam(axis as number | number[], x!.shape).sort((p, q) => p - q)
  const kept = x!.shape.flatMap((n, i) => (!axes.includes(i) ? [n] : keepDims ? [1] : []))
  const leads = axes.length > 0 && axes.length < x!.rank && axes.every((a, i) => a === i)
  const rest = x!.shape.slice(axes.length)
  if (leads) return tf.reshape(tf.sum(tf.transpose(tf.reshape(x!, [-1, sizeOf(rest)])), 1), kept)
  const trails = axes.every((a, i) => a === x!.rank - axes.length + i)
  const count = sizeOf(axes.map((a) => x!.shape[a]!))
  if (!trails || count <= MOST) return undefined
  const [rows, chunks] = [x!.size / count, Math.ceil(count / CHUNK)]
  const whole = tf.pad(tf.reshape(x!, [rows, count]), [
    [0, 0],
    [0, chunks * CHUNK - count],
  ])
  return tf.reshape(tf.sum(tf.sum(tf.reshape(whole, [rows, chunks, CHUNK]), 2), 1), kept)
}

const mean: Rewrite = ({ x }, { axis, keepDims }) => {
  if (!isFloat(x!)) return undefined
  const total = tf.sum(x!, axis as number | number[], keepDims as boolean)
  return tf.mul(total, total.size / x!.size)
}

/** How long a repeated operand is made before it is combined with the rows of the other: long enough for SIMD. */
const rowLength = 256

/** The trailing sizes of `shape` from which a row of at least {@link rowLength} entries is made. */
const rowOf = (shape: readonly number[], length: number): number =>
  length >= rowLength || shape.length === 0 ? length : rowOf(shape.slice(0, -1), length * shape[shape.length - 1]!)

/**
 * `[…, c] ∘ [c]` in rows of some hundreds of entries, the short operand repeated: 5×. The kernel's own inner loop is
 * the last axis alone.
 */
const broadcast =
  (op: (a: tf.Tensor, b: tf.Tensor) => tf.Tensor): Rewrite =>
  ({ a, b }) => {
    if (!isFloat(a!) || !isFloat(b!)) return undefined
    const swapped = b!.size > a!.size
    const [long, short] = swapped ? [b!, a!] : [a!, b!]
    const c = long.shape[long.rank - 1]!
    if (c < 2 || c >= rowLength / 2 || short.size !== c || short.shape[short.rank - 1] !== c) return undefined
    const row = rowOf(long.shape.slice(0, -1), c)
    // A tensor of a few rows is not worth the detour.
    if (short.rank > long.rank || row === c || long.size < 8 * row) return undefined
    const repeated = tf.reshape(tf.add(tf.fill([row / c, 1], 0), tf.reshape(short, [1, c])), [row])
    const flat = tf.reshape(long, [-1, row])
    return tf.reshape(swapped ? op(repeated, flat) : op(flat, repeated), long.shape)
  }

/** Repeats by adding zeros that broadcast: 80×. Broadcasting, and so the gradients of sums, are made of this. */
const tile: Rewrite = ({ x }, { reps }) => {
  const times = reps as number[]
  if (!isFloat(x!) || times.includes(0)) return undefined
  // An axis that is repeated becomes two: how often, and what.
  const blocks = x!.shape.flatMap((n, i) => (times[i] === 1 ? [n] : [1, n]))
  const repeated = x!.shape.flatMap((n, i) => (times[i] === 1 ? [n] : [times[i]!, n]))
  return tf.reshape(
    tf.add(tf.fill(repeated, 0), tf.reshape(x!, blocks)),
    x!.shape.map((n, i) => n * times[i]!),
  )
}

/** 60×. */
const depthToSpace: Rewrite = ({ x }, { blockSize, dataFormat }) => {
  if (dataFormat !== 'NHWC') return undefined
  const [b, h, w, c] = x!.shape as [number, number, number, number]
  const k = blockSize as number
  const d = c / (k * k)
  return tf.reshape(tf.transpose(tf.reshape(x!, [b, h, w, k, k, d]), [0, 1, 3, 2, 4, 5]), [b, h * k, w * k, d])
}

/**
 * 7×. With m = e^(-2|x|) - 1, which the vectorised `elu` computes, tanh |x| = -m / (m + 2); exact near 0, unlike a
 * sigmoid rescaled.
 */
const tanh: Rewrite = ({ x }) => {
  if (!isFloat(x!)) return undefined
  const m = tf.elu(tf.mul(tf.abs(x!), -2))
  const minusSign = tf.sub(1, tf.mul(tf.step(x!), 2))
  return tf.mul(minusSign, tf.div(m, tf.add(m, 2)))
}

/** 3×: both sigmoids are vectorised and accurate in their tails. Of half of x, so that neither of them is 0 before eˣ is. */
const exp: Rewrite = ({ x }) => {
  if (!isFloat(x!)) return undefined
  const half = tf.mul(x!, 0.5)
  return tf.square(tf.div(tf.sigmoid(half), tf.sigmoid(tf.neg(half))))
}

/**
 * The backend rounds 1 + x first, which is 1 for x below 6e-8. What that rounding loses is known:
 * log(1 + x) = log(u)·x/(u − 1) for u the rounded 1 + x (W. Kahan).
 */
const log1p: Rewrite = ({ x }) => {
  if (!isFloat(x!)) return undefined
  const u = tf.add(x!, 1)
  const near = tf.where(tf.equal(u, 1), x!, tf.mul(tf.log(u), tf.div(x!, tf.sub(u, 1))))
  return tf.where(tf.less(tf.abs(x!), 0.5), near, tf.log(u))
}

/** The backend has 0 for what is smaller than 1e-6, and for NaN. */
const sign: Rewrite = ({ x }) => (isFloat(x!) ? tf.sub(tf.step(x!), tf.step(tf.neg(x!))) : undefined)

/** Below 0 the backend subtracts x from a rounded π: sin −10⁻¹⁰ is 1.7·10⁻⁷. */
const sin: Rewrite = ({ x }, attrs) => {
  if (!isFloat(x!) || attrs['direct'] === true) return undefined
  const size = tf.abs(x!)
  const positive = tf.engine().runKernel('Sin', { x: size }, { direct: true }) as tf.Tensor
  return tf.where(tf.less(size, 1e-4), x!, tf.mul(sign({ x: x! }, {})!, positive))
}

/**
 * What lies with another backend, as results of `jit` do, is fetched when it is first looked up, and then the memory may
 * grow, which takes its views away. Some kernels take a view first: their operands are fetched before they begin.
 */
const fetched: Rewrite = (inputs) => {
  // the backend's types hide the map
  const { dataIdMap } = tf.backend() as unknown as { readonly dataIdMap: tf.DataStorage<unknown> }
  for (const { dataId } of Object.values(inputs)) dataIdMap.get(dataId)
  return undefined
}

const rewrites: Readonly<Record<string, Rewrite>> = {
  BatchMatMul: matMul,
  Sum: sum,
  Mean: mean,
  Add: broadcast(tf.add),
  Sub: broadcast(tf.sub),
  Multiply: broadcast(tf.mul),
  SquaredDifference: broadcast(tf.squaredDifference),
  RealDiv: broadcast(tf.div),
  Tile: tile,
  DepthToSpace: depthToSpace,
  Tanh: tanh,
  Exp: exp,
  Log1p: log1p,
  Sign: sign,
  Sin: sin,
  Cast: fetched,
  Concat: fetched,
  Identity: fetched,
}

let registered = false

/** Registers every rewrite, the gradients of convolutions included. Only the first call does anything. */
export const registerWasmKernels = (): void => {
  if (registered) return
  registered = true
  for (const [name, rewrite] of Object.entries(rewrites)) override(name, rewrite)
  registerConvGradients()
}
