/**
 * Every rule of shapes, case by case: the one table that the compiler and the run-time twins both read, so that the
 * two cannot disagree.
 */
import type {
  Apply,
  Dims,
  EvenChannels,
  Exactly,
  FactorOut,
  Flatten,
  Only,
  ReshapeTo,
  Same,
  SameImage,
  SameVector,
  Shape,
  ShapeError,
  SplitInto,
  Squeeze,
  TransposeTo,
} from 'diffeo'
import type {
  AxisRefusal,
  Broadcast,
  BroadcastRefusal,
  Gathered,
  GatherRefusal,
  SliceRefusal,
  SplitRefusal,
  ToSpace,
  ToSpaceRefusal,
  Transposed,
  TransposeRefusal,
  Without,
} from '../../types/ops.js'

/** A rule at a shape: what comes out, or the sentence. `with` is the rule's own shape, where it has one. */
export type Case = { readonly rule: string; readonly with?: Shape; readonly in: Shape } & (
  | { readonly out: Shape | readonly Shape[] }
  | { readonly sentence: string }
)

export const cases = [
  { rule: 'same', in: [], out: [] },
  { rule: 'same', in: [2], out: [2] },
  { rule: 'same', in: [32, 32, 3], out: [32, 32, 3] },

  { rule: 'sameImage', in: [32, 32, 3], out: [32, 32, 3] },
  { rule: 'sameImage', in: [1, 1, 1], out: [1, 1, 1] },
  { rule: 'sameImage', in: [784], sentence: 'coupling: expected height×width×channels, got 784' },
  { rule: 'sameImage', in: [], sentence: 'coupling: expected height×width×channels, got scalar' },
  { rule: 'sameImage', in: [2, 4, 4, 3], sentence: 'coupling: expected height×width×channels, got 2×4×4×3' },

  { rule: 'sameVector', in: [784], out: [784] },
  { rule: 'sameVector', in: [28, 28, 1], sentence: 'coupling: expected a vector, got 28×28×1' },
  { rule: 'sameVector', in: [], sentence: 'coupling: expected a vector, got scalar' },

  { rule: 'evenChannels', in: [16, 16, 12], out: [16, 16, 12] },
  { rule: 'evenChannels', in: [7, 5, 2], out: [7, 5, 2] },
  {
    rule: 'evenChannels',
    in: [32, 32, 3],
    sentence: 'coupling: expected an even number of channels, got 3 in 32×32×3',
  },
  { rule: 'evenChannels', in: [4, 2], sentence: 'coupling: expected height×width×channels, got 4×2' },

  { rule: 'squeeze', in: [32, 32, 3], out: [16, 16, 12] },
  { rule: 'squeeze', in: [2, 2, 1], out: [1, 1, 4] },
  { rule: 'squeeze', in: [128, 64, 192], out: [64, 32, 768] },
  { rule: 'squeeze', in: [1024, 2048, 3072], out: [512, 1024, 12288] },
  { rule: 'squeeze', in: [15, 15, 12], sentence: 'squeeze: expected an even height, got 15 in 15×15×12' },
  { rule: 'squeeze', in: [31, 32, 3], sentence: 'squeeze: expected an even height, got 31 in 31×32×3' },
  { rule: 'squeeze', in: [32, 31, 3], sentence: 'squeeze: expected an even width, got 31 in 32×31×3' },
  { rule: 'squeeze', in: [784], sentence: 'squeeze: expected height×width×channels, got 784' },
  { rule: 'squeeze', in: [], sentence: 'squeeze: expected height×width×channels, got scalar' },

  {
    rule: 'factorOut',
    in: [16, 16, 12],
    out: [
      [16, 16, 6],
      [16, 16, 6],
    ],
  },
  { rule: 'factorOut', in: [2], out: [[1], [1]] },
  {
    rule: 'factorOut',
    in: [5, 5, 100],
    out: [
      [5, 5, 50],
      [5, 5, 50],
    ],
  },
  { rule: 'factorOut', in: [32, 32, 3], sentence: 'factorOut: expected an even number of channels, got 3 in 32×32×3' },
  { rule: 'factorOut', in: [1], sentence: 'factorOut: expected an even number of channels, got 1 in 1' },
  { rule: 'factorOut', in: [], sentence: 'factorOut: expected at least one dimension, got scalar' },

  { rule: 'flatten', in: [], out: [1] },
  { rule: 'flatten', in: [7], out: [7] },
  { rule: 'flatten', in: [64, 64, 3], out: [12288] },
  { rule: 'flatten', in: [128, 64, 64, 3], out: [1572864] },
  { rule: 'flatten', in: [3, 0, 2], out: [0] },

  { rule: 'reshapeTo', with: [28, 28, 1], in: [784], out: [28, 28, 1] },
  { rule: 'reshapeTo', with: [1], in: [], out: [1] },
  {
    rule: 'reshapeTo',
    with: [32, 32, 1],
    in: [32, 32, 3],
    sentence: 'reshape: expected 3072 elements to fit 32×32×3, got 1024 in 32×32×1',
  },
  { rule: 'reshapeTo', with: [], in: [2], sentence: 'reshape: expected 2 elements to fit 2, got 1 in scalar' },

  { rule: 'exactly', with: [7, 7, 16], in: [7, 7, 16], out: [7, 7, 16] },
  {
    rule: 'exactly',
    with: [32, 32, 3],
    in: [7, 7, 16],
    sentence: 'compose: expected 32×32×3, got 7×7×16 from the layer before',
  },
  { rule: 'exactly', with: [4], in: [4, 4], sentence: 'compose: expected 4, got 4×4 from the layer before' },
  { rule: 'exactly', with: [4], in: [], sentence: 'compose: expected 4, got scalar from the layer before' },

  { rule: 'only', with: [3], in: [3], out: [3] },
  { rule: 'only', with: [3], in: [4], sentence: 'mask: expected 3, got 4' },
  { rule: 'only', with: [2, 3], in: [3, 2], sentence: 'mask: expected 2×3, got 3×2' },

  { rule: 'transpose', with: [2, 0, 1], in: [8, 6, 3], out: [3, 8, 6] },
  { rule: 'transpose', with: [], in: [], out: [] },
  {
    rule: 'transpose',
    with: [0, 1, 1],
    in: [8, 6, 3],
    sentence: 'transpose: expected a permutation of the axes of 8×6×3, got [0, 1, 1]',
  },
  {
    rule: 'transpose',
    with: [0, 1],
    in: [8, 6, 3],
    sentence: 'transpose: expected a permutation of the axes of 8×6×3, got [0, 1]',
  },

  {
    rule: 'split',
    with: [1, 2],
    in: [8, 3],
    out: [
      [8, 1],
      [8, 2],
    ],
  },
  { rule: 'split', with: [12], in: [12], out: [[12]] },
  {
    rule: 'split',
    with: [1, 1],
    in: [8, 3],
    sentence: 'split: expected sizes that add up to 3 in 8×3, got [1, 1]',
  },

  { rule: 'transposeTo', with: [2, 0, 1], in: [8, 6, 3], out: [3, 8, 6] },
  {
    rule: 'transposeTo',
    with: [0, 2],
    in: [8, 6],
    sentence: 'transpose: expected a permutation of the axes of 8×6, got [0, 2]',
  },
  {
    rule: 'splitInto',
    with: [1, 2],
    in: [8, 3],
    out: [
      [8, 1],
      [8, 2],
    ],
  },
  { rule: 'splitInto', with: [2, 3, 7], in: [12], out: [[2], [3], [7]] },
  {
    rule: 'splitInto',
    with: [2, 3],
    in: [12],
    sentence: 'splitInto: expected sizes that add up to 12 in 12, got [2, 3]',
  },

  { rule: 'slice', with: [0, 3], in: [8, 3], out: [8, 3] },
  { rule: 'slice', with: [99, 1], in: [100], out: [1] },
  { rule: 'slice', with: [3, 0], in: [3], out: [0] },
  {
    rule: 'slice',
    with: [9, 3],
    in: [11],
    sentence: 'slice: expected a range within 0 to 11 in 11, got 3 elements from 9',
  },
  {
    rule: 'slice',
    with: [-1, 1],
    in: [8, 3],
    sentence: 'slice: expected a range within 0 to 3 in 8×3, got 1 elements from -1',
  },
  {
    rule: 'slice',
    with: [0, 100],
    in: [8, 99],
    sentence: 'slice: expected a range within 0 to 99 in 8×99, got 100 elements from 0',
  },

  { rule: 'axis', with: [1], in: [8, 6, 3], out: [8, 3] },
  { rule: 'axis', with: [0], in: [8], out: [] },
  { rule: 'axis', with: [3], in: [8, 6, 3], sentence: 'sumAxis: expected an axis of 8×6×3, got 3' },

  { rule: 'broadcast', with: [3], in: [8, 3], out: [8, 3] },
  { rule: 'broadcast', with: [8, 1], in: [3], out: [8, 3] },
  { rule: 'broadcast', with: [5, 1, 1], in: [1, 7, 1], out: [5, 7, 1] },
  { rule: 'broadcast', with: [], in: [8, 3], out: [8, 3] },
  { rule: 'broadcast', with: [2], in: [], out: [2] },
  { rule: 'broadcast', with: [0], in: [1], out: [0] },
  { rule: 'broadcast', with: [2], in: [8, 3], sentence: 'broadcastAdd: expected sizes of 2 or 1, got 8×3' },
  { rule: 'broadcast', with: [8, 8, 3], in: [7, 3], sentence: 'broadcastAdd: expected sizes of 8×8×3 or 1, got 7×3' },
  { rule: 'broadcast', with: [2], in: [0], sentence: 'broadcastAdd: expected sizes of 2 or 1, got 0' },

  { rule: 'gather', with: [2, 0, 0], in: [8, 3], out: [8, 3] },
  { rule: 'gather', with: [99], in: [4, 100], out: [4, 1] },
  { rule: 'gather', with: [], in: [8, 3], out: [8, 0] },
  { rule: 'gather', with: [0, 3], in: [8, 3], sentence: 'gather: expected indices below 3 in 8×3, got [0, 3]' },
  { rule: 'gather', with: [-1], in: [8, 3], sentence: 'gather: expected indices below 3 in 8×3, got [-1]' },
  { rule: 'gather', with: [0], in: [8], sentence: 'gather: expected an axis of 8, got 1' },

  { rule: 'depthToSpace', in: [4, 3, 16], out: [8, 6, 4] },
  {
    rule: 'depthToSpace',
    in: [4, 4, 6],
    sentence: 'depthToSpace: expected a multiple of 4 channels, got 6 in 4×4×6',
  },
] as const satisfies readonly Case[]

interface Plain {
  readonly same: Same
  readonly sameImage: SameImage
  readonly sameVector: SameVector
  readonly evenChannels: EvenChannels
  readonly squeeze: Squeeze
  readonly factorOut: FactorOut
  readonly flatten: Flatten
}
interface OfShape<To extends Shape> {
  readonly reshapeTo: ReshapeTo<To>
  readonly exactly: Exactly<To, To>
  readonly only: Only<'mask', To>
  readonly transposeTo: TransposeTo<To>
  readonly splitInto: SplitInto<To>
}
type RuleOf<C> = C extends { readonly rule: infer R; readonly with: infer To extends Shape }
  ? OfShape<To>[R & keyof OfShape<To>]
  : C extends { readonly rule: infer R }
    ? Plain[R & keyof Plain]
    : never
type Answer<C> = C extends { readonly sentence: infer M extends string }
  ? ShapeError<M>
  : C extends { readonly out: infer Out }
    ? Out
    : never
type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
/** What a typed operation makes of a shape, or its sentence. */
type Outcome<R, Out> = R extends ShapeError<string> ? R : Out
type Pieces<S extends Dims, Sizes> = S extends readonly [...infer P, number]
  ? { readonly [K in keyof Sizes]: readonly [...P, Sizes[K]] }
  : never
interface Operations<S extends Dims, By extends Shape> {
  readonly transpose: Outcome<TransposeRefusal<S, By>, Transposed<S, By>>
  readonly split: Outcome<SplitRefusal<S, By>, Pieces<S, By>>
  readonly slice: Outcome<SliceRefusal<S, By[0] & number, By[1] & number>, Pieces<S, readonly [By[1]]>[0]>
  readonly axis: Outcome<AxisRefusal<'sumAxis', S, By[0] & number>, Without<S, By[0] & number>>
  readonly broadcast: Outcome<BroadcastRefusal<'broadcastAdd', S, By>, Broadcast<S, By>>
  readonly gather: Outcome<GatherRefusal<S, By, 1>, Gathered<S, By, 1>>
  readonly depthToSpace: S extends readonly [infer H extends number, infer W extends number, infer C extends number]
    ? Outcome<
        ToSpaceRefusal<H, W, C>,
        ToSpace<H, W, C> extends readonly ['N', ...infer Out] ? readonly [...Out] : never
      >
    : never
}
type Says<C> = C extends {
  readonly rule: infer R extends keyof Operations<Dims, Shape>
  readonly in: infer S extends Dims
}
  ? Operations<S, C extends { readonly with: infer By extends Shape } ? By : readonly []>[R]
  : C extends { readonly in: infer S }
    ? Apply<RuleOf<C>, S>
    : never
type Holds<C> = Equal<Says<C>, Answer<C>>

/** The cases that the compiler decides otherwise. */
type Wrong<Cs extends readonly unknown[]> = { [I in keyof Cs]: Holds<Cs[I]> extends true ? never : Cs[I] }[number]
const prove = <_P extends 'every case holds'>(): void => undefined
type Verdict<W> = [W] extends [never] ? 'every case holds' : W
prove<Verdict<Wrong<typeof cases>>>()
// @ts-expect-error flattening 2 gives 2
prove<Verdict<Wrong<[{ rule: 'flatten'; in: readonly [2]; out: readonly [3] }]>>>()
// @ts-expect-error of 3 places there are 2 from the second on
prove<Verdict<Wrong<[{ rule: 'slice'; with: readonly [1, 2]; in: readonly [3]; out: readonly [3] }]>>>()
