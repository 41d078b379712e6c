/**
 * Pipelines: passes in the order in which they run. `DIFFEO_DEBUG=passes` prints what each one does.
 *
 * @module
 */
import { describeProgram, type Program } from './program.js'

/** A pass and its name. */
export type Pass = readonly [name: string, run: (program: Program) => Program]

const isDebugged = (): boolean => globalThis.process?.env['DIFFEO_DEBUG']?.split(',').includes('passes') ?? false

/** Runs all passes, one after another; `pipeline` names them in what is printed. */
export const runPasses = (pipeline: string, passes: readonly Pass[], program: Program): Program =>
  passes.reduce((before, [name, run]) => {
    if (!isDebugged()) return run(before)
    const from = performance.now()
    const after = run(before)
    const took = (performance.now() - from).toFixed(1)
    console.error(`${pipeline}: ${name}: ${before.calls.length} → ${after.calls.length} calls, ${took} ms`)
    console.error(describeProgram(after))
    return after
  }, program)
