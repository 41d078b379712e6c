/**
 * `diffeo engine`: whatever happens to an installation, the library is there whole or not at all. The wheels are small
 * ones made here, and pip is a script; `--dry-run` says what the true ones are.
 */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as E from 'fp-ts/lib/Either.js'
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest'
import { type InstallOptions, install } from '../../../../src/backends/tensorflow/install/install.js'
import { cudaPackages, type Pinned, planOf, platformError } from '../../../../src/backends/tensorflow/install/wheels.js'
import { bring } from '../../../../src/cli/commands/engine.js'
import { describeError } from '../../../../src/error.js'
import { command, diffeo, ioOf, main } from '../../../cli/support.js'
import { zipBytes } from '../../../data/files.js'

// a library that the environment names would stand in every list
delete process.env['DIFFEO_TENSORFLOW']

const folder = mkdtempSync(join(tmpdir(), 'diffeo-install-'))
const at = (...names: readonly string[]): string => join(folder, ...names)
const mounted: string[] = []
afterEach(() => {
  vi.unstubAllEnvs()
})
afterAll(() => {
  for (const path of mounted) spawnSync('umount', [path])
  rmSync(folder, { recursive: true })
})

type Files = readonly (readonly [name: string, bytes: Uint8Array])[]

const bytes = (length: number): Uint8Array => new Uint8Array(length).fill(7)
const library: Files = [
  ['tensorflow/libtensorflow_framework.so.2', bytes(1000)],
  ['tensorflow/libtensorflow_cc.so.2', bytes(300_000)],
  ['tensorflow/THIRD_PARTY_NOTICES.txt', bytes(10)],
  ['tensorflow/python/other.so', bytes(10)],
]
const wheelOf = (name: string, files: Files): string => {
  writeFileSync(at(name), zipBytes(files))
  return at(name)
}
const wheel = wheelOf('small.whl', library)
/** A cache folder of a test's own. */
const cacheOf = (name: string): string => {
  vi.stubEnv('DIFFEO_CACHE', at(name))
  return at(name)
}
const installed = (options: Partial<InstallOptions> = {}): Promise<string> =>
  install({ wheel: 'tensorflow-cpu', from: [wheel], ...options })().then(
    E.match(describeError, (target) => `in ${target}`),
  )
const nothingIn = (cache: string): void => expect(existsSync(cache) ? readdirSync(cache) : []).toEqual([])

describe('the plan', () => {
  // the lines of tensorflow 2.21.0's METADATA that begin with nvidia
  const metadata = [
    ...['cublas-cu12<13.0,>=12.5.3.2', 'cuda-cupti-cu12<13.0,>=12.5.82', 'cuda-nvcc-cu12<13.0,>=12.5.82'],
    ...['cuda-nvrtc-cu12<13.0,>=12.5.82', 'cuda-runtime-cu12<13.0,>=12.5.82', 'cudnn-cu12<10.0,>=9.3.0.75'],
    ...['cufft-cu12<12.0,>=11.2.3.61', 'curand-cu12<11.0,>=10.3.6.82', 'cusolver-cu12<12.0,>=11.6.3.83'],
    ...['cusparse-cu12<13.0,>=12.5.1.3', 'nccl-cu12<3.0,>=2.27.7', 'nvjitlink-cu12<13.0,>=12.5.82'],
  ]
  const cuda = planOf('tensorflow').slice(1)
  it('is the package, and for tensorflow the CUDA packages that it names', () => {
    const lines = metadata.map((requirement) => `Requires-Dist: nvidia-${requirement}; extra == "and-cuda"`)
    expect(planOf('tensorflow-cpu').map(({ name }) => name)).toEqual(['tensorflow-cpu'])
    expect(planOf('tensorflow')[0]!.name).toBe('tensorflow')
    expect(cuda.map(({ name }) => name)).toEqual(cudaPackages(lines.join('\n')))
  })
  it('has versions that its requirements allow', () => {
    const numbers = (version: string) =>
      version
        .split('.')
        .map((n) => n.padStart(6, '0'))
        .join()
    for (const [i, requirement] of metadata.entries()) {
      const [, below, least] = /<([\d.]+),>=([\d.]+)/.exec(requirement)!
      const own = numbers(cuda[i]!.version)
      expect(own >= numbers(least!) && own < numbers(below!), requirement).toBe(true)
    }
  })
  it.each([
    ['macOS on arm64', { os: 'darwin', arch: 'arm64', glibc: false }, /pip download .* and give it with --wheel$/],
    ['Windows on x64', { os: 'win32', arch: 'x64', glibc: false }, /use WSL, or the engine onnxruntime$/],
    ['Linux with musl', { os: 'linux', arch: 'x64', glibc: false }, /with glibc, or the engine wasm$/],
    ['Linux on arm64', { os: 'linux', arch: 'arm64', glibc: true }, /give it with --wheel$/],
  ] as const)('has nothing for %s, and says what to do', (got, platform, fix) => {
    const said = describeError(platformError(platform)!)
    expect(said).toContain(`engine install: expected Linux on x64 with glibc, got ${got}; `)
    expect(said).toMatch(fix)
  })
  it('has something for Linux', () => {
    expect(platformError({ os: 'linux', arch: 'x64', glibc: true })).toBeUndefined()
  })
})

describe.runIf(process.platform === 'linux')('an installation', () => {
  it('is brought, listed and removed by the command, where DIFFEO_CACHE says', async () => {
    const cache = cacheOf('command')
    const { code, out } = await diffeo(folder, 'engine', 'install', '--wheel', 'small.whl')
    const target = join(cache, 'tensorflow-cpu-2.21.0')
    expect([code, out]).toEqual([0, expect.stringContaining(`${target}\nuse it with --engine tensorflow\n`)])
    expect(readdirSync(join(target, 'tensorflow')).sort()).toEqual(
      ['THIRD_PARTY_NOTICES.txt', 'libtensorflow_cc.so.2', 'libtensorflow_framework.so.2'].sort(),
    )
    expect(readFileSync(join(target, 'tensorflow/libtensorflow_cc.so.2')).equals(bytes(300_000))).toBe(true)
    for (const what of [['--wheel', 'small.whl'], []])
      expect(await diffeo(folder, 'engine', 'install', ...what)).toMatchObject({
        code: 1,
        // nothing of what would be downloaded
        out: '',
        err: expect.stringContaining('expected nothing installed there'),
      })
    // as its users start it: each library is opened in a process of its own
    const list = await command(folder, process.execPath, [main, 'engine', 'list'])
    const listed = `tensorflow that cannot be loaded, by engine install: ${target}/tensorflow: `
    expect([list.code, list.out.startsWith(listed)]).toEqual([0, true])
    expect(list.out.slice(listed.length)).toMatch(/^.*invalid ELF header\n$/)
    expect(await diffeo(folder, 'engine', 'remove')).toMatchObject({ code: 0, out: `removed ${target}\n` })
    expect(await diffeo(folder, 'engine', 'list')).toMatchObject({ out: expect.stringContaining('no library') })
    nothingIn(cache)
  })
  it('names koffi where it is not installed', async () => {
    const cache = cacheOf('without-koffi')
    vi.doMock('koffi', () => {
      throw new Error("Cannot find module 'koffi'")
    })
    try {
      const said: string[] = []
      expect(await bring('tensorflow-cpu', [wheel])(ioOf(said, [], undefined, []))).toBe('done')
      const target = join(cache, 'tensorflow-cpu-2.21.0')
      expect(said).toContain(`${target}\nrun \`npm install koffi\`, then use it with --engine tensorflow`)
    } finally {
      vi.doUnmock('koffi')
    }
  })
  it('tells how far it is, how fast, and what is left', async () => {
    cacheOf('pace')
    const drawn: string[] = []
    const paced = wheelOf('paced.whl', [library[0]!, [library[1]![0], bytes(30e6)]])
    expect(await bring('tensorflow-cpu', [paced])(ioOf([], [], undefined, drawn))).toBe('done')
    expect(drawn.join('\n')).toMatch(/ unpacking paced\.whl: \d+ MB, [\d.]+ MB\/s, \d:\d\d left$/m)
  })
  it('that is not whole is replaced', async () => {
    const cache = cacheOf('broken')
    const target = join(cache, 'tensorflow-cpu-2.21.0')
    mkdirSync(join(target, 'tensorflow'), { recursive: true })
    writeFileSync(join(target, 'tensorflow/libtensorflow_cc.so.2'), '')
    expect(await installed()).toBe(`in ${target}`)
  })
  it('from what is no such wheel is none, and says why', async () => {
    const cache = cacheOf('unfit')
    writeFileSync(at('text.whl'), 'no zip archive')
    for (const [from, got] of [
      [at('text.whl'), `engine install: expected a wheel, got ${at('text.whl')}`],
      [at('none.whl'), 'expected a file, got nothing there'],
      [wheelOf('else.whl', library.slice(2)), 'expected a wheel of TensorFlow with its C API, got else.whl'],
    ] as const) {
      expect(await installed({ from: [from] })).toContain(got)
      nothingIn(cache)
    }
  })
  it('takes the CUDA wheels beside the first, each file where the libraries look for it', async () => {
    const cache = cacheOf('cuda')
    const names = ['cublas/lib/libcublas.so.12', 'cuda_nvcc/bin/ptxas', 'cuda_nvcc/nvvm/libdevice/libdevice.10.bc']
    const more: Files = [...names, 'cublas/include/cublas.h'].map((name) => [`nvidia/${name}`, bytes(5)])
    await installed({ wheel: 'tensorflow', from: [wheel, wheelOf('cuda.whl', more)] })
    const root = join(cache, 'tensorflow-2.21.0/nvidia')
    expect(names.filter((name) => existsSync(join(root, name)))).toEqual(names)
    expect(existsSync(join(root, 'cublas/include'))).toBe(false)
  })
})

/** A folder for PATH whose `python3` is this script. */
const python = (name: string, script: string): void => {
  mkdirSync(at(name))
  writeFileSync(at(name, 'python3'), `#!/bin/sh\n${script}\n`, { mode: 0o755 })
  vi.stubEnv('PATH', `${at(name)}:${process.env['PATH']}`)
}
/** What pip does, from files of this folder: the last argument names the package. */
const fakePip = (name: string) =>
  python(
    name,
    `while [ $# -gt 1 ]; do [ "$1" = --dest ] && dest="$2"; shift; done; cp "${folder}/\${1%%=*}.whl" "$dest/"`,
  )

const linuxX64 = process.platform === 'linux' && process.arch === 'x64'
describe.runIf(linuxX64 && platformError({ os: 'linux', arch: 'x64', glibc: true }) === undefined)('a download', () => {
  const pin = (name: string, file: string): Pinned => {
    const sha256 = createHash('sha256').update(readFileSync(file)).digest('hex')
    return { name, version: '2.21.0', platform: 'manylinux_2_27_x86_64', bytes: statSync(file).size, sha256 }
  }
  const requires = Buffer.from('Requires-Dist: nvidia-one-cu12<13.0; extra == "and-cuda"\n')
  const plan = [
    pin('tf', wheelOf('tf.whl', [...library, ['tensorflow-2.21.0.dist-info/METADATA', requires]])),
    pin('nvidia-one-cu12', wheelOf('nvidia-one-cu12.whl', [['nvidia/one/lib/libone.so.12', bytes(9)]])),
  ]
  it('brings every package of the plan, and tells how far it is', async () => {
    const cache = cacheOf('plan')
    fakePip('pip')
    const told: string[] = []
    const progress = (doing: string, done: number, total: number) => void told.push(`${doing} ${done / total}`)
    expect(await install({ wheel: 'tensorflow', plan, progress })()).toEqual(E.right(join(cache, 'tensorflow-2.21.0')))
    expect(readdirSync(cache)).toEqual(['tensorflow-2.21.0'])
    expect(existsSync(join(cache, 'tensorflow-2.21.0/nvidia/one/lib/libone.so.12'))).toBe(true)
    expect(told[0]).toBe('downloading tf 0')
    // of all downloads together
    const second = told.findIndex((line) => line.startsWith('downloading nvidia-one-cu12 '))
    expect(told[second]).toBe(`downloading nvidia-one-cu12 ${plan[0]!.bytes / (plan[0]!.bytes + plan[1]!.bytes)}`)
    expect(told.at(-1)).toBe('unpacking nvidia-one-cu12.whl 1')
  })
  it('of other bytes than those that are pinned is refused, and so is a wheel that asks for what is not', async () => {
    const cache = cacheOf('other')
    fakePip('otherPip')
    const { from: _, ...download } = { wheel: 'tensorflow', from: undefined } as const
    const of = async (own: readonly Pinned[]) =>
      E.match(describeError, String)(await install({ ...download, plan: own })())
    expect(await of([{ ...plan[0]!, sha256: 'abc' }])).toMatch(
      /expected tf with SHA-256 abc, got [0-9a-f]{64}; try again/,
    )
    nothingIn(cache)
    expect(await of([plan[0]!, { ...plan[1]!, name: 'nvidia-two-cu12' }])).toContain(
      'expected a wheel whose CUDA packages are pinned, got nvidia-one-cu12; update diffeo',
    )
    nothingIn(cache)
  })
  it('that is stopped ends when pip has, which may write until then', async () => {
    const cache = cacheOf('stopped')
    python(
      'slowPip',
      `while [ $# -gt 1 ]; do [ "$1" = --dest ] && dest="$2"; shift; done
trap 'sleep 0.2; mkdir -p "$dest/late"; : > "${at('ended')}"; exit 1' TERM
echo > "$dest/tf.whl"; while :; do sleep 0.05; done`,
    )
    const stop = new AbortController()
    const progress = (_: string, done: number) => void (done > 0 && stop.abort())
    const ended = await install({ wheel: 'tensorflow-cpu', plan, progress, signal: stop.signal })()
    expect(E.match(describeError, String)(ended)).toContain('a signal; nothing was installed')
    expect(existsSync(at('ended'))).toBe(true)
    nothingIn(cache)
  })
  it.each([
    ['no python3', undefined, 'expected python3 with pip, got no python3; install it, or give the wheel with --wheel'],
    [
      'no pip',
      'echo "/usr/bin/python3: No module named pip" >&2; exit 1',
      'expected python3 with pip, got python3 without pip; run `python3 -m ensurepip`, or give the wheel',
    ],
    [
      'no network',
      'echo "ERROR: No matching distribution found for tf==2.21.0" >&2; exit 1',
      'expected pip to download tf 2.21.0, got ERROR: No matching distribution found for tf==2.21.0; look at the network',
    ],
    [
      'no room',
      'echo "ERROR: [Errno 28] No space left on device" >&2; exit 1',
      'got a full disk; make room, or move it with DIFFEO_CACHE',
    ],
  ])('where there is %s says what to do', async (name, script, sentence) => {
    const cache = cacheOf(name)
    if (script === undefined) vi.stubEnv('PATH', at('nowhere'))
    else python(`bin of ${name}`, script)
    expect(E.match(describeError, String)(await install({ wheel: 'tensorflow-cpu', plan })())).toContain(sentence)
    nothingIn(cache)
  })
})

// -------------------------------------------------------------------------------------
// cut short
// -------------------------------------------------------------------------------------

describe.runIf(process.platform === 'linux')('an installation that is cut short', () => {
  const large = at('large.whl')
  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGKILL', null],
  ] as const)('by %s while it unpacks leaves nothing that the next does not remove', async (signal, expected) => {
    if (!existsSync(large)) wheelOf('large.whl', [library[0]!, [library[1]![0], new Uint8Array(300e6)]])
    const cache = cacheOf(`stopped by ${signal}`)
    const growing = (pid: number) => join(cache, `.part-tensorflow-cpu-${pid}/library/${library[1]![0]}`)
    const args = [main, 'engine', 'install', '--wheel', large]
    const ended = await command(folder, process.execPath, args, (child) => {
      const timer = setInterval(() => {
        if (!existsSync(growing(child.pid!)) || statSync(growing(child.pid!)).size === 0) return
        clearInterval(timer)
        child.kill(signal)
      }, 2)
    })
    expect(ended.code).toBe(expected)
    if (signal === 'SIGKILL') expect(readdirSync(cache)).toEqual([expect.stringMatching(/^\.part-/)])
    else {
      expect(ended.err).toBe('\nstopping (again: at once)\nstopped; nothing was installed\n')
      nothingIn(cache)
    }
    expect(await installed()).toBe(`in ${join(cache, 'tensorflow-cpu-2.21.0')}`)
    expect(readdirSync(cache)).toEqual(['tensorflow-cpu-2.21.0'])
  })
  it('by a limit on files leaves nothing', async () => {
    const cache = cacheOf('limited')
    // a process that does not hear SIGXFSZ gets EFBIG in the middle of the second file
    const deaf = "data:text/javascript,process.on('SIGXFSZ',()=>undefined)"
    const line = `ulimit -f 100; exec "${process.execPath}" --import "${deaf}" "${main}" engine install --wheel "${wheel}"`
    const { code, err } = await command(folder, '/bin/bash', ['-c', line])
    expect([code, err]).toEqual([1, expect.stringMatching(/^diffeo: write .*limited: .*EFBIG.*\n$/)])
    nothingIn(cache)
  })
  const mount = (name: string, options: string): string | undefined => {
    mkdirSync(at(name))
    if (spawnSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', at(name)]).status !== 0) return undefined
    mounted.push(at(name))
    return cacheOf(name)
  }
  const mountable = process.getuid?.() === 0 && spawnSync('mount', ['--version']).status === 0
  it.skipIf(!mountable).for([
    [
      'too small, before it begins',
      'size=200k',
      /expected 1 MB in .*, got 0 MB; make room, or move it with DIFFEO_CACHE/,
    ],
    // the root, three folders of the installation, its first file: and then the disk is full
    ['that fills up on the way', 'size=9m,nr_inodes=6', /expected room on the disk, got a full disk \(ENOSPC\)/],
  ] as const)('by a disk %s leaves nothing', async ([name, options, sentence], context) => {
    const cache = mount(name, options)
    if (cache === undefined) return context.skip()
    expect(await installed()).toMatch(sentence)
    nothingIn(cache)
  })
})

describe.runIf(process.platform === 'linux')('the list', () => {
  it('has what an installed @tensorflow/tfjs-node brought, and asks each library by itself', async () => {
    const own = at('node_modules/@tensorflow/tfjs-node')
    mkdirSync(join(own, 'deps/lib'), { recursive: true })
    writeFileSync(join(own, 'package.json'), '{"name":"@tensorflow/tfjs-node","version":"4.22.0"}')
    for (const file of ['libtensorflow_framework.so.2', 'libtensorflow.so.2'])
      writeFileSync(join(own, 'deps/lib', file), '')
    const env = { NODE_PATH: at('node_modules'), DIFFEO_CACHE: at('empty') }
    const { code, out } = await command(folder, process.execPath, [main, 'engine', 'list'], undefined, env)
    expect(code).toBe(0)
    expect(out).toMatch(
      /^tensorflow that cannot be loaded, by @tensorflow\/tfjs-node: .*deps\/lib: .*file too short\n$/,
    )
  })
})
