/**
 * The order of TensorFlow.js's gradient tape. What a gradient function saves is cloned before its own operation is
 * recorded, so the clone of an *output* stands on the tape before the operation that computes it. A first gradient never
 * looks at clones. A gradient of a gradient walks the tape from the inputs on, does not find the way into such a clone,
 * and silently returns too little: 0 for eˣ. That concerns every kernel whose gradient is made of its output, and every
 * `tf.customGrad` that saves one (`tf.logSoftmax`).
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'

/** The two members of TensorFlow.js's engine that this module relies on; its types hide them. */
interface Recorder {
  readonly state: { readonly activeTape: unknown[] }
  addTapeNode: (
    kernel: string,
    inputs: tf.NamedTensorMap,
    outputs: tf.Tensor[],
    gradient: unknown,
    saved: tf.Tensor[],
    attrs: unknown,
  ) => void
}

/** Records an operation before the clones that it saved. Calling it again changes nothing. */
export const orderTape = (): void => {
  // both members exist, but are private in the types
  const engine = tf.engine() as unknown as Recorder
  if (Object.hasOwn(engine, 'addTapeNode')) return
  const record = engine.addTapeNode
  engine.addTapeNode = function (this: Recorder, kernel, inputs, outputs, gradient, saved, attrs) {
    record.call(this, kernel, inputs, outputs, gradient, saved, attrs)
    const tape = this.state.activeTape
    // the last is the operation, the ones before it are its clones
    const operation = tape.pop()
    tape.push(operation, ...tape.splice(tape.length - saved.length))
  }
}
