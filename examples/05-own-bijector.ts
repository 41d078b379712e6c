/**
 * A custom bijector: y = sinh(x), element by element. Its formulas take three lines, and the laws test them. A second
 * version has the wrong sign in the log-det of the inverse, and shows how a law fails.
 *
 *     npm run build && node dist/examples/05-own-bijector.js
 */
import { actNorm, bijector, compose, input, type Layer, layer, type Same, squeeze } from 'diffeo'
import { ready } from 'diffeo/engine'
import { checkLaws } from 'diffeo/laws'
import * as T from 'diffeo/tensor'
import { pipe } from 'fp-ts/lib/function.js'

const forward = (x: T.AnyTensor): T.AnyTensor => pipe(T.exp(x), T.sub(T.exp(T.neg(x))), T.times(0.5))
const inverse = (y: T.AnyTensor): T.AnyTensor => pipe(T.square(y), T.plus(1), T.sqrt, T.add(y), T.log)
/** log cosh x = |x| + log(1 + e^(−2|x|)) − log 2, which does not overflow */
const logSlope = (x: T.AnyTensor): T.AnyTensor =>
  pipe(T.abs(x), T.times(-2), T.softplus, T.add(T.abs(x)), T.plus(-Math.LN2))

const sinhWith = (inverseSign: 1 | -1): Layer<Same> =>
  layer('sinh', (shape) =>
    bijector({
      name: 'sinh',
      domain: shape,
      codomain: shape,
      spec: {},
      forward: (_, x) => [forward(x), T.sumEvent(logSlope(x))],
      inverse: (_, y) => {
        const x = inverse(y)
        return [x, pipe(T.sumEvent(logSlope(x)), T.times(inverseSign))]
      },
    }),
  )
const sinh = sinhWith(-1)

await ready('cpu')
checkLaws(compose(input([4, 4, 1]), sinh, squeeze, actNorm, sinh), { domain: [-1, 1] })
console.log('sinh obeys the laws')
try {
  checkLaws(compose(input([3]), sinhWith(1)), { seed: 1 })
} catch (failure) {
  console.log(String(failure))
}
