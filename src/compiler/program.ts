/**
 * A `Program`: what a function of tensors does, as data. A flat list of kernel calls over numbered values, each value
 * of a known shape and type; inputs come in, constants are there, outputs go out. It is what `jit` records, what passes
 * simplify, and what every engine translates.
 *
 * Laws. Calls stand in an order in which they can run: each input of a call is an input of the program, a constant, or
 * an output of an earlier call. Every value is made once.
 *
 * @module
 */
import type { Call, ProgramType, ValueInfo } from './call.js'

// -------------------------------------------------------------------------------------
// model
// -------------------------------------------------------------------------------------

export type { Call, ProgramType, ValueInfo } from './call.js'

export type Elements = Float32Array | Int32Array | Uint8Array

export interface Program {
  /** By number. */
  readonly values: readonly ValueInfo[]
  readonly inputs: readonly number[]
  readonly constants: ReadonlyMap<number, Elements>
  readonly calls: readonly Call[]
  readonly outputs: readonly number[]
}

// -------------------------------------------------------------------------------------
// destructors
// -------------------------------------------------------------------------------------

export const sizeOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1)

/** How often each value is read, by its number; an output of the program is read once more. */
export const useCounts = ({ values, calls, outputs }: Program): number[] => {
  const counts = new Array<number>(values.length)
  const use = (v: number): void => {
    counts[v] = (counts[v] ?? 0) + 1
  }
  for (const call of calls) call.inputs.forEach(use)
  outputs.forEach(use)
  return counts
}

export const sameShape = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((n, i) => n === b[i])

/** Whether a value of this shape has one number for each channel of an image, or for each column of a matrix. */
export const isByChannel = (shape: readonly number[], image: readonly number[]): boolean =>
  shape.at(-1) === image.at(-1) && shape.slice(0, -1).every((n) => n === 1)

/** Multiplications and additions of one call. */
const callFlops = ({ values }: Program, call: Call): number => {
  const { kernel, inputs, outputs } = call
  const shape = (v: number | undefined): readonly number[] => values[v ?? -1]?.shape ?? []
  const out = sizeOf(shape(outputs[0]))
  switch (kernel) {
    case 'Conv2D':
      return 2 * out * sizeOf(shape(inputs[1]).slice(0, 3))
    case 'Conv2DBackpropInput':
      return 2 * sizeOf(shape(inputs[0])) * sizeOf(shape(inputs[1]).slice(0, 3))
    case 'Conv2DBackpropFilter':
      return 2 * sizeOf(shape(inputs[1])) * sizeOf(shape(outputs[0]).slice(0, 3))
    case 'BatchMatMul':
      return 2 * out * shape(inputs[0]).at(call.attrs.transposeA ? -2 : -1)!
    case 'Sum':
    case 'Mean':
    case 'Max':
    case 'Min':
      return sizeOf(shape(inputs[0]))
    default:
      return free.has(kernel) ? 0 : out
  }
}

/** What moves elements and computes nothing. */
const free = new Set<string>(
  'Reshape ExpandDims Transpose Slice Concat SplitV Pack Unpack PadV2 Tile Fill Identity Cast Reverse GatherV2'.split(
    ' ',
  ),
)

/**
 * Multiplications and additions of one run.
 *
 * @example const work = flops(jit(moons.logProb(params)).program(x))
 */
export const flops = (program: Program): number => program.calls.reduce((n, call) => n + callFlops(program, call), 0)

const width = { float32: 4, int32: 4, bool: 1 } as const

/**
 * Bytes of all values that one run reads or makes, were none ever freed.
 *
 * @example const most = bytes(jit(moons.logProb(params)).program(x))
 */
export const bytes = ({ values, inputs, constants, calls }: Program): number =>
  [...inputs, ...constants.keys(), ...calls.flatMap(({ outputs }) => outputs)].reduce(
    (n, v) => n + sizeOf(values[v]!.shape) * width[values[v]!.dtype],
    0,
  )

const showInfo = ({ shape, dtype }: ValueInfo): string => `${dtype}[${shape.join(', ')}]`

const showConstant = (info: ValueInfo, data: Elements): string =>
  `${showInfo(info)} = ${[...data.slice(0, 4)].map((v) => Number(v.toPrecision(6))).join(', ')}${data.length > 4 ? ', …' : ''}`

/**
 * A program as text, a line for each value.
 *
 * @example
 * const twice = jit((x: Tensor<[3]>) => T.times(2)(x))
 * describeProgram(twice.program(tensor([3], [1, 2, 3])))
 * // input %0 float32[3]
 * // constant %1 float32[] = 2
 * // %2 float32[3] = Multiply(%0, %1)
 * // output %2
 */
export const describeProgram = ({ values, inputs, constants, calls, outputs }: Program): string =>
  [
    ...inputs.map((v) => `input %${v} ${showInfo(values[v]!)}`),
    ...[...constants].map(([v, data]) => `constant %${v} ${showConstant(values[v]!, data)}`),
    ...calls.map(
      ({ kernel, inputs, attrs, outputs }) =>
        `${outputs.map((v) => `%${v} ${showInfo(values[v]!)}`).join(', ')} = ${kernel}(${inputs.map((v) => `%${v}`).join(', ')})` +
        (Object.keys(attrs).length === 0 ? '' : ` ${showAttrs(attrs)}`),
    ),
    ...outputs.map((v) => `output %${v}`),
  ].join('\n')

/**
 * Attributes as text. JSON has one word for all numbers that are not finite and one zero; here each has its own, so that
 * equal texts are equal attributes.
 */
export const showAttrs = (attrs: object): string =>
  JSON.stringify(attrs, (_, value) =>
    typeof value !== 'number' || (Number.isFinite(value) && !Object.is(value, -0))
      ? value
      : Object.is(value, -0)
        ? '-0'
        : `${value}`,
  )

/** The elements of a type, from plain numbers. */
export const elements = (dtype: ProgramType, data: ArrayLike<number>): Elements =>
  dtype === 'float32' ? Float32Array.from(data) : dtype === 'int32' ? Int32Array.from(data) : Uint8Array.from(data)
