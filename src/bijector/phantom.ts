/**
 * Fields that carry a type and no value: layers and masks have one for their shape function.
 *
 * @module
 */

/** The value of a field that the compiler reads and no program does. */
// there is no value of an arbitrary type, and nothing reads this one
export const phantom = <A>(): A => undefined as never
