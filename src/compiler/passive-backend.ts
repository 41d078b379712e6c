/**
 * What the two backends that compute nothing have in common: `program/trace.ts` records, `native/storage.ts` keeps. And
 * where constants are computed.
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

/** Runs `f` where what it makes can be read at once, which it cannot on WebGPU. */
export const readably = <A>(f: () => A): A => {
  const before = tf.getBackend()
  if (before !== 'webgpu') return f()
  try {
    // It answers a promise, but has chosen the backend before it does.
    tf.setBackend('cpu')
    return f()
  } finally {
    tf.setBackend(before)
  }
}
