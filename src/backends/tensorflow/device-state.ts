/**
 * Vectors that stay in the runtime: a state, which is the result of one step and the argument of the next, and
 * parameters that are the same in many calls. On a GPU they cross to the host only when someone reads them.
 *
 * A session keeps tensors under names that it gives them (`GetSessionHandle`), hands them out as they lie
 * (`GetSessionTensor`), and frees them (`DeleteSessionTensor`). They end with the session: what is alive then is
 * read before.
 *
 * @module
 */
import type { Group } from '../shared/flat-state.js'
import type { Handle, Session, TensorFlow } from './c-api.js'
import { ACCESS, type Kept } from './lower/program.js'

/**
 * What of a program is kept: several arrays that come out as others go in, which is what a state does, and arguments
 * that are steady.
 */
export const keptOf = (
  inputs: readonly Group[],
  outputs: readonly Group[],
  isSteady: (input: number) => boolean,
): Kept => {
  const alike = (a: Group) => (b: Group) => a.count > 1 && a.count === b.count && `${a.offsets}` === `${b.offsets}`
  const numbers = (all: readonly Group[], wanted: (group: Group, i: number) => boolean): ReadonlySet<number> =>
    new Set(all.flatMap((group, i) => (wanted(group, i) ? [i] : [])))
  return {
    inputs: numbers(inputs, (group, i) => outputs.some(alike(group)) || (group.count > 1 && isSteady(i))),
    outputs: numbers(outputs, (group) => inputs.some(alike(group))),
  }
}

/** A vector of the runtime that tensors of TensorFlow.js are pieces of: kept by a session, in a tensor, or both. */
export class Resident {
  #tensor: Handle | undefined
  #kept: { readonly keeper: Keeper; readonly name: Handle } | undefined

  constructor(
    readonly library: TensorFlow,
    tensor?: Handle,
  ) {
    this.#tensor = tensor
  }
  /** Its elements on the host, which stay until it is freed. */
  tensor(): Handle {
    this.#tensor ??= this.#kept!.keeper.read(this.#kept!.name)
    return this.#tensor
  }
  /** Its name in a session, if that keeps it. */
  nameIn(keeper: Keeper): Handle | undefined {
    return this.#kept?.keeper === keeper ? this.#kept.name : undefined
  }
  /** A session keeps it from now on, and no other. */
  keptBy(keeper: Keeper, name: Handle): void {
    this.#leave()
    this.#kept = { keeper, name }
  }
  /** Its session ends. */
  leave(): void {
    this.tensor()
    this.#leave()
  }
  free(): void {
    this.#leave()
    if (this.#tensor !== undefined) this.library.free(this.#tensor)
    this.#tensor = undefined
  }
  #leave(): void {
    this.#kept?.keeper.drop(this, this.#kept.name)
    this.#kept = undefined
  }
}

/** What a session keeps. */
interface Keeper {
  /** What came out of a run under this name. */
  readonly resident: (name: Handle) => Resident
  /** The name of a resident, which goes into the session if it is not there. */
  readonly keep: (resident: Resident) => Promise<Handle>
  readonly read: (name: Handle) => Handle
  readonly drop: (resident: Resident, name: Handle) => void
  /** Everything alive moves to tensors. */
  readonly close: () => void
}

/** The keeper of a session whose graph has the nodes of {@link ACCESS}. */
export const keeperOf = (library: TensorFlow, session: Session): Keeper => {
  const at = (node: string) => ({ node, index: 0 })
  const keep = session.runOf({ inputs: [at(ACCESS.value)], outputs: [at(ACCESS.keep)] })
  const read = session.runOf({ inputs: [at(ACCESS.name)], outputs: [at(ACCESS.read)] })
  const drop = session.runOf({ inputs: [at(ACCESS.name)], outputs: [], targets: [ACCESS.drop] })
  const alive = new Set<Resident>()
  const kept = (resident: Resident, name: Handle): Resident => {
    resident.keptBy(own, name)
    alive.add(resident)
    return resident
  }
  const own: Keeper = {
    resident: (name) => kept(new Resident(library), name),
    keep: async (resident) => {
      const known = resident.nameIn(own)
      if (known !== undefined) return known
      const [name] = await keep([resident.tensor()])
      kept(resident, name!)
      return name!
    },
    read: (name) => read.now([name])[0]!,
    drop: (resident, name) => {
      alive.delete(resident)
      // only the session waits for it, before it ends
      void drop([name])
        .catch(() => undefined)
        .finally(() => library.free(name))
    },
    close: () => {
      for (const resident of alive) resident.leave()
    },
  }
  return own
}
