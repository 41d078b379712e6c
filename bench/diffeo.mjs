/** What the entry points of diffeo export, as one object, with the forms of `diffeo/fp`. */
import * as data from '../dist/src/entry/data.js'
import * as engine from '../dist/src/entry/engine.js'
import * as fp from '../dist/src/entry/fp.js'
import * as T from '../dist/src/entry/tensor.js'
import * as train from '../dist/src/entry/train.js'
import * as main from '../dist/src/index.js'

export const diffeo = { ...T, ...data, ...engine, ...train, ...main, ...fp, T }
