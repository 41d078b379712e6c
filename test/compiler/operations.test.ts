/** Every operation on every engine: values and gradients, compiled, are those of the cpu backend. */
import * as tf from '@tensorflow/tfjs-core'
import { type EngineName, ready } from 'diffeo/engine'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { operations, type Traced } from '../../src/compiler/operations.js'
import { trace } from '../../src/compiler/trace.js'
import { agrees, fast, withGradients } from './agree.js'
import { functions, functionsOf, type Sizes } from './functions.js'

const engines = [...new Set<EngineName>([fast, 'wasm', 'cpu'])]

/** 1e-4 relative, but where WGSL allows more: an absolute error of 2⁻¹¹ in sines and cosines. */
const tolerance = (name: string) => (engine: EngineName) =>
  engine === 'webgpu' && (name === 'sin' || name === 'cos') ? 2 ** -11 : 1e-4

describe(`operations and their gradients agree with the cpu, compiled by ${engines.join(', ')}`, () => {
  const one = fc.integer({ min: 1, max: 7 })
  const sizes: fc.Arbitrary<Sizes> = fc.tuple(one, one, one, fc.integer({ min: 1, max: 20 }))
  it.each(Object.keys(functions))('%s', async (name) => {
    await agrees(functions[name]!, engines, tolerance(name))
    await fc.assert(
      fc.asyncProperty(sizes, (drawn) => agrees(functionsOf(drawn)[name]!, engines, tolerance(name))),
      { numRuns: 5 },
    )
  })
})

it('every kernel that can be traced is among them', async () => {
  await ready('cpu')
  const seen = Object.values(functions).flatMap((operation) => {
    const infos = operation.shapes.map((shape) => ({ shape, dtype: 'float32' as const }))
    const { values, outputs } = trace((xs) => [operation.f(...xs)], infos)
    const program = trace((xs) => withGradients(operation)(xs.slice(1), xs[0]!), [values[outputs[0]!]!, ...infos])
    return program.calls.map(({ kernel }) => kernel)
  })
  expect((Object.keys(operations) as Traced[]).filter((kernel) => !seen.includes(kernel))).toEqual([])
})

describe(`convolutions of any size, compiled by ${fast}`, () => {
  const small = fc.integer({ min: 1, max: 9 })
  const channels = fc.integer({ min: 1, max: 20 })
  const odd = fc.constantFrom(1, 3, 5)
  const shapes = fc.record({
    n: fc.integer({ min: 1, max: 5 }),
    h: small,
    w: small,
    kh: odd,
    kw: odd,
    ci: channels,
    co: channels,
  })
  const pad = fc.constantFrom('same' as const, 'valid' as const)
  it('agree with the cpu, gradients included', async () => {
    await fc.assert(
      fc.asyncProperty(shapes, pad, fc.constantFrom(1, 2), async ({ n, h, w, kh, kw, ci, co }, padding, stride) => {
        const large = [Math.max(h, kh), Math.max(w, kw)] as const
        const f = (x: tf.Tensor, k: tf.Tensor): tf.Tensor =>
          tf.conv2d(x as tf.Tensor4D, k as tf.Tensor4D, stride, padding)
        await agrees(
          {
            f,
            shapes: [
              [n, ...large, ci],
              [kh, kw, ci, co],
            ],
          },
          [fast],
        )
      }),
      { numRuns: 40 },
    )
  })
  it('agree for explicit padding, by which the result may be larger than the image', async () => {
    const side = fc.integer({ min: 0, max: 4 })
    const pads = fc.tuple(side, side, side, side)
    await fc.assert(
      fc.asyncProperty(shapes, pads, async ({ n, h, w, kh, kw, ci, co }, [top, bottom, left, right]) => {
        const sides = [
          [0, 0],
          [top % kh, bottom % kh],
          [left % kw, right % kw],
          [0, 0],
        ] as unknown as number
        const f = (x: tf.Tensor, k: tf.Tensor): tf.Tensor => tf.conv2d(x as tf.Tensor4D, k as tf.Tensor4D, 1, sides)
        const shape = [n, Math.max(h, kh), Math.max(w, kw), ci]
        await agrees({ f, shapes: [shape, [kh, kw, ci, co]] }, [fast])
      }),
      { numRuns: 40 },
    )
  })
})

describe(`images of whole blocks of channels, compiled by ${fast}`, () => {
  const shapes = fc.record({
    n: fc.constantFrom(3, 16, 32),
    h: fc.integer({ min: 2, max: 6 }),
    w: fc.integer({ min: 2, max: 6 }),
    k: fc.constantFrom(1, 3),
    ci: fc.constantFrom(2, 3, 16, 24, 32, 48),
    co: fc.constantFrom(2, 16, 32),
  })
  it('agree with the cpu in convolutions', async () => {
    await fc.assert(
      fc.asyncProperty(
        shapes,
        fc.constantFrom('same' as const, 'valid' as const),
        async ({ n, h, w, k, ci, co }, pad) => {
          const f = (x: tf.Tensor, a: tf.Tensor, b: tf.Tensor): tf.Tensor =>
            tf.relu(tf.add(tf.conv2d(x as tf.Tensor4D, a as tf.Tensor4D, 1, pad), b))
          await agrees({ f, shapes: [[n, h + 1, w + 1, ci], [k, k, ci, co], [co]] }, [fast])
        },
      ),
      { numRuns: 40 },
    )
  }, 60_000)
  it('agree with the cpu in a residual block with batch norm', async () => {
    const norm = (x: tf.Tensor, g: tf.Tensor, b: tf.Tensor): tf.Tensor => {
      const mean = tf.mean(x, [0, 1, 2])
      const variance = tf.mean(tf.square(tf.sub(x, mean)), [0, 1, 2])
      const slope = tf.mul(g, tf.rsqrt(tf.add(variance, 1e-5)))
      return tf.relu(tf.add(tf.mul(x, slope), tf.sub(b, tf.mul(mean, slope))))
    }
    const conv = (x: tf.Tensor, k: tf.Tensor): tf.Tensor => tf.conv2d(x as tf.Tensor4D, k as tf.Tensor4D, 1, 'same')
    const f = (...xs: tf.Tensor[]): tf.Tensor => {
      const [x, k0, g1, b1, k1, c1, g2, b2, k2, k3] = xs as [tf.Tensor, ...tf.Tensor[]] & tf.Tensor[]
      const h = conv(x, k0!)
      const inner = tf.add(conv(norm(h, g1!, b1!), k1!), c1!)
      const out = tf.add(h, conv(norm(tf.sub(inner, 0.3), g2!, b2!), k2!))
      return conv(tf.add(tf.neg(out), tf.mul(tf.sub(h, out), c1!)), k3!)
    }
    const c = [16] as const
    const shapes = [[16, 4, 4, 3], [3, 3, 3, 16], c, c, [3, 3, 16, 16], c, c, c, [3, 3, 16, 16], [1, 1, 16, 4]]
    await agrees({ f, shapes }, [fast], () => 5e-4)
  })
})
