/**
 * Replaces a kernel of a backend by a composition of others, which are faster, or right. A rewrite is a function on tensors that may
 * decline, by returning `undefined`, and then the backend's own kernel runs.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'

/** Ops in place of one kernel; `undefined` leaves the inputs to the kernel that was there before. */
export type Rewrite = (inputs: Record<string, tf.Tensor>, attrs: tf.NamedAttrMap) => tf.Tensor | undefined

/**
 * A kernel returns data, not a tensor: the engine makes its own tensor from it. The one that the rewrite made gives up
 * its reference, else the first of the two to go would free what the other still uses.
 */
const handOver = (out: tf.Tensor): tf.TensorInfo => {
  const { dataId, shape, dtype } = out
  tf.backend().incRef(dataId)
  out.dispose()
  return { dataId, shape, dtype }
}

/**
 * Registers `rewrite` in front of a kernel of a backend. A kernel that the backend lacks becomes one that throws, naming
 * what it does not cover, where `rewrite` declines.
 */
export const override = (kernelName: string, rewrite: Rewrite, backendName: 'wasm' | 'webgpu' = 'wasm'): void => {
  // Typed as always there, but undefined for a kernel that the backend lacks.
  const original: tf.KernelConfig | undefined = tf.getKernel(kernelName, backendName)
  // A second kernel of the same name would be registered with a warning on the console.
  if (original !== undefined) tf.unregisterKernel(kernelName, backendName)
  tf.registerKernel({
    // The set-up function of the original must still run: the original may be called.
    ...(original ?? { backendName }),
    kernelName,
    kernelFunc: (params) => {
      const inputs = params.inputs as Record<string, tf.Tensor>
      const attrs = params.attrs ?? {}
      // Inside a kernel the gradient tape is off, and `tidy` frees every intermediate but the result.
      const out = tf.tidy(() => rewrite(inputs, attrs) ?? [])
      if (out instanceof tf.Tensor) return handOver(out)
      if (original !== undefined) return original.kernelFunc(params)
      throw new Error(`${kernelName}: not supported by the ${backendName} engine with ${JSON.stringify(attrs)}`)
    },
  })
}
