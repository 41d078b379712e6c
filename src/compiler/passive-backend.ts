/**
 * What the two backends without arithmetic have in common: `trace.ts` records calls, `backends/shared/buffers.ts` keeps
 * results.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'

/** A backend of TensorFlow.js without arithmetic of its own. */
export abstract class PassiveBackend extends tf.KernelBackend {
  override async read(dataId: object): Promise<tf.BackendValues> {
    return this.readSync(dataId)
  }
  override memory(): { unreliable: boolean } {
    return { unreliable: true }
  }
  override floatPrecision(): 32 {
    return 32
  }
  override epsilon(): number {
    return 1e-7
  }
  override timerAvailable(): boolean {
    return false
  }
}
