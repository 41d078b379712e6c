/**
 * Loss scaling, for gradients that pass through fp16, whose least number is 6·10⁻⁸: the gradients of an image's pixels
 * are smaller (Micikevicius et al. 2018, arXiv 1710.03740, section 3.2).
 *
 *   ∇ loss = ∇(c · loss) / c, with c a power of two, so that nothing is rounded
 *
 * The factor c is as large as it can be: a step whose gradients are not finite is taken again with half of it, and after
 * so many steps in a row that were, it is doubled. So no batch is lost.
 *
 * @module
 */

/** The factor, and how many steps in a row went well with it: part of what training goes on from. */
export interface LossScale {
  readonly factor: number
  readonly good: number
}

/** How the factor moves. */
export interface LossScaling {
  /** Of the first step. */
  readonly start: number
  /** Steps until it is doubled. */
  readonly every: number
}

/**
 * The scaling of PyTorch's `GradScaler`: from 2¹⁶, doubled after 2000 good steps.
 *
 * @example
 * const options = { optimiser: adam(), learningRate: constantRate(1e-3), lossScaling: dynamicLossScale() }
 * const next = trainStep(moons, options)
 */
export const dynamicLossScale = ({ start = 2 ** 16, every = 2000 }: Partial<LossScaling> = {}): LossScaling => ({
  start,
  every,
})

/** The largest factor: float32 has room for a thousand times as much beside it. */
export const MOST = 2 ** 116

/** After a step that went well. */
export const raised = ({ factor, good }: LossScale, { every }: LossScaling): LossScale =>
  good + 1 < every ? { factor, good: good + 1 } : { factor: Math.min(MOST, 2 * factor), good: 0 }

/** After one that did not; nothing if the factor is not to blame. */
export const halved = ({ factor }: LossScale): LossScale | undefined =>
  factor > 1 ? { factor: factor / 2, good: 0 } : undefined
