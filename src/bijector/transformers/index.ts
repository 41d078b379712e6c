/**
 * The families of elementwise bijections, each in a file of its own.
 *
 * @module
 */
export { type AffineOptions, additive, affine } from './affine.js'
export { type SplineOptions, spline } from './spline.js'
