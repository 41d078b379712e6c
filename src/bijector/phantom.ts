/**
 * Fields that carry a type and no value: layers and masks have one for their shape function.
 *
 * @module
 */

/** The value of a field that only the compiler reads. */
// cast: an arbitrary type has no value to return, and no program reads this one
export const phantom = <A>(): A => undefined as never
