/**
 * Checks the parameters of nets before they are used.
 *
 * @module
 */
import { checkParams } from '../tensor/check-params.js'
import type { Spec } from '../tensor/params.js'
import type { Module } from './net.js'

/** A module that refuses parameters whose names or shapes are not those of its spec. */
export const module = (name: string, spec: Spec, run: Module['run']): Module => ({
  spec,
  run: (params, x, train) => {
    checkParams(name, spec, params)
    return run(params, x, train)
  },
})
