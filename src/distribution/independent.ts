/**
 * `independent(a, b, …)`: one base for each latent; log-densities add up.
 *
 * @module
 */
import type { Latents, Shape } from '../../types/shape.js'
import { DiffeoException, shapeError } from '../error.js'
import { add, tidy } from '../tensor/ops.js'
import { branch, type Params, type Spec } from '../tensor/params.js'
import { latentList, showLatents } from '../tensor/shape.js'
import { type AnyTensor, latentTensors } from '../tensor/tensor.js'
import type { Base } from './base.js'

/**
 * One base for each latent, in their order.
 *
 * @throws DiffeoException, from `flow`, if there are not as many bases as latents
 * @example const model = flow(atShape([4, 4, 1], compose(squeeze, factorOut)), independent(standardLogistic, standardNormal))
 */
export const independent = (...bases: readonly Base[]): Base => {
  const shapesOf = (latents: Latents): readonly Shape[] => {
    const shapes = latentList(latents)
    if (shapes.length === bases.length) return shapes
    const got = `${shapes.length}: ${showLatents(latents)}`
    throw new DiffeoException(shapeError('independent', `${bases.length} latents, one for each base`, got))
  }
  const own = (params: Params, i: number): Params => branch(params, `${i}`)
  return {
    name: `independent(${bases.map(({ name }) => name).join(', ')})`,
    spec: (latents, given) => {
      const specs = shapesOf(latents).map((shape, i): readonly [string, Spec] => [`${i}`, bases[i]!.spec(shape, given)])
      return Object.fromEntries(specs.filter(([, spec]) => Object.keys(spec).length > 0))
    },
    logProb: (params, z, given) =>
      tidy(() =>
        latentTensors(z)
          .map((part, i) => bases[i]!.logProb(own(params, i), part, given))
          .reduce((sum, part) => add(part)(sum)),
      ),
    noise: (latents) => shapesOf(latents).flatMap((shape, i) => bases[i]!.noise(shape)),
    make: (latents, params, noise, options) =>
      tidy(() => {
        const rest = [...noise]
        return shapesOf(latents).flatMap((shape, i) => {
          const base = bases[i]!
          return base.make(shape, own(params, i), rest.splice(0, base.noise(shape).length), options)
        })
      }),
    start: (params, z, given) =>
      Object.fromEntries(
        Object.keys(params).map((name) => {
          const i = Number(name)
          const part = z[i] as AnyTensor
          return [name, bases[i]!.start?.(own(params, i), [part], given) ?? own(params, i)]
        }),
      ),
  }
}
