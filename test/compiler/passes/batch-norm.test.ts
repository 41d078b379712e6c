import * as tf from '@tensorflow/tfjs-core'
import { ready } from 'diffeo/engine'
import { unwrap } from 'diffeo/tensor'
import { describe, expect, it } from 'vitest'
import { passes } from '../../../src/backends/tensorflow/pipeline.js'
import { runPasses } from '../../../src/compiler/pipeline.js'
import { trace } from '../../../src/compiler/trace.js'
import { withGradients } from '../agree.js'
import type { Operation } from '../functions.js'
import { given, normOf, norms } from '../norms.js'

describe('a batch norm as operations of TensorFlow', () => {
  const kernelsOf = ({ f, constant }: Operation): readonly string[] => {
    const infos = [...given, given[0]].map((shape) => ({ shape, dtype: 'float32' as const }))
    const both = (xs: tf.Tensor[]) => withGradients({ f, shapes: given, constant: constant === true })(xs, xs.pop()!)
    return runPasses('tensorflow', passes, trace(both, infos)).calls.map(({ kernel }) => kernel)
  }
  const count = (kernels: readonly string[], wanted: string) => kernels.filter((kernel) => kernel === wanted).length
  it('is one, and so is its gradient', async () => {
    await ready('cpu')
    for (const name of ['alone', 'in a residual sum', 'statistics']) {
      const made = kernelsOf(norms[name]!)
      expect(count(made, 'BatchNorm'), name).toBe(1)
      expect(count(made, 'BatchNormGrad'), name).toBe(name === 'statistics' ? 0 : 1)
      expect(made, name).not.toContain('Mean')
    }
  })
  it('is left as it was where something else is meant', async () => {
    await ready('cpu')
    expect(kernelsOf({ f: (...xs) => normOf('instance')(xs)[0], shapes: given })).not.toContain('BatchNorm')
    // the gradient goes through the mean in another way too
    const through: Operation['f'] = (...xs) => {
      const [y, { mean }] = normOf()(xs)
      return tf.mul(y, unwrap(mean))
    }
    expect(kernelsOf({ f: through, shapes: given })).not.toContain('BatchNormGrad')
  })
})
