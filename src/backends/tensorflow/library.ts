/**
 * TensorFlow's library in this process: its files, how they are loaded, and the types of all calls that are made.
 *
 * @module
 */
import { closeSync, openSync, readFileSync } from 'node:fs'
import { importKoffi, type Koffi } from './koffi.js'

type Native = ((...args: unknown[]) => unknown) & { readonly async: (...args: unknown[]) => void }

const signatures = {
  TF_Version: 'const char *TF_Version()',
  TF_NewStatus: 'void *TF_NewStatus()',
  TF_DeleteStatus: 'void TF_DeleteStatus(void *)',
  TF_GetCode: 'int TF_GetCode(void *)',
  TF_Message: 'const char *TF_Message(void *)',
  TF_NewBufferFromString: 'void *TF_NewBufferFromString(void *, size_t)',
  TF_DeleteBuffer: 'void TF_DeleteBuffer(void *)',
  TF_NewGraph: 'void *TF_NewGraph()',
  TF_DeleteGraph: 'void TF_DeleteGraph(void *)',
  TF_NewImportGraphDefOptions: 'void *TF_NewImportGraphDefOptions()',
  TF_DeleteImportGraphDefOptions: 'void TF_DeleteImportGraphDefOptions(void *)',
  TF_GraphImportGraphDef: 'void TF_GraphImportGraphDef(void *, void *, void *, void *)',
  TF_GraphOperationByName: 'void *TF_GraphOperationByName(void *, const char *)',
  TF_NewSessionOptions: 'void *TF_NewSessionOptions()',
  TF_DeleteSessionOptions: 'void TF_DeleteSessionOptions(void *)',
  TF_SetConfig: 'void TF_SetConfig(void *, void *, size_t, void *)',
  TF_SetTarget: 'void TF_SetTarget(void *, const char *)',
  TF_NewServer: 'void *TF_NewServer(void *, size_t, void *)',
  TF_ServerStart: 'void TF_ServerStart(void *, void *)',
  TF_ServerTarget: 'const char *TF_ServerTarget(void *)',
  TF_NewSession: 'void *TF_NewSession(void *, void *, void *)',
  TF_CloseSession: 'void TF_CloseSession(void *, void *)',
  TF_DeleteSession: 'void TF_DeleteSession(void *, void *)',
  TF_SessionRun:
    'void TF_SessionRun(void *, void *, void *, void *, int, void *, void *, int, void *, int, void *, void *)',
  TF_SessionListDevices: 'void *TF_SessionListDevices(void *, void *)',
  TF_DeviceListCount: 'int TF_DeviceListCount(void *)',
  TF_DeviceListName: 'const char *TF_DeviceListName(void *, int, void *)',
  TF_GetRegisteredKernelsForOp: 'void *TF_GetRegisteredKernelsForOp(const char *, void *)',
  TF_DeleteDeviceList: 'void TF_DeleteDeviceList(void *)',
  TF_AllocateTensor: 'void *TF_AllocateTensor(int, void *, int, size_t)',
  TF_DeleteTensor: 'void TF_DeleteTensor(void *)',
  TF_TensorData: 'void *TF_TensorData(void *)',
} as const

export type Name = keyof typeof signatures
type Functions = Readonly<Record<Name, Native>>

/** Files of the library, in the order in which they are loaded: the second uses what the first exports. */
export interface LibraryFiles {
  readonly framework: string
  /** Absent where the first file holds the C API too. */
  readonly api: string
  /** What the first file looks for by name alone, if it was built for GPUs. */
  readonly cuda: readonly string[]
}

/**
 * Keeps libraries in memory until the process is gone. The binding closes them when Node ends, and then the runtime's
 * own threads stand on nothing: a segmentation fault after the last line.
 */
const pin = (koffi: Koffi, files: readonly string[]): void => {
  // RTLD_NOW | RTLD_NODELETE
  const mode = process.platform === 'darwin' ? 0x82 : 0x1002
  const dlopen = koffi.load(null).func('void *dlopen(const char *, int)')
  for (const file of files) dlopen(file, mode)
}

/**
 * Loads libraries that depend on each other, each after its dependencies; returns those that cannot be loaded. A
 * library that is loaded is found by its name from then on, wherever it lies.
 */
const preload = (koffi: Koffi, files: readonly string[]): readonly string[] => {
  const left = files.filter((file) => {
    try {
      koffi.load(file, { lazy: true, global: true })
      return false
    } catch {
      return true
    }
  })
  return left.length === 0 || left.length === files.length ? left : preload(koffi, left)
}

/** Whether nothing can be wrong with a processor: what it lacks the library says as it loads, and ends the process. */
const isModern = (): boolean =>
  process.platform === 'linux' && /^flags\b.* avx2\b/m.test(readFileSync('/proc/cpuinfo', 'latin1'))

/**
 * Loads without the lines about oneDNN, which come before a log level could be set. Whoever sets `TF_CPP_MIN_LOG_LEVEL` to 0
 * sees them.
 */
const silently = <A>(koffi: Koffi, load: () => A): A => {
  if (process.env['TF_CPP_MIN_LOG_LEVEL'] === '0' || !isModern()) return load()
  const libc = koffi.load(null)
  const dup2 = libc.func('int dup2(int, int)')
  const kept: number = libc.func('int dup(int)')(2)
  const nowhere = openSync('/dev/null', 'w')
  dup2(nowhere, 2)
  try {
    return load()
  } finally {
    dup2(kept, 2)
    for (const file of [kept, nowhere]) closeSync(file)
  }
}

/** What a process has of the library. */
export interface Library {
  readonly koffi: Koffi
  readonly functions: Functions
  /** Ends this process at once, and leaves what runs in it where it is. */
  readonly exit: (code: number) => void
}

/** Loads the library into the process, for good. Throws what the loader throws. */
export const loadLibrary = async ({ framework, api, cuda }: LibraryFiles): Promise<Library> => {
  const koffi = await importKoffi()
  // how much it says on stderr: errors, unless asked; it reads this as it loads
  process.env['TF_CPP_MIN_LOG_LEVEL'] ??= '2'
  // left alone, it uses oneDNN only where the processor has AVX-512 VNNI or better; with AVX2 a step takes half the time
  process.env['TF_ENABLE_ONEDNN_OPTS'] ??= '1'
  // the thread that runs an operation of oneDNN takes a share of it, instead of sleeping until the others are done
  process.env['TF_ONEDNN_THREADPOOL_USE_CALLER_THREAD'] ??= '1'
  const missing = new Set(preload(koffi, cuda))
  silently(koffi, () => koffi.load(framework, { global: true }))
  const library = koffi.load(api, { global: true })
  pin(koffi, [...cuda.filter((file) => !missing.has(file)), framework, api])
  const names = Object.keys(signatures) as readonly Name[]
  const bound = Object.fromEntries(names.map((name) => [name, library.func(signatures[name])]))
  // koffi types every function alike; `signatures` says what each takes
  return { koffi, functions: bound as unknown as Functions, exit: koffi.load(null).func('void _exit(int)') }
}
