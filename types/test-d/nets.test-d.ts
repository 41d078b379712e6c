// The parameters of a net of one's own have the types of its spec.
import { expectError, expectType } from 'tsd'
import type { Tensor } from '../../dist/src/entry/tensor.js'
import * as T from '../../dist/src/entry/tensor.js'
import { bijector, coupling, halves, type Net, net } from '../../dist/src/index.js'

const linear = net({
  name: 'linear',
  kind: 'vector',
  spec: ([from], [to]) => ({ dense: { kernel: T.constant([from, to], 0) }, bias: T.constant([to], 0) }),
  run: ({ dense: { kernel }, bias }, x) => {
    expectType<Tensor<readonly [number, number]>>(kernel)
    expectType<Tensor<readonly [number]>>(bias)
    expectType<Tensor<readonly ['N', number]>>(x)
    return T.bias(bias)(T.matmul(kernel)(x))
  },
})
expectType<Net<'vector'>>(linear)
coupling(halves(), linear)
const conv = net({
  name: 'conv',
  kind: 'image',
  spec: ([, , from], [, , to]) => ({ kernel: T.constant([3, 3, from, to], 0) }),
  run: ({ kernel }, x) => {
    expectType<Tensor<readonly [3, 3, number, number]>>(kernel)
    return T.conv2d(kernel)(x)
  },
})
expectType<Net<'image'>>(conv)
// a parameter that the spec lacks, one of another rank, a result that is not per example
const spec = ([from]: readonly [number], [to]: readonly [number]) => ({ kernel: T.constant([from, to], 0) })
expectError(net({ name: 'a', kind: 'vector', spec, run: ({ weight }, x) => T.matmul(weight)(x) }))
expectError(net({ name: 'a', kind: 'vector', spec, run: ({ kernel }, x) => T.bias(kernel)(x) }))
expectError(net({ name: 'a', kind: 'vector', spec, run: ({ kernel }) => kernel }))

// and so do those of a bijector
const shift = bijector({
  name: 'shift',
  domain: [3],
  codomain: [3],
  spec: { by: T.constant([3], 0) },
  forward: ({ by }, x) => {
    expectType<Tensor<readonly [3]>>(by)
    return [T.bias(by)(x), T.zeroPerExample(x)]
  },
  inverse: ({ by }, z) => [T.bias(T.neg(by))(z), T.zeroPerExample(z)],
})
expectType<readonly [3]>(shift.domain)
