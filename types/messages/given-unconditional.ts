// A context for a flow that takes none.
import { atShape, flow, realNvpVector, standardNormal } from 'diffeo'
import type { BatchOf } from 'diffeo/tensor'

declare const ten: BatchOf<readonly [10]>
const plain = flow(atShape([2], realNvpVector()), standardNormal)
export const at = plain.given(ten)
