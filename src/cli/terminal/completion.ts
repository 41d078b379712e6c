/**
 * Completion in shells: the commands and flags that `@bomb.sh/tab` reads from commander, and paths elsewhere.
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
  // the package always says `none`, so that folders of runs could not be completed
  Object.defineProperty(tab, 'directive', {
    get: () => (tab.completions.length === 0 ? paths : none),
    set: () => undefined,
    configurable: true,
  })
  tab.setup = (name, executable, shell) => {
    setup.call(tab, name, executable, shell)
    // registered again, because the package's script removes the default completion in bash
    if (shell === 'bash') writeRaw(process.stdout, `complete -o default -F __${name}_complete ${name}\n`)
  }
}
