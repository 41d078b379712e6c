/**
 * Five mistakes, and the error that the compiler reports at the wrong argument. Each `@ts-expect-error` below hides one
 * error: delete the comment, and your editor underlines the next line. Sizes known only at run time are checked by the
 * same rules at run time; this program prints those errors.
 *
 *     npm run build && node dist/examples/02-shape-errors.js
 */
import {
  atShape,
  channelwise,
  checkerboard,
  compose,
  coupling,
  DiffeoException,
  describeError,
  input,
  realNvp,
  resnet,
  squeeze,
} from 'diffeo'

const net = resnet({ width: 8, blocks: 1 })
const photo = atShape([32, 32, 3], compose(coupling(checkerboard(), net), squeeze))

const mistakes: Readonly<Record<string, () => unknown>> = {
  'squeeze a side that is odd': () =>
    compose(
      input([30, 30, 3]),
      squeeze,
      // @ts-expect-error squeeze: expected an even height, got 15 in 15×15×12
      squeeze,
    ),

  'put a bijector after a shape that it does not accept': () =>
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

  'ask for too many scales': () =>
    atShape(
      [30, 30, 3],
      // @ts-expect-error squeeze: expected an even height, got 15 in 15×15×6
      realNvp({ scales: 3 }),
    ),
}

for (const [name, make] of Object.entries(mistakes)) {
  try {
    make()
    console.log(`${name}: expected an error, got none`)
  } catch (thrown) {
    if (!(thrown instanceof DiffeoException)) throw thrown
    console.log(`${name}\n  ${describeError(thrown.error)}`)
  }
}
