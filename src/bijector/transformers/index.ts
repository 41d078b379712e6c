/**
 * The families of elementwise bijections, one per file.
 *
 * @module
 */
export { type AffineOptions, additive, affine } from './affine.js'
export { type BernsteinOptions, bernstein } from './bernstein.js'
export { type CircularSplineOptions, circularSpline } from './circular.js'
export { linearSpline } from './linear-spline.js'
export { type MixtureOptions, mixture } from './mixture.js'
export { type MonotoneNetOptions, monotoneNet } from './monotone-net.js'
export { quadraticSpline } from './quadratic-spline.js'
export { type SigmoidalOptions, sigmoidal } from './sigmoidal.js'
export { type SplineOptions, spline } from './spline.js'
export { type SumOfSquaresOptions, sumOfSquares } from './sum-of-squares.js'
