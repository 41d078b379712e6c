/**
 * A layer for each element of a vector, or for several of them: the columns of a table, each with its own map.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import * as E from 'fp-ts/lib/Either.js'
import type { Same, SameVector, ShapeFn } from '../../types/shape.js'
import { shapeError } from '../error.js'
import { add } from '../tensor/ops.js'
import { branch, type Params } from '../tensor/params.js'
import { show } from '../tensor/shape.js'
import { trust, unwrap } from '../tensor/tensor.js'
import { layerIn } from './arguments.js'
import { chainAt, linkName } from './chain.js'
import { fromRunsGiven } from './from-runs.js'
import { type AnyBijector, type AnyConditional, type Layer, layer } from './layer.js'
import { permute } from './rearrange.js'
import type { Run, Runs } from './runs.js'

/** Elements that share a layer. */
interface Block {
  readonly layer: Layer<ShapeFn>
  readonly places: readonly number[]
}

/** The blocks of consecutive elements, each with its layer. */
const blocksAt = (blocks: readonly Block[]): Layer<ShapeFn> =>
  layer<ShapeFn>('columns', (shape, given) => {
    const parts: (AnyBijector | AnyConditional)[] = []
    for (const block of blocks) {
      const part = block.layer.at([block.places.length], given)
      if (E.isLeft(part)) return part
      parts.push(part.right)
    }
    const wide = parts.find((part, i) => show(part.codomain) !== show([blocks[i]!.places.length]))
    if (wide !== undefined)
      return E.left(shapeError('columns', 'layers that keep the shape', `${wide.name} to ${show(wide.codomain)}`))
    const links = parts.map((part, i) => ({ part, name: linkName(i, part), size: blocks[i]!.places.length }))
    const run =
      (direction: keyof Runs): Run =>
      (input) => {
        const pieces = tf.split(
          unwrap(input.values[0]!),
          links.map(({ size }) => size),
          1,
        )
        const next: Record<string, Params> = {}
        const outputs = links.map(({ part, name }, i) => {
          const params = branch(input.params, name)
          const output = part.runs[direction]({ ...input, params, values: [trust(pieces[i]!)] })
          if (Object.keys(part.spec).length > 0) next[name] = output.params
          return output
        })
        return {
          values: [
            trust(
              tf.concat(
                outputs.map(({ values: [value] }) => unwrap(value!)),
                1,
              ),
            ),
          ],
          logDet: outputs.map(({ logDet }) => logDet).reduce((sum, each) => add(each)(sum)),
          params: direction === 'inverse' ? input.params : next,
        }
      }
    return E.right(
      fromRunsGiven(given, {
        name: 'columns',
        domain: shape,
        codomain: shape,
        spec: Object.fromEntries(
          links.flatMap(({ part, name }) => (Object.keys(part.spec).length > 0 ? [[name, part.spec]] : [])),
        ),
        forward: run('forward'),
        inverse: run('inverse'),
        train: run('train'),
        start: run('start'),
      }),
    )
  })

/**
 * A layer for each element of a vector, by the names of the columns in their order. Columns with the same layer are
 * mapped together.
 *
 * - Forward: yᵢ = fᵢ(xᵢ)
 * - Forward log-det: Σ log |det ∂fᵢ/∂xᵢ|
 * - Inverse: xᵢ = fᵢ⁻¹(yᵢ)
 * - Inverse log-det: −Σ log |det ∂fᵢ/∂xᵢ|
 *
 * @throws DiffeoException, where it is put at a shape, if there are more or fewer elements than names
 * @example
 * const positive = reverse(exp) // to the logarithm
 * compose(input([3]), columns({ rate: positive, share: logit({ bins: 1 }), size: positive }), nsf())
 */
export const columns = (layers: Readonly<Record<string, Layer<Same> | Layer<SameVector>>>): Layer<SameVector> => {
  const named = Object.entries(layers).map(([name, of]) => ({
    name,
    of: layerIn('columns')(of) as Layer<ShapeFn>,
  }))
  const blocks = [...new Set(named.map(({ of }) => of))].map(
    (of): Block => ({ layer: of, places: named.flatMap((column, i) => (column.of === of ? [i] : [])) }),
  )
  const order = blocks.flatMap(({ places }) => places)
  const back = order.map((_, i) => order.indexOf(i))
  const isInOrder = order.every((place, i) => place === i)
  const inner = blocksAt(blocks)
  const chain = isInOrder ? [inner] : [permute(order), inner, permute(back)]
  return layer<SameVector>('columns', (shape, given) =>
    shape.length === 1 && shape[0] === named.length
      ? chainAt(chain as readonly Layer<ShapeFn>[])(shape, given)
      : E.left(
          shapeError(
            'columns',
            `a vector of ${named.length} elements, one for each name`,
            show(shape),
            `name as many columns as there are elements`,
          ),
        ),
  )
}
