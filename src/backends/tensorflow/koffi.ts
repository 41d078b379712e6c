/**
 * koffi, an optional peer that calls C libraries.
 *
 * @module
 */
import { engineError, NotInstalled } from '../../error.js'
import { isMissingPackage } from '../../thrown.js'

export type Koffi = typeof import('koffi')['default']

/**
 * Imports the package.
 *
 * @throws NotInstalled (as a rejection) if there is none, with what brings it
 */
export const importKoffi = (): Promise<Koffi> =>
  // bundlers accept a missing package only where the import handles its failure
  import('koffi').then(
    (module) => module.default,
    (thrown) => {
      if (!isMissingPackage('koffi', thrown)) throw thrown
      const fix = 'run `npm install koffi`'
      throw new NotInstalled(engineError('engine tensorflow', 'the package koffi', 'no such package', fix))
    },
  )

/** Whether the package is installed and loads. */
export const hasKoffi = (): Promise<boolean> =>
  importKoffi().then(
    () => true,
    () => false,
  )
