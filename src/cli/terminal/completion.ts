/**
 * Completion in shells: what `@bomb.sh/tab` knows of commander's commands, and paths where it has nothing to offer.
 *
 * @module
 */
import tab, { ShellCompDirective } from '@bomb.sh/tab'
import completion from '@bomb.sh/tab/commander'
import type { Command } from 'commander'
import { writeRaw } from './output.js'

const { setup } = tab

/** Adds the command `complete`. */
export const withCompletion = (program: Command): void => {
  completion(program)
  const { ShellCompDirectiveDefault: paths, ShellCompDirectiveNoFileComp: none } = ShellCompDirective
  // the package says `none` of everything, and folders of runs could not be completed any more
  Object.defineProperty(tab, 'directive', {
    get: () => (tab.completions.length === 0 ? paths : none),
    set: () => undefined,
    configurable: true,
  })
  tab.setup = (name, executable, shell) => {
    setup.call(tab, name, executable, shell)
    // registered anew, because its script takes away in bash a default that it did not ask for
    if (shell === 'bash') writeRaw(process.stdout, `complete -o default -F __${name}_complete ${name}\n`)
  }
}
