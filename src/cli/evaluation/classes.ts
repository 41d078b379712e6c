/**
 * Classes by Bayes' rule, from a class-conditional flow and classes that are equally likely:
 *
 *     p(c | x) = p(x | c) / Σ p(x | c′)        p(x) = Σ p(x | c′) / C
 *
 * @module
 */
import type { Latents, Shape } from '../../../types/shape.js'
import { compiled } from '../../distribution/compiled.js'
import { type ConditionalFlow, toBitsPerDim } from '../../distribution/flow.js'
import type { Params } from '../../tensor/params.js'
import { product } from '../../tensor/shape.js'
import { toArray, unwrap } from '../../tensor/tensor.js'
import type { Examples } from '../run/examples.js'
import { atClass, examplesIn, freeBatch } from '../run/given.js'

/** How well a run tells classes apart. */
export interface Classification {
  readonly count: number
  /** The share of the examples whose likeliest class is their own. */
  readonly accuracy: number
  /** The mean of −log p(x)/(D log 2), without the class. */
  readonly bitsPerDim: number
}

/** Classifies the first `most` test examples. `heard` gets the number of examples so far. */
export const classify = async (
  flow: ConditionalFlow<Shape, Shape, Latents>,
  params: Params,
  { test, labels }: Pick<Examples, 'test' | 'labels'>,
  most: number,
  heard: (done: number) => void,
): Promise<Classification> => {
  const classes = flow.bijector.context[0]!
  let [count, right, bits] = [0, 0, 0]
  for (let i = 0; i < test.count && count < most; i++) {
    const batch = await test.at(i)
    const ofClasses: Float32Array[] = []
    for (let label = 0; label < classes; label++)
      ofClasses.push(
        await atClass(flow, label, async (own) => {
          const logProb = await compiled(own).logProb(params)(examplesIn(batch))
          return toArray(logProb).finally(() => unwrap(logProb).dispose())
        }),
      )
    freeBatch(batch)
    const examples = ofClasses[0]!.length
    for (let n = 0; n < examples; n++) {
      const each = ofClasses.map((logProbs) => logProbs[n]!)
      const top = Math.max(...each)
      if (each.indexOf(top) === labels?.[count + n]) right += 1
      const mean = top + Math.log(each.reduce((sum, logProb) => sum + Math.exp(logProb - top), 0) / classes)
      bits += toBitsPerDim(mean, product(flow.bijector.domain))
    }
    count += examples
    heard(count)
  }
  return { count, accuracy: right / count, bitsPerDim: bits / count }
}
