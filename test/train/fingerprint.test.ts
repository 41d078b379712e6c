/** A flow that changed since it was trained, in a way that its parameters do not show. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  actNorm,
  atShape,
  batchNorm,
  checkerboard,
  compose,
  convNet,
  coupling,
  type Flow,
  flow,
  halves,
  input,
  key,
  logit,
  mlp,
  ordered,
  permute,
  realNvp,
  realNvpVector,
  reverse,
  splineCoupling,
  squeeze,
  standardLogistic,
  standardNormal,
} from 'diffeo'
import { ready } from 'diffeo/engine'
import { orThrow, restore, restoreBest, saveCheckpoint } from 'diffeo/fp'
import { disposeParams } from 'diffeo/tensor'
import { adam, disposeState, loadCheckpoint, type TrainState } from 'diffeo/train'
import * as E from 'fp-ts/lib/Either.js'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { describeError } from '../../src/error.js'
import { type Fingerprint, fingerprint, isSameFlow } from '../../src/train/fingerprint.js'
import { grown, plane } from './toy.js'

const folder = mkdtempSync(join(tmpdir(), 'diffeo-fingerprint-'))
afterAll(() => rmSync(folder, { recursive: true }))
beforeAll(async () => {
  await ready('cpu')
})

type Plane = Flow<readonly [2], readonly [2]>
const net = mlp({ hidden: [4] })
const pair = (mask: 'first' | 'second') => coupling(halves(mask), net)
const image = [4, 4, 1] as const
const pixels = (alpha: number) => flow(atShape(image, logit({ alpha })), standardNormal)
const spline = (options: object) => flow(atShape([2], splineCoupling(halves(), net, options as never)), standardNormal)
const nets = (activation: 'relu' | 'tanh') => coupling(halves(), mlp({ hidden: [4], activation }))

/** What was trained, and what it became: their parameters have the same names and shapes. */
const changes: Readonly<Record<string, () => readonly [unknown, unknown]>> = {
  'the order of permute': () => [
    flow(compose(input([2]), permute([1, 0]), pair('first')), standardNormal),
    flow(compose(input([2]), permute([0, 1]), pair('first')), standardNormal),
  ],
  'the order of permute, which is all there is': () => [
    flow(atShape([3], permute([1, 2, 0])), standardNormal),
    flow(atShape([3], permute([2, 0, 1])), standardNormal),
  ],
  'a mask': () => [
    flow(compose(input([2]), pair('first'), actNorm), standardNormal),
    flow(compose(input([2]), pair('second'), actNorm), standardNormal),
  ],
  'the parity of a checkerboard': () => [
    flow(atShape(image, coupling(checkerboard('even'), convNet({ hidden: [2] }))), standardNormal),
    flow(atShape(image, coupling(checkerboard('odd'), convNet({ hidden: [2] }))), standardNormal),
  ],
  alpha: () => [pixels(0.05), pixels(0.051)],
  'the bound of a spline': () => [spline({ bins: 4, bound: 3 }), spline({ bins: 4, bound: 4 })],
  'the base': () => [
    flow(atShape([2], pair('first')), standardNormal),
    flow(atShape([2], pair('first')), standardLogistic),
  ],
  'the base of a flow without parameters': () => [
    flow(atShape([2], permute([0, 1])), standardNormal),
    flow(atShape([2], permute([0, 1])), standardLogistic),
  ],
  'the order of layers with parameters of equal shapes': () => [
    flow(compose(input([2]), pair('first'), pair('second')), standardNormal),
    flow(compose(input([2]), pair('second'), pair('first')), standardNormal),
  ],
  'the activation of a net': () => [
    flow(atShape([2], nets('relu')), standardNormal),
    flow(atShape([2], nets('tanh')), standardNormal),
  ],
  'the direction of a layer': () => [
    flow(atShape([2], pair('first')), standardNormal),
    flow(atShape([2], reverse(pair('first'))), standardNormal),
  ],
  'the way an image is squeezed': () => [
    flow(compose(input(image), squeeze, ordered), standardNormal),
    flow(compose(input(image), squeeze, permute([0, 1, 2, 3])), standardNormal),
  ],
}

const path = join(folder, 'run.safetensors')
const stateOf = ({ init }: { readonly init: unknown }): TrainState => ({
  step: 1,
  params: (init as Plane['init'])(key(0)),
  moments: [],
})
const saved = async (of: unknown) => {
  const state = stateOf(of as never)
  const best = { bitsPerDim: 1, params: state.params }
  orThrow(await saveCheckpoint(path)({ state, flow: of as never, best })())
  disposeState(state)
  return await loadCheckpoint(path)
}
const CHANGED =
  ': expected the model that was trained, got one that changed since, though its parameters fit; undo the change, or train anew'

describe('restore refuses a flow that changed in', () => {
  it.each(Object.keys(changes))('%s', async (name) => {
    const [before, after] = changes[name]!() as unknown as readonly [Plane, Plane]
    const checkpoint = await saved(before)
    const refused = await grown(() => {
      expect(E.match(describeError, () => 'restored')(restore(after)(checkpoint))).toBe(path + CHANGED)
      if (checkpoint.tensors.size > 0)
        expect(E.match(describeError, () => 'restored')(restoreBest(after)(checkpoint))).toBe(path + CHANGED)
    })
    expect(refused).toBe(0)
    // the flow itself, built again, and the spec alone
    const same = (changes[name]!() as unknown as readonly [Plane])[0]
    disposeState(orThrow(restore(same)(checkpoint)))
    disposeParams(orThrow(restoreBest(same)(checkpoint)) ?? {})
    disposeState(orThrow(restore(after.bijector.spec)(checkpoint)))
  })
})

it('restore refuses other log-scales and numbers of bins by the parameters themselves', async () => {
  const nvp = (logScale: 'tanh' | 'free') =>
    flow(atShape([4, 4, 1], realNvp({ scales: 1, width: 4, blocks: 0, logScale })), standardNormal)
  for (const [before, after] of [
    [nvp('tanh'), nvp('free')],
    [spline({ bins: 4 }), spline({ bins: 5 })],
  ] as const)
    expect(E.isLeft(restore(after)(await saved(before)))).toBe(true)
})

describe('the fingerprint', () => {
  const many = () => [
    plane(6),
    flow(atShape([3], realNvpVector({ couplings: 4, hidden: [8], transformer: 'spline' })), standardNormal),
    flow(
      atShape([8, 8, 3], realNvp({ scales: 2, width: 8, blocks: 1, norm: 'batch', path: 'batchNorm' })),
      standardLogistic,
    ),
    flow(compose(input([2]), batchNorm(), pair('first')), standardNormal),
  ]
  it('is the same on every engine', async () => {
    const prints: (readonly (Fingerprint | undefined)[])[] = []
    for (const engine of ['cpu', 'wasm', 'onnxruntime'] as const) {
      await ready(engine)
      prints.push(many().map((of) => fingerprint(of)))
    }
    await ready('cpu')
    expect(prints[0]!.every((print) => print?.length === 4 && print.every((v) => v !== null))).toBe(true)
    for (const other of prints) expect(other.every((print, i) => isSameFlow(print, prints[0]![i]))).toBe(true)
  })
  it('is the same in every version: these numbers are in the files of users', () => {
    const golden = [-6.41494, -5.558414, -1.617393, -1.803785]
    expect(isSameFlow(fingerprint(plane(6)), golden)).toBe(true)
    expect(
      isSameFlow(
        fingerprint(plane(6)),
        golden.map((v) => v * 1.001),
      ),
    ).toBe(false)
  })
  it('makes no tensors, and is taken once', async () => {
    const of = plane(6)
    expect(await grown(() => fingerprint(of))).toBe(0)
    expect(fingerprint(of)).toBe(fingerprint(of))
  })
  it('is none of a flow without an inverse, or of what is no flow; then nothing is compared', async () => {
    const of = plane(6)
    const bind = () => ({
      forward: () => undefined,
      inverse: () => {
        throw new Error('no inverse')
      },
    })
    const oneWay = { ...of, bijector: { ...of.bijector, bind } }
    expect(await grown(() => expect(fingerprint(oneWay)).toBeUndefined())).toBe(0)
    expect(fingerprint({ bijector: of.bijector })).toBeUndefined()
    const checkpoint = await saved(of)
    const { flow: _, ...older } = checkpoint
    disposeState(orThrow(restore(plane(6))(older)))
    expect(checkpoint.flow).toEqual(fingerprint(of))
  })
})

it('moments and parameters are those of the file', async () => {
  const of = plane(6)
  const checkpoint = await saved(of)
  const state = orThrow(restore(of)(checkpoint))
  expect([state.step, state.moments]).toEqual([1, []])
  expect(E.isLeft(restore(of, adam())(checkpoint))).toBe(true)
  disposeState(state)
})
