import * as E from 'fp-ts/lib/Either.js'
import { pipe } from 'fp-ts/lib/function.js'
import { describe, expect, it } from 'vitest'
import { type DiffeoError, describeError } from '../../src/error.js'
import * as shapes from '../../src/tensor/shape.js'
import { type Case, cases } from './cases.js'

type Rule = (shape: readonly number[]) => E.Either<DiffeoError, readonly unknown[]>
const rules: Record<(typeof cases)[number]['rule'], (own: readonly number[]) => Rule> = {
  same: () => shapes.same,
  sameImage: () => shapes.sameImage,
  sameVector: () => shapes.sameVector,
  evenChannels: () => shapes.evenChannels,
  squeeze: () => shapes.squeeze,
  factorOut: () => shapes.factorOut,
  flatten: () => shapes.flatten,
  reshapeTo: shapes.reshapeTo,
  exactly: shapes.exactly,
  only: (own) => shapes.only('mask', own),
  transpose: shapes.transpose,
  split: (own) => shapes.split(own),
  transposeTo: shapes.transpose,
  splitInto: (own) => shapes.split(own, 'splitInto'),
  slice: ([from = 0, size = 0]) => shapes.slice(from, size),
  axis: ([place = 0]) => shapes.axis('sumAxis', place),
  broadcast: (own) => shapes.broadcast('broadcastAdd', own),
  gather: (own) => shapes.gather(own, 1),
  depthToSpace: () => shapes.depthToSpace,
}

const at = (c: Case) => rules[c.rule as keyof typeof rules](c.with ?? [])(c.in)
const title = (c: Case) => `${c.rule}${c.with === undefined ? '' : ` ${shapes.show(c.with)}`} at ${shapes.show(c.in)}`

describe('the run-time twins say what the compiler says', () => {
  it.each(cases.map((c): [string, Case] => [title(c), c]))('%s', (_, c) => {
    const said = pipe(at(c), E.mapLeft(describeError))
    expect(said).toEqual('sentence' in c ? E.left(c.sentence) : E.right(c.out))
  })
})
