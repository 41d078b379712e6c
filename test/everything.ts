/** What all entry points export, as one object; the operations of tensors as `T`. */
import * as main from 'diffeo'
import * as data from 'diffeo/data'
import * as engine from 'diffeo/engine'
import * as image from 'diffeo/image'
import * as tensor from 'diffeo/tensor'
import * as train from 'diffeo/train'
import * as operations from '../src/tensor/ops.js'

type Tensor = Omit<typeof tensor, keyof typeof operations>
const others = Object.fromEntries(Object.entries(tensor).filter(([name]) => !(name in operations))) as Tensor

export const diffeo = { ...data, ...engine, ...image, ...train, ...others, ...main, T: operations }
