// Every assertion here is wrong on purpose; `scripts/tsd.mjs` fails unless each is reported.

import { expectError, expectNever, expectNotAssignable, expectType } from 'tsd'
import { compose, factorOut, input, type ShapeError, squeeze } from '../../dist/src/index.js'

const b = compose(input([32, 32, 3]), squeeze, factorOut)
expectType<readonly [16, 16, 12]>(b.codomain)
expectType<readonly [readonly number[], readonly number[]]>(b.codomain)
expectNever(b.codomain)
expectNotAssignable<ShapeError<string>>({} as ShapeError<'squeeze: expected an even height, got 15 in 15×15×12'>)
expectError(compose(input([32, 32, 3]), squeeze))
