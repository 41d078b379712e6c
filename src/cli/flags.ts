/**
 * Flags that several commands share, and the decoding of numbers and lists.
 *
 * @module
 */
import { type Command, Option } from 'commander'
import * as E from 'fp-ts/lib/Either.js'
import { pipe } from 'fp-ts/lib/function.js'
import type * as t from 'io-ts'
import { EngineName } from '../backends/engine.js'
import { type EngineOptions, Precision } from '../backends/options.js'
import { guarded, integer } from '../codec.js'
import { orThrow, usageError } from '../error.js'
import { flagOf, realNvpParts } from './run/config.js'

export const positive = guarded(
  'a number above 0',
  (u): u is number => typeof u === 'number' && u > 0 && Number.isFinite(u),
)

const decode = (flag: string, codec: t.Type<number>, text: string): number =>
  orThrow(
    pipe(
      codec.decode(text.trim() === '' ? Number.NaN : Number(text)),
      E.mapLeft(() => usageError(flag, codec.name, `'${text}'`)),
    ),
  )

/** A decoder of a flag's number. Its error states the codec's name as what was expected. */
export const number =
  (flag: string, codec: t.Type<number>) =>
  (text: string): number =>
    decode(flag, codec, text)

/** A decoder of numbers separated by commas. */
export const numbers =
  (flag: string, codec: t.Type<number>) =>
  (text: string): readonly number[] =>
    text.split(',').map((part) => decode(flag, codec, part))

/** An argument quoted for a shell, if it needs quotes. */
export const quoted = (argument: string): string =>
  /^[\w@%+=:,./-]+$/.test(argument) ? argument : `'${argument.replaceAll("'", "'\\''")}'`

/** Flags as they are typed, each after a space, without those that are not set. */
export const flagsOf = (given: Readonly<Record<string, unknown>>): string =>
  Object.entries(given)
    .filter(([, value]) => value !== undefined && value !== false)
    .map(([name, value]) => ` ${flagOf(name)}${value === true ? '' : ` ${quoted(`${value}`)}`}`)
    .join('')

/** The flags of {@link withEngineOptions}. */
export interface EngineFlags extends EngineOptions {
  readonly engine: EngineName | 'auto'
}

/** Adds the engine and its options. */
export const withEngineOptions = (command: Command): Command =>
  command
    .addOption(
      new Option('--engine <name>', 'compute engine')
        .choices(['auto', ...Object.keys(EngineName.keys)])
        .default('auto'),
    )
    .addOption(
      new Option(
        '--precision <name>',
        'tensorflow: precision of convolutions and matrix products (default: float32)',
      ).choices(Object.keys(Precision.keys)),
    )
    .option('--xla', 'tensorflow: compilation with XLA')
    .option(
      '--threads <n>',
      'onnxruntime, tensorflow: number of threads (default: one per processor)',
      number('--threads', integer(1, 1024)),
    )
    .option('--device <name>', 'tensorflow: device, such as /cpu:0 or /gpu:1')

const part = (name: keyof typeof realNvpParts, description: string): Option =>
  new Option(`${flagOf(name)} <name>`, `realnvp: ${description}`).choices(Object.keys(realNvpParts[name].keys))

/** Adds the options of the premade models. */
export const withModelOptions = (command: Command): Command =>
  command
    .option('--scales <n>', 'realnvp: number of scales (default: 2)', number('--scales', integer(1, 8)))
    .option('--width <n>', 'realnvp: hidden channels (default: 16)', number('--width', integer(1, 1024)))
    .option('--blocks <n>', 'realnvp: residual blocks per coupling (default: 2)', number('--blocks', integer(0, 64)))
    .option(
      '--couplings <n>',
      'realnvp-vector: number of couplings, rounded up to pairs (default: 8)',
      number('--couplings', integer(1, 256)),
    )
    .option(
      '--hidden <n,n>',
      'all models of vectors: hidden widths of the nets (default: 64,64)',
      numbers('--hidden', integer(1, 4096)),
    )
    .option(
      '--layers <n>',
      'nsf, maf, mixture: number of layers (default: 5; mixture 2)',
      number('--layers', integer(1, 64)),
    )
    .option('--bins <n>', 'nsf: number of pieces of a spline (default: 8)', number('--bins', integer(1, 99)))
    .option(
      '--components <n>',
      'mixture: number of logistic distributions (default: 8)',
      number('--components', integer(1, 256)),
    )
    .addOption(part('path', 'normalisation after each coupling (default: actNorm)'))
    .addOption(part('norm', 'normalisation inside the nets (default: batch)'))
    .addOption(part('order', "order of the factored-out channels, the authors' or plain (default: ordered)"))
    .addOption(part('logScale', 'log-scale of couplings, bounded by tanh or free (default: tanh)'))
    .addOption(part('init', 'initial function of the couplings (default: identity)'))
    .addOption(
      new Option(
        '--transformer <name>',
        'realnvp-vector: elementwise transformer of the couplings (default: affine)',
      ).choices(['affine', 'spline']),
    )

/** Adds the workers that train together (`training/cluster.ts`). */
export const withWorkerOptions = (command: Command): Command =>
  command
    .option(
      '--workers <host:port,…>',
      'addresses of all workers, the same list on each (default: from TF_CONFIG)',
      (text: string): readonly string[] => text.split(',').map((address) => address.trim()),
    )
    .option(
      '--worker <n>',
      'number of this worker, from 0; worker 0 writes the run',
      number('--worker', integer(0, 65_535)),
    )
    .option(
      '--worker-timeout <seconds>',
      'time limit for the other workers, which covers a validation of worker 0 (default: 600)',
      number('--worker-timeout', positive),
    )
    .option('--insecure-public', 'permission for worker addresses that are reachable from the internet')

/** Adds the choice of a run's checkpoint. */
export const withCheckpointOptions = (command: Command): Command =>
  command
    .addOption(new Option('--checkpoint <which>', 'checkpoint of the run (default: last)').choices(['last', 'best']))
    .option('--model <file>', "file of the run's model, if it is your own")

/** Adds the flags of commands that use the flow of a run. */
export const withRunOptions = (command: Command): Command => withEngineOptions(withCheckpointOptions(command))

/** Adds the flags of commands that use the data of a run too. */
export const withDataOptions = (command: Command): Command =>
  withRunOptions(command).option('--data <folder>', 'new folder of the data, if they were moved')

/** The examples below the help of a command. */
export const examples = (...lines: readonly string[]): string =>
  `\nExamples:\n${lines.map((line) => `  diffeo ${line}`).join('\n')}`
