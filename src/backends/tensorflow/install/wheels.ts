/**
 * The wheels of PyPI that the engine `tensorflow` is made of, pinned: TensorFlow {@link VERSION} for Linux on x64, and
 * the CUDA libraries that its extra `and-cuda` asks for. `uv lock` on `tensorflow[and-cuda]` resolves to these.
 *
 * @module
 */
import { type DiffeoError, engineError } from '../../../error.js'

/** The packages that `engine install` knows. */
export const WHEELS = ['tensorflow-cpu', 'tensorflow'] as const
export type Wheel = (typeof WHEELS)[number]

/** The version that is installed, and that the engine is tested with. */
export const VERSION = '2.21.0'

/** One file of PyPI. */
export interface Pinned {
  readonly name: string
  readonly version: string
  /** The platform as pip names it. Any Python will do: what is taken out needs none. */
  readonly platform: string
  readonly bytes: number
  readonly sha256: string
}

type Row = readonly [name: string, version: string, platform: string, bytes: number, sha256: string]

const pinned = ([name, version, platform, bytes, sha256]: Row): Pinned => ({ name, version, platform, bytes, sha256 })

// biome-ignore format: a table
const rows: readonly Row[] = [
  ['tensorflow-cpu', '2.21.0', 'manylinux_2_27_x86_64', 273829956, '2b847d217b02ee7731ed91431daf3250daa0196c3c94614d23be27232e6e5b6c'],
  ['tensorflow', '2.21.0', 'manylinux_2_27_x86_64', 572440367, '9056fbc9ba04235810b71ae6cbd958a196e8804fb53bbcffbf3e23b56155f124'],
  ['nvidia-cublas-cu12', '12.9.3.13', 'manylinux_2_27_x86_64', 581217458, 'd7d51055f161b317c7105ddaae90e71eda059026074ffef93cf7cde2886bfe72'],
  ['nvidia-cuda-cupti-cu12', '12.9.79', 'manylinux_2_25_x86_64', 10814997, '096bcf334f13e1984ba36685ad4c1d6347db214de03dbb6eebb237b41d9d934f'],
  ['nvidia-cuda-nvcc-cu12', '12.9.86', 'manylinux_2_12_x86_64', 40546229, '5d6a0d32fdc7ea39917c20065614ae93add6f577d840233237ff08e9a38f58f0'],
  ['nvidia-cuda-nvrtc-cu12', '12.9.86', 'manylinux_2_12_x86_64', 89568129, '210cf05005a447e29214e9ce50851e83fc5f4358df8b453155d5e1918094dcb4'],
  ['nvidia-cuda-runtime-cu12', '12.9.79', 'manylinux_2_17_x86_64', 3493179, '25bba2dfb01d48a9b59ca474a1ac43c6ebf7011f1b0b8cc44f54eb6ac48a96c3'],
  ['nvidia-cudnn-cu12', '9.28.0.42', 'manylinux_2_27_x86_64', 716538495, '9ff58b7f36dacd0a93e89f8f2957b52466889217963701daa15e577317cfa375'],
  ['nvidia-cufft-cu12', '11.4.1.4', 'manylinux_2_17_x86_64', 200877592, 'c67884f2a7d276b4b80eb56a79322a95df592ae5e765cf1243693365ccab4e28'],
  ['nvidia-curand-cu12', '10.3.10.19', 'manylinux_2_27_x86_64', 68295626, '49b274db4780d421bd2ccd362e1415c13887c53c214f0d4b761752b8f9f6aa1e'],
  ['nvidia-cusolver-cu12', '11.7.5.82', 'manylinux_2_27_x86_64', 338117415, '15da72d1340d29b5b3cf3fd100e3cd53421dde36002eda6ed93811af63c40d88'],
  ['nvidia-cusparse-cu12', '12.5.10.65', 'manylinux_2_17_x86_64', 366465088, '73060ce019ac064a057267c585bf1fd5a353734151f87472ff02b2c5c9984e78'],
  ['nvidia-nccl-cu12', '2.32.3', 'manylinux_2_27_x86_64', 351526311, 'bb94b2348e4861d5e8aa00b36c3d12d9bdf9c6369b82cbb723de0b582280a21c'],
  ['nvidia-nvjitlink-cu12', '12.9.86', 'manylinux_2_12_x86_64', 39748338, 'e3f1171dbdc83c5932a45f0f4c99180a70de9bd2718c1ab77d14104f6d7147f9'],
]

const all = rows.map(pinned)

/** What is downloaded for a package, itself first. */
export const planOf = (wheel: Wheel): readonly Pinned[] =>
  all.filter(({ name }) => name === wheel || (wheel === 'tensorflow' && name.startsWith('nvidia-')))

/** How much is downloaded. */
export const bytesOf = (plan: readonly Pinned[]): number => plan.reduce((sum, { bytes }) => sum + bytes, 0)

/** Megabytes of a download, for people. */
export const megabytes = (plan: readonly Pinned[]): number => Math.round(bytesOf(plan) / 1e6)

/** The CUDA packages that the `METADATA` of a wheel of TensorFlow asks for. */
export const cudaPackages = (metadata: string): readonly string[] =>
  [...metadata.matchAll(/^Requires-Dist: (nvidia-[a-z0-9-]+).*extra == "and-cuda"/gm)].map(([, name]) => name!)

/** What decides whether a library can be loaded here. */
interface Platform {
  readonly os: NodeJS.Platform
  readonly arch: string
  /** Whether the C library is glibc, as wheels for Linux expect. */
  readonly glibc: boolean
}

export const thisPlatform = (): Platform => {
  const report = process.report?.getReport() as
    | { readonly header?: { readonly glibcVersionRuntime?: string } }
    | undefined
  return { os: process.platform, arch: process.arch, glibc: report?.header?.glibcVersionRuntime !== undefined }
}

/** Why there is no pinned wheel for a platform, and what to do there. */
export const platformError = ({ os, arch, glibc }: Platform): DiffeoError | undefined => {
  const refuse = (got: string, fix: string) => engineError('engine install', 'Linux on x64 with glibc', got, fix)
  const own = `get a wheel of this platform (python3 -m pip download --no-deps tensorflow==${VERSION}) and give it with --wheel`
  if (os === 'win32')
    return refuse(`Windows on ${arch}`, 'its wheels have no library of the C API: use WSL, or the engine onnxruntime')
  if (os !== 'linux') return refuse(`${os === 'darwin' ? 'macOS' : os} on ${arch}`, own)
  if (!glibc) return refuse('Linux with musl', 'take a distribution with glibc, or the engine wasm')
  return arch === 'x64' ? undefined : refuse(`Linux on ${arch}`, own)
}
