/** What the premade Real NVP is made of: the widths, masks and order that its documentation states. */
import { atShape, realNvp, realNvpVector } from 'diffeo'
import { leaves, type Param, type Spec } from 'diffeo/tensor'
import { describe, expect, it } from 'vitest'

/** The shapes of all parameters whose path ends so, in order. */
const shapesOf = (spec: Spec, end: string): readonly (readonly number[])[] =>
  leaves<Param>(spec).flatMap(([path, { shape }]) => (path.endsWith(end) ? [shape] : []))
const times = <A>(n: number, value: A): readonly A[] => Array.from({ length: n }, () => value)
const names = ({ parts = [] }: { readonly parts?: readonly { readonly name: string }[] }) =>
  parts.map(({ name }) => name)

describe('realNvp', () => {
  it.each([1, 2, 3, 4])('of %i scales doubles the width of its nets at each', (scales) => {
    const { spec } = atShape([16, 16, 1], realNvp({ scales, width: 3, blocks: 1 }))
    // 3 couplings before the squeeze and, at the next width, 3 behind it; 4 at the last scale
    const wanted = Array.from({ length: scales - 1 }, (_, scale) => [
      ...times(3, 3 * 2 ** scale),
      ...times(3, 3 * 2 ** (scale + 1)),
    ])
    const widths = shapesOf(spec, 'net/in/kernel').map((shape) => shape.at(-1))
    expect(widths).toEqual([...wanted.flat(), ...times(4, 3 * 2 ** (scales - 1))])
    expect(shapesOf(spec, 'net/out/kernel').map((shape) => shape.at(-2))).toEqual(widths)
  })
  it('has as many residual blocks in each net as it is given', () => {
    const blocksOf = (blocks: number) => {
      const { spec } = atShape([4, 4, 1], realNvp({ scales: 1, width: 2, blocks }))
      return leaves<Param>(spec).filter(([path]) => /conv\d+a\/kernel$/.test(path)).length / 4
    }
    expect([0, 1, 3].map(blocksOf)).toEqual([0, 1, 3])
  })
  const path = (norm: readonly string[], order: readonly string[]) => {
    const coupled = ['coupling', ...norm]
    const three = times(3, coupled).flat()
    return ['logit', ...three, 'squeeze', ...three, ...order, 'factorOut', ...times(4, coupled).flat()]
  }
  it.each([
    [{}, ['actNorm'], ['ordered']],
    [{ path: 'batchNorm' }, ['batchNorm'], ['ordered']],
    [{ path: 'none', order: 'plain' }, [], []],
  ] as const)('with %j is this path', (options, norm, order) => {
    const model = atShape([4, 4, 1], realNvp({ scales: 2, width: 2, blocks: 0, ...options }))
    expect(names(model)).toEqual(path(norm, order))
  })
  it('alternates what a coupling keeps', () => {
    const model = atShape([4, 4, 1], realNvp({ scales: 2, width: 2, blocks: 0 }))
    const inputs = shapesOf(model.spec, 'net/in/kernel').map((shape) => shape.at(-2))
    // a checkerboard keeps the shape, half of 4 channels is 2, and half of them is left behind
    expect(inputs).toEqual([1, 1, 1, 2, 2, 2, 2, 2, 2, 2])
  })
})

describe('realNvpVector', () => {
  it('has as many couplings as it is given, rounded up to pairs, and ActNorm after each pair', () => {
    const parts = (couplings: number) => names(atShape([2], realNvpVector({ couplings, hidden: [3] })))
    const pair = ['coupling', 'coupling', 'actNorm']
    expect(parts(2)).toEqual(pair)
    expect(parts(3)).toEqual([...pair, ...pair])
    expect(parts(4)).toEqual([...pair, ...pair])
  })
  it('has the hidden widths that it is given', () => {
    const { spec } = atShape([2], realNvpVector({ couplings: 2, hidden: [3, 5] }))
    expect(
      shapesOf(spec, 'kernel')
        .slice(0, 2)
        .map((shape) => shape.at(-1)),
    ).toEqual([3, 5])
  })
  it('halves what it is given: the first half first', () => {
    const { spec } = atShape([5], realNvpVector({ couplings: 2, hidden: [7] }))
    expect(shapesOf(spec, 'kernel')).toEqual([
      [2, 7],
      [7, 6],
      [3, 7],
      [7, 4],
    ])
  })
})
