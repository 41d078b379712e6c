// The result types of the typed operations, alone and in a pipe, and their errors.
import { pipe } from 'fp-ts/lib/function.js'
import { expectError, expectType } from 'tsd'
import * as T from '../../dist/src/entry/tensor.js'
import {
  type Dims,
  fromKey,
  identityMatrix,
  orthogonal,
  type Param,
  type Tensor,
  uniformArray,
} from '../../dist/src/entry/tensor.js'

declare const image: Tensor<readonly ['N', 8, 6, 4]>
declare const grey: Tensor<readonly ['N', 8, 6, 1]>
declare const vector: Tensor<readonly ['N', 12]>
declare const weights: Tensor<readonly [12, 3]>
declare const row: Tensor<readonly [4]>
declare const event: Tensor<readonly [8, 6, 4]>
declare const kernel: Tensor<readonly [3, 3, 4, 16]>
declare const bits: Tensor<readonly ['N', 8, 6, 4], 'bool'>
declare const size: number

// equal shapes
expectType<Tensor<readonly ['N', 8, 6, 4]>>(pipe(image, T.add(image), T.mul(image), T.exp, T.neg))
expectType<Tensor<readonly ['N', 8, 6, 4]>>(pipe(image, T.sub(image), T.div(image), T.maximum(image)))
expectType<Tensor<readonly ['N', 8, 6, 4]>>(pipe(image, T.plus(1), T.times(2), T.log, T.sqrt, T.square, T.abs))
expectType<Tensor<readonly ['N', 12]>>(pipe(vector, T.relu, T.tanh, T.sigmoid, T.softplus))
expectType<Tensor<readonly ['N', 12]>>(pipe(vector, T.minimum(vector), T.clip(0, 1), T.expm1, T.log1p, T.sin, T.cos))
expectError(T.add(grey)(image))
expectError(T.sub(grey)(image))
expectError(T.div(vector)(image))
expectError(T.maximum(event)(image))
expectError(T.exp(bits))
expectError(T.mul(event)(image))
expectError(T.add(bits)(image))

// the last axis, the event
expectType<Tensor<readonly ['N', 8, 6, 4]>>(pipe(image, T.bias(row), T.scale(row)))
expectType<Tensor<readonly ['N', 8, 6, 4]>>(pipe(image, T.addEvent(event), T.mulEvent(event)))
expectError(T.bias(row)(vector))
expectError(T.addEvent(event)(grey))
expectError(T.mulEvent(event)(grey))

// linear
expectType<Tensor<readonly ['N', 3]>>(pipe(vector, T.matmul(weights)))
expectType<Tensor<readonly ['N', 8, 6, 16]>>(pipe(image, T.conv2d(kernel)))
expectError(T.matmul(weights)(image))
expectError(T.conv2d(kernel)(grey))

// structure
expectType<Tensor<readonly ['N', 192]>>(T.reshape([192])(image))
expectType<Tensor<readonly ['N', 192]>>(pipe(image, T.reshape([192])))
expectType<Tensor<readonly ['N', 4, 6, 8]>>(T.transpose([0, 3, 2, 1])(image))
expectType<Tensor<readonly ['N', 8, 6, 5]>>(T.concat(grey)(image))
expectType<Tensor<readonly ['N', 4, 3, 16]>>(T.spaceToDepth(image))
expectType<Tensor<readonly ['N', 16, 12, 1]>>(T.depthToSpace(image))
expectType<Tensor<readonly ['N', 8, 6, 3]>>(T.slice(1, 3)(image))
expectType<readonly [Tensor<readonly ['N', 8, 6, 1]>, Tensor<readonly ['N', 8, 6, 3]>]>(T.split([1, 3])(image))
expectError(T.reshape([191])(image))
expectError(T.transpose([0, 1, 1, 2])(image))
expectError(T.concat(vector)(image))
expectError(T.spaceToDepth(T.spaceToDepth(image)))
expectError(T.depthToSpace(grey))
expectError(T.split([1, 2])(image))
expectError(T.slice(2, 3)(image))
expectError(T.slice(-1, 3)(image))
expectType<Tensor<readonly ['N', 8, 6, 4]>>(T.slice(size, 4)(image))
expectType<Tensor<readonly ['N', 8, 6, number]>>(T.slice(0, size)(image))

expectType<Tensor<readonly ['N', 2, 6, 4]>>(T.gather([7, 0], 1)(image))
expectType<Tensor<readonly ['N', 8, 6, number]>>(T.gather([size] as readonly number[], 3)(image))
expectType<Tensor<readonly [1, 8, 6, 4]>>(T.gather([99], 0)(image))
expectError(T.gather([8], 1)(image))
expectError(T.gather([-1], 1)(image))
expectError(T.gather([0], 4)(image))

// comparisons
expectType<Tensor<readonly ['N', 8, 6, 4], 'bool'>>(pipe(image, T.greater(0)))
expectType<Tensor<readonly ['N', 8, 6, 4], 'bool'>>(pipe(image, T.less(image)))
expectType<Tensor<readonly ['N', 8, 6, 4], 'bool'>>(T.equal(image)(image))
expectType<Tensor<readonly ['N', 8, 6, 4]>>(pipe(image, T.where(bits)(image)))
expectType<Tensor<readonly ['N', 8, 6, 4]>>(pipe(image, T.where(T.less(1)(image))(0)))
expectError(T.greater(vector)(image))
expectError(T.where(image)(image)(image))
expectError(T.where(bits)(vector)(image))
expectError(T.where(bits)(image)(vector))

// broadcasting
declare const rows: Tensor<readonly [8, 1, 1]>
declare const anySize: Tensor<readonly ['N', number, 6, 1]>
declare const one: Tensor<readonly [1]>
declare const anyRank: Tensor<Dims>
expectType<Tensor<readonly ['N', 8, 6, 4]>>(pipe(image, T.broadcastAdd(rows), T.broadcastMul(row)))
expectType<Tensor<readonly ['N', 8, 6, 4]>>(pipe(grey, T.broadcastSub(image), T.broadcastDiv(grey)))
expectType<Tensor<readonly ['N', 8, 6, 4]>>(T.broadcastAdd(image)(anySize))
expectType<Tensor<readonly ['N', number, 6, 1]>>(T.broadcastAdd(one)(anySize))
expectType<Tensor<Dims>>(T.broadcastAdd(anyRank)(image))
expectError(T.broadcastAdd(vector)(image))
expectError(T.broadcastMul(kernel)(image))
expectError(T.broadcastSub(bits)(image))

// reductions
expectType<Tensor<readonly ['N', 8, 4]>>(T.sumAxis(2)(image))
expectType<Tensor<readonly ['N']>>(T.sumEvent(image))
expectType<Tensor<readonly ['N', 8, 6]>>(T.meanAxis(3)(image))
expectType<Tensor<readonly ['N', 6, 4]>>(T.maxAxis(1)(image))
expectType<Tensor<readonly []>>(T.mean(image))
expectType<Tensor<readonly []>>(T.sum(image))
expectType<Tensor<readonly ['N']>>(T.tidy(() => T.zeroPerExample(image)))
expectType<Tensor<readonly ['N', 6, 4]>>(T.logSumExp(1)(image))
expectType<Tensor<readonly ['N', 8, 6, 4]>>(pipe(image, T.softmax(1), T.logSoftmax(3), T.cumsum(2)))
expectError(T.sumAxis(4)(image))
expectError(T.logSumExp(4)(image))
expectError(T.softmax(-1)(image))
expectError(T.meanAxis(4)(image))
expectError(T.maxAxis(-1)(image))

// sizes known only at run time
expectType<Tensor<readonly ['N', number]>>(T.reshape([size])(image))
expectError(T.transpose([0, 1])(image))

// derivatives
declare const net: (x: Tensor<readonly ['N', 12]>) => Tensor<readonly ['N', 3]>
declare const score: (x: Tensor<readonly ['N', 8, 6, 4]>) => Tensor<readonly ['N']>
declare const out: Tensor<readonly ['N', 3]>
expectType<Tensor<readonly ['N', 12]>>(pipe(vector, T.vjp(net)(out)))
expectType<Tensor<readonly ['N', 3]>>(pipe(vector, T.jvp(net)(vector)))
expectType<Tensor<readonly ['N', 12]>>(T.vjp(T.vjp(net)(out))(vector)(vector))
expectType<Tensor<readonly ['N', 3, 12]>>(T.jacobian(net)(vector))
expectType<Tensor<readonly ['N', 8, 6, 4]>>(T.jacobian(score)(image))
expectType<Tensor<readonly ['N', 8, 6, 4, 8, 6, 4]>>(T.jacobian(T.jacobian(score))(image))
expectType<Tensor<readonly ['N', 12]>>(T.vjp(T.exp)(vector)(vector))
expectType<Tensor<readonly ['N', 12]>>(pipe(vector, T.stopGradient, T.exp))
expectError(T.vjp(net)(vector))
expectError(T.jvp(net)(out))
expectError(T.vjp(net)(out)(out))
expectError(T.jacobian(net)(out))
expectError(T.jacobian((w: Tensor<readonly [12, 3]>) => w))

// starts of parameters
expectType<Param<readonly [3, 3]>>(identityMatrix([3, 3]))
expectType<Param<readonly [3, 3, 4, 4]>>(orthogonal([3, 3, 4, 4], 2))
expectType<Param<readonly [5, 2]>>(fromKey([5, 2], uniformArray))
expectError(identityMatrix([3]))
expectError(orthogonal([]))
