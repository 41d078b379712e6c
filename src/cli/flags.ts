/**
 * Flags that are numbers, lists or names, decoded where they enter.
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

/** Decodes a flag's number, with the codec's name as what was expected. */
export const number =
  (flag: string, codec: t.Type<number>) =>
  (text: string): number =>
    decode(flag, codec, text)

/** Decodes numbers with commas between. */
export const numbers =
  (flag: string, codec: t.Type<number>) =>
  (text: string): readonly number[] =>
    text.split(',').map((part) => decode(flag, codec, part))

/** An argument as a shell wants it: in quotes, if it would not be one word as it is. */
export const quoted = (argument: string): string =>
  /^[\w@%+=:,./-]+$/.test(argument) ? argument : `'${argument.replaceAll("'", "'\\''")}'`

/** Flags as they are typed, each after a space; nothing of those that were not given. */
export const flagsOf = (given: Readonly<Record<string, unknown>>): string =>
  Object.entries(given)
    .filter(([, value]) => value !== undefined && value !== false)
    .map(([name, value]) => ` ${flagOf(name)}${value === true ? '' : ` ${quoted(`${value}`)}`}`)
    .join('')

/** What the flags of {@link withEngineOptions} come to. */
export interface EngineFlags extends EngineOptions {
  readonly engine: EngineName | 'auto'
}

/** The engine, and what it is asked for. */
export const withEngineOptions = (command: Command): Command =>
  command
    .addOption(
      new Option('--engine <name>', 'what runs the arithmetic')
        .choices(['auto', ...Object.keys(EngineName.keys)])
        .default('auto'),
    )
    .addOption(
      new Option('--precision <name>', 'tensorflow: of convolutions and products (default: float32)').choices(
        Object.keys(Precision.keys),
      ),
    )
    .option('--xla', 'tensorflow: compile with XLA')
    .option(
      '--threads <n>',
      'onnxruntime, tensorflow: how many (default: one a processor)',
      number('--threads', integer(1, 1024)),
    )
    .option('--device <name>', 'tensorflow: where to compute, as /cpu:0 or /gpu:1')

const part = (name: keyof typeof realNvpParts, description: string): Option =>
  new Option(`${flagOf(name)} <name>`, `realnvp: ${description}`).choices(Object.keys(realNvpParts[name].keys))

/** The options of the premade models. */
export const withModelOptions = (command: Command): Command =>
  command
    .option('--scales <n>', 'realnvp: scales (default: 2)', number('--scales', integer(1, 8)))
    .option('--width <n>', 'realnvp: hidden channels (default: 16)', number('--width', integer(1, 1024)))
    .option('--blocks <n>', 'realnvp: residual blocks (default: 2)', number('--blocks', integer(0, 64)))
    .option(
      '--couplings <n>',
      'realnvp-vector: couplings, rounded up to pairs (default: 8)',
      number('--couplings', integer(1, 256)),
    )
    .option('--hidden <n,n>', 'realnvp-vector: hidden widths (default: 64,64)', numbers('--hidden', integer(1, 4096)))
    .addOption(part('path', 'what normalises after each coupling (default: actNorm)'))
    .addOption(part('norm', 'what normalises inside the nets (default: batch)'))
    .addOption(part('order', "channels factored out in the authors' order (default: ordered)"))
    .addOption(part('logScale', 'scale · tanh, or without bound (default: tanh)'))
    .addOption(part('init', 'how the nets start (default: identity)'))
    .addOption(
      new Option('--transformer <name>', 'realnvp-vector: how couplings change a half (default: affine)').choices([
        'affine',
        'spline',
      ]),
    )

/** Which workers train together: see `cluster.ts`. */
export const withWorkerOptions = (command: Command): Command =>
  command
    .option(
      '--workers <host:port,…>',
      'all workers that train together, the same list on each (default: those of TF_CONFIG)',
      (text: string): readonly string[] => text.split(',').map((address) => address.trim()),
    )
    .option(
      '--worker <n>',
      'which of them this one is, from 0; 0 writes the run',
      number('--worker', integer(0, 65_535)),
    )
    .option(
      '--worker-timeout <seconds>',
      'how long to wait for the others, a validation of worker 0 included (default: 600)',
      number('--worker-timeout', positive),
    )
    .option('--insecure-public', 'allow worker addresses that are reachable from the internet')

/** Which parameters of a run. */
export const withCheckpointOptions = (command: Command): Command =>
  command
    .addOption(new Option('--checkpoint <which>', 'which of its checkpoints (default: last)').choices(['last', 'best']))
    .option('--model <file>', "the file of the run's model, if it is yours")

/** The flags of commands that use the flow of a run. */
export const withRunOptions = (command: Command): Command => withEngineOptions(withCheckpointOptions(command))

/** The flags of commands that use its data too. */
export const withDataOptions = (command: Command): Command =>
  withRunOptions(command).option('--data <folder>', 'where its data are now, if they were moved')

/** `Examples:` below the help. */
export const examples = (...lines: readonly string[]): string =>
  `\nExamples:\n${lines.map((line) => `  diffeo ${line}`).join('\n')}`
