/**
 * The C API of TensorFlow: every call that the engine makes, with its type. Each status is checked and freed; whoever
 * is given a handle frees it.
 *
 * A handle is an address. Calls that compute run on a thread of their own, so that timers and signals stay alive.
 *
 * @module
 */

import type { Elements, ProgramType, ValueInfo } from '../../compiler/program.js'
import { sizeOf } from '../../compiler/program.js'
import { DiffeoException, engineError } from '../../error.js'
import { type Library, type LibraryFiles, loadLibrary, type Name } from './library.js'

/** An address in the library's memory. */
export type Handle = bigint

/** `TF_DataType`, and how wide its elements are. */
const types: Readonly<Record<ProgramType, readonly [number: number, bytes: number]>> = {
  float32: [1, 4],
  int32: [3, 4],
  bool: [10, 1],
}

/** Where a value stands in a graph: the name of its node, and which of its results it is. */
interface Endpoint {
  readonly node: string
  readonly index: number
}

/** What goes in and out of a run, and which operations are done beside that. */
interface Ends {
  readonly inputs: readonly Endpoint[]
  readonly outputs: readonly Endpoint[]
  readonly targets?: readonly string[]
}

/** Values of `inputs` in, new tensors of `outputs` out: the caller's to free, as those that went in are. */
interface Run {
  (inputs: readonly Handle[]): Promise<readonly Handle[]>
  /** The same on this thread, which waits. */
  readonly now: (inputs: readonly Handle[]) => readonly Handle[]
}

/** A graph that has a session. */
export interface Session {
  readonly run: Run
  /** Another run of the same graph. */
  readonly runOf: (ends: Ends) => Run
  /** The devices that it may use, as TensorFlow names them. */
  readonly devices: () => readonly string[]
  /** Frees session and graph, once nothing runs any more. */
  readonly dispose: () => Promise<void>
}

interface SessionOptions extends Ends {
  /** A `GraphDef`. */
  readonly graph: Uint8Array
  /** A `ConfigProto`. */
  readonly config: Uint8Array
  /** The server that runs it; default this process alone. */
  readonly target?: string
  /** `RunOptions` of every run. */
  readonly runOptions?: Uint8Array
}

export interface TensorFlow {
  readonly version: string
  /** What computes an operation here, as a `KernelList`: nothing if the library does not know it. */
  readonly kernels: (operation: string) => Uint8Array
  readonly session: (options: SessionOptions) => Session
  /** Starts a server, of a `ServerDef`, that lives as long as the process; returns its target. */
  readonly serve: (definition: Uint8Array) => string
  /** A tensor of uninitialised elements. */
  readonly allocate: (info: ValueInfo) => Handle
  /** The elements of a tensor where they lie: valid until it is freed. */
  readonly elements: (tensor: Handle, info: ValueInfo) => Elements
  readonly free: (tensor: Handle) => void
  /** How many tensors were made and not freed. */
  readonly live: () => number
}

const arrayOf = { float32: Float32Array, int32: Int32Array, bool: Uint8Array } as const

/** `TF_Output[]`: an operation and the number of its result, padded to the size of a pointer. */
const endpoints = (list: readonly (readonly [operation: Handle, index: number])[]): Uint8Array => {
  const bytes = new DataView(new ArrayBuffer(list.length * 16))
  for (const [i, [operation, index]] of list.entries()) {
    bytes.setBigUint64(i * 16, operation, true)
    bytes.setInt32(i * 16 + 8, index, true)
  }
  return new Uint8Array(bytes.buffer)
}

const fail = (doing: string, got: string): never => {
  throw new DiffeoException(engineError('engine tensorflow', doing, got.trim()))
}

/** The calls, each with its status checked. */
const bind = ({ koffi, functions: f, exit }: Library): TensorFlow => {
  const verdict = (status: Handle, doing: string): void => {
    const code = f.TF_GetCode(status) as number
    const message = f.TF_Message(status) as string
    f.TF_DeleteStatus(status)
    if (code !== 0) fail(doing, `error ${code}: ${message}`)
  }
  /** A call whose last argument is a status. */
  const checked = <A>(doing: string, name: Name, ...args: unknown[]): A => {
    const status = f.TF_NewStatus() as Handle
    const answer = f[name](...args, status) as A
    verdict(status, doing)
    return answer
  }
  let busy = 0
  const checkedAsync = (doing: string, name: Name, ...args: unknown[]): Promise<void> =>
    new Promise((resolve, reject) => {
      const status = f.TF_NewStatus() as Handle
      // Node waits for its threads at exit, and a thread that waits for a lost worker may never return
      busy += 1
      if (busy === 1) process.on('exit', exit)
      f[name].async(...args, status, (thrown: unknown) => {
        busy -= 1
        if (busy === 0) process.off('exit', exit)
        try {
          if (thrown) throw thrown
          verdict(status, doing)
          resolve()
        } catch (reason) {
          reject(reason)
        }
      })
    })

  const importGraph = (graph: Handle, bytes: Uint8Array): void => {
    const buffer = f.TF_NewBufferFromString(bytes, bytes.length)
    const options = f.TF_NewImportGraphDefOptions()
    try {
      checked('a graph that can be read', 'TF_GraphImportGraphDef', graph, buffer, options)
    } finally {
      f.TF_DeleteImportGraphDefOptions(options)
      f.TF_DeleteBuffer(buffer)
    }
  }

  const open = (graph: Handle, config: Uint8Array, target: string | undefined): Handle => {
    const options = f.TF_NewSessionOptions()
    try {
      checked('a configuration that can be read', 'TF_SetConfig', options, config, config.length)
      if (target !== undefined) f.TF_SetTarget(options, target)
      return checked('a session', 'TF_NewSession', graph, options)
    } finally {
      f.TF_DeleteSessionOptions(options)
    }
  }

  let live = 0
  const session = ({ graph: bytes, config, target, runOptions, ...ends }: SessionOptions): Session => {
    const graph = f.TF_NewGraph() as Handle
    let own: Handle
    try {
      importGraph(graph, bytes)
      own = open(graph, config, target)
    } catch (thrown) {
      f.TF_DeleteGraph(graph)
      throw thrown
    }
    const operation = (node: string): Handle =>
      (f.TF_GraphOperationByName(graph, node) as Handle | null) ?? fail('an operation', `none named ${node}`)
    const find = ({ node, index }: Endpoint): readonly [Handle, number] => [operation(node), index]
    const options = runOptions === undefined ? null : f.TF_NewBufferFromString(runOptions, runOptions.length)
    /** What runs, and what it reads and writes: without a reference, arrays may be collected before a thread uses them. */
    const running = new Map<Promise<void>, readonly unknown[]>()
    const runOf = ({ inputs, outputs, targets = [] }: Ends): Run => {
      const [from, to] = [endpoints(inputs.map(find)), endpoints(outputs.map(find))]
      const beside = BigUint64Array.from(targets, operation)
      const what = 'a program that runs'
      const argumentsOf = (given: readonly Handle[], made: BigUint64Array): readonly unknown[] => {
        const feeds = BigUint64Array.from(given)
        return [own, options, from, feeds, inputs.length, to, made, outputs.length, beside, beside.length, null]
      }
      const results = (made: BigUint64Array): readonly Handle[] => {
        live += made.length
        return [...made]
      }
      const run = async (given: readonly Handle[]): Promise<readonly Handle[]> => {
        const made = new BigUint64Array(outputs.length)
        const args = argumentsOf(given, made)
        const done = checkedAsync(what, 'TF_SessionRun', ...args)
        running.set(done, args)
        await done.finally(() => running.delete(done))
        return results(made)
      }
      const now = (given: readonly Handle[]): readonly Handle[] => {
        const made = new BigUint64Array(outputs.length)
        checked(what, 'TF_SessionRun', ...argumentsOf(given, made))
        return results(made)
      }
      return Object.assign(run, { now })
    }
    return {
      run: runOf(ends),
      runOf,
      devices: () => {
        const list = checked<Handle>('a list of devices', 'TF_SessionListDevices', own)
        const count = f.TF_DeviceListCount(list) as number
        const found = Array.from({ length: count }, (_, i) => checked<string>('a name', 'TF_DeviceListName', list, i))
        f.TF_DeleteDeviceList(list)
        return found
      },
      dispose: async () => {
        await Promise.allSettled(running.keys())
        checked('a session that closes', 'TF_CloseSession', own)
        checked('a session that ends', 'TF_DeleteSession', own)
        f.TF_DeleteGraph(graph)
        if (options !== null) f.TF_DeleteBuffer(options)
      },
    }
  }

  const serve = (definition: Uint8Array): string => {
    const server = checked<Handle>('a server', 'TF_NewServer', definition, definition.length)
    checked('a server that starts', 'TF_ServerStart', server)
    return f.TF_ServerTarget(server) as string
  }

  return {
    version: f.TF_Version() as string,
    kernels: (operation) => {
      const buffer = checked<Handle>('a list of kernels', 'TF_GetRegisteredKernelsForOp', operation)
      // TF_Buffer: where its bytes are, and how many
      const [data = 0n, length = 0n] = new BigUint64Array(koffi.view(buffer, 16))
      const bytes = length === 0n ? new Uint8Array() : new Uint8Array(koffi.view(data, Number(length))).slice()
      f.TF_DeleteBuffer(buffer)
      return bytes
    },
    session,
    serve,
    allocate: ({ dtype, shape }) => {
      const [type, bytes] = types[dtype]
      const dims = BigInt64Array.from(shape, BigInt)
      live += 1
      return f.TF_AllocateTensor(type, dims, shape.length, sizeOf(shape) * bytes) as Handle
    },
    elements: (tensor, { dtype, shape }) => {
      const length = sizeOf(shape)
      if (length === 0) return new arrayOf[dtype](0)
      return new arrayOf[dtype](koffi.view(f.TF_TensorData(tensor), length * types[dtype][1]))
    },
    free: (tensor) => {
      live -= 1
      f.TF_DeleteTensor(tensor)
    },
    live: () => live,
  }
}

/** Loads the library into the process, for good. Throws what the loader throws. */
export const openLibrary = async (files: LibraryFiles): Promise<TensorFlow> => bind(await loadLibrary(files))
