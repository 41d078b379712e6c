/** How Node, loaders, bundlers and browsers say that a package is not installed. */
import { expect, it } from 'vitest'
import { isMissingPackage } from '../src/thrown.js'

const coded = (code: string, message: string) => Object.assign(new Error(message), { code })

it.each([
  ['Node', coded('ERR_MODULE_NOT_FOUND', "Cannot find package 'koffi' imported from /a/index.js")],
  ['require', coded('MODULE_NOT_FOUND', "Cannot find module 'koffi'\nRequire stack:\n- /a/index.js")],
  ['the loader of ts-node, without a code', new Error("Cannot find package 'koffi' imported from /a/index.js")],
  ['jest', new Error("Cannot find module 'koffi' from 'a/index.js'")],
  [
    'Yarn',
    coded('MODULE_NOT_FOUND', 'Your application tried to access koffi (a peer dependency); this is not allowed'),
  ],
  ['esbuild', new Error('Could not resolve "koffi" imported by "diffeo". Is it installed?')],
  ['Chromium', new TypeError("Failed to resolve module specifier 'koffi'")],
])('as %s says it', (_, thrown) => {
  expect(isMissingPackage('koffi', thrown)).toBe(true)
})

it.each([
  [
    'another package',
    coded('ERR_MODULE_NOT_FOUND', "Cannot find package 'other' imported from /node_modules/koffi/a.js"),
  ],
  ['a file of it', coded('MODULE_NOT_FOUND', "Cannot find module '/node_modules/koffi/koffi.node'")],
  ['a library', coded('ERR_DLOPEN_FAILED', 'libstdc++.so.6: cannot open shared object file')],
  ['no error', undefined],
])('not of %s', (_, thrown) => {
  expect(isMissingPackage('koffi', thrown)).toBe(false)
})
