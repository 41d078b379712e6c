// A context for a flow that takes none.
import { type BatchOf, flow, on, realNvpVector, standardNormal } from 'diffeo'

declare const ten: BatchOf<readonly [10]>
const plain = flow(on([2], realNvpVector()), standardNormal)
export const at = plain.given(ten)
