/**
 * Five mistakes, and what the compiler says at the argument that is wrong. Each `@ts-expect-error` below hides one
 * such sentence: delete the comment and your editor underlines the next line. A size known only at run time meets the
 * same rule there; this program prints what it says.
 *
 *     npm run build && node dist/examples/02-shape-errors.js
 */
import {
  channelwise,
  checkerboard,
  compose,
  coupling,
  DiffeoException,
  describeError,
  input,
  on,
  realNvp,
  resnet,
  squeeze,
} from 'diffeo'

const net = resnet({ width: 8, blocks: 1 })
const photo = on([32, 32, 3], compose(coupling(checkerboard(), net), squeeze))

const mistakes: Readonly<Record<string, () => unknown>> = {
  'squeeze a side that is odd': () =>
    compose(
      input([30, 30, 3]),
      squeeze,
      // @ts-expect-error squeeze: expected an even height, got 15 in 15×15×12
      squeeze,
    ),

  'put a bijector after another shape than its own': () =>
    compose(
      input([28, 28, 1]),
      squeeze,
      // @ts-expect-error expected 32×32×3, got 14×14×4 from the layer before
      photo,
    ),

  'halve the channels of a gray image': () =>
    compose(
      input([28, 28, 1]),
      // @ts-expect-error coupling: expected an even number of channels, got 1 in 28×28×1
      coupling(channelwise(), net),
    ),

  'lay a checkerboard over a vector': () =>
    compose(
      input([784]),
      // @ts-expect-error coupling: expected height×width×channels, got 784
      coupling(checkerboard(), net),
    ),

  'ask for a scale too many': () =>
    on(
      [30, 30, 3],
      // @ts-expect-error squeeze: expected an even height, got 15 in 15×15×6
      realNvp({ scales: 3 }),
    ),
}

for (const [name, make] of Object.entries(mistakes)) {
  try {
    make()
    console.log(`${name}: nothing is wrong?`)
  } catch (thrown) {
    if (!(thrown instanceof DiffeoException)) throw thrown
    console.log(`${name}\n  ${describeError(thrown.error)}`)
  }
}
