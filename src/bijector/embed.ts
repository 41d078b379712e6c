/**
 * `embed(given, net, f)`: a conditional bijector whose context is summarised by a net, which is trained along with it:
 *
 *     f(x; c) with c = net(given)
 *
 * The net runs once in each direction, for all layers of f.
 *
 * @module
 */
import type { Latents, Shape } from '../../types/shape.js'
import { orThrow } from '../error.js'
import type { Net } from '../nn/net.js'
import { branch } from '../tensor/params.js'
import { expectKind } from './arguments.js'
import { conditionalFromRuns } from './from-runs.js'
import type { Conditional } from './layer.js'
import type { Run, Runs } from './runs.js'

/**
 * A conditional bijector at contexts of another shape, which a net summarises (an embedding net).
 *
 * @throws DiffeoException if the net does not map one shape to the other
 * @example
 * const inner = compose(input([2], { given: [4] }), coupling(halves(), mlp()), coupling(halves('second'), mlp()))
 * const posterior = flow(embed([80], mlp({ hidden: [64] }), inner), standardNormal) // ConditionalFlow<[2], [80], [2]>
 */
export const embed = <const D extends Shape, A extends Shape, C extends Shape, B extends Latents>(
  given: D,
  net: Net<'image'> | Net<'vector'>,
  of: Conditional<A, C, B>,
): Conditional<A, D, B> => {
  expectKind('embed', 'a net', net)
  expectKind('embed', 'a conditional bijector', of, ['a conditional bijector'], 'start it with input(shape, { given })')
  const module = orThrow(net.at(given, of.context))
  const through =
    (direction: keyof Runs): Run =>
    ({ params, values, given: contexts }) => {
      const trains = direction === 'train'
      const [summary, ownNet] = module.run(branch(params, 'net'), contexts!, trains)
      const output = of.runs[direction]({ params: branch(params, 'flow'), values, given: summary })
      return { ...output, params: { net: ownNet, flow: output.params } }
    }
  return conditionalFromRuns(given, {
    name: 'embed',
    domain: of.domain,
    codomain: of.codomain,
    support: of.support,
    range: of.range,
    spec: { net: module.spec, flow: of.spec },
    forward: through('forward'),
    inverse: through('inverse'),
    train: through('train'),
    start: through('start'),
  })
}
