/**
 * Normalizing flows whose tensor shapes the compiler checks.
 *
 * @module
 */
export * from './data/mnist.js'
export * from './data/split.js'
export * from './data/toys.js'
export * from './error.js'
export * from './image/grid.js'
export * from './image/heatmap.js'
export * from './image/png.js'
export * from './tensor/random.js'
