/**
 * Who may reach the server of a worker. TensorFlow's server listens on every address of a machine, without a password,
 * and whoever reaches it can run operations that read and write files. On Linux a filter of the kernel on its socket lets
 * through only what is sent to the worker's own address, as if it were bound to that.
 *
 * @module
 */
import { lookup } from 'node:dns/promises'
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { BlockList, isIP, isIPv4 } from 'node:net'
import { networkInterfaces } from 'node:os'
import { importKoffi } from './koffi.js'

/** The host of `host:port` or `[v6]:port`, and the port. */
export const hostAndPort = (address: string): readonly [host: string, port: number] => {
  const at = address.lastIndexOf(':')
  return [address.slice(0, at).replace(/^\[|\]$/g, ''), Number(address.slice(at + 1))]
}

const loopback = new BlockList()
loopback.addSubnet('127.0.0.0', 8, 'ipv4')
loopback.addAddress('::1', 'ipv6')

/** Networks that no router of the internet leads to. */
const inside = new BlockList()
for (const [network, bits] of [
  ['10.0.0.0', 8],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
  // shared by carriers and overlay networks; link-local
  ['100.64.0.0', 10],
  ['169.254.0.0', 16],
] as const)
  inside.addSubnet(network, bits, 'ipv4')
inside.addSubnet('fc00::', 7, 'ipv6')
inside.addSubnet('fe80::', 10, 'ipv6')

/** An address of version 4 in the form of version 6, as one of version 4. */
const plain = (ip: string): string => ip.replace(/^::ffff:(?=\d+\.)/i, '')

const isIn = (list: BlockList, ip: string): boolean => list.check(ip, isIPv4(ip) ? 'ipv4' : 'ipv6')

/** Whether an address of the internet protocol is one that anybody may reach; so is that of all interfaces. */
export const isPublic = (ip: string): boolean => !isIn(loopback, plain(ip)) && !isIn(inside, plain(ip))

/** The addresses of a host; none for an unknown name. */
export const addressesOf = async (host: string): Promise<readonly string[]> =>
  isIP(host) > 0 ? [plain(host)] : (await lookup(host, { all: true }).catch(() => [])).map(({ address }) => address)

/** Those addresses of a host that a server can be bound to here. */
const localAddresses = async (host: string, others: readonly string[]): Promise<readonly string[]> => {
  const here = Object.values(networkInterfaces()).flatMap((card = []) => card.map(({ address }) => address))
  const all = (await addressesOf(host)).filter((ip) => here.includes(ip) || isIn(loopback, ip))
  // a machine may know itself by a name of its loopback, where others would not reach it
  const isNamed = isIP(host) === 0
  const areElsewhere = others.some((other) => !isIP(other) || !isIn(loopback, other))
  return isNamed && areElsewhere ? all.filter((ip) => !isIn(loopback, ip)) : all
}

interface Instruction {
  readonly code: number
  readonly jt: number
  readonly jf: number
  readonly k: number
}

/** Of linux/filter.h: what an instruction does, and offsets from the network header. */
const [LOAD_BYTE, LOAD_WORD, AND, EQUALS, RETURN] = [0x30, 0x20, 0x54, 0x15, 0x06]
const HEADER = 0xfff0_0000

const bytesOf = (ip: string): readonly number[] => {
  if (isIPv4(ip)) return ip.split('.').map(Number)
  const groups = (text: string) => (text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16)))
  const [left = '', right] = ip.split('%')[0]!.split('::')
  const [first, last] = [groups(left), groups(right ?? '')]
  const middle = right === undefined ? [] : Array.from({ length: 8 - first.length - last.length }, () => 0)
  return [...first, ...middle, ...last].flatMap((group) => [group >> 8, group & 0xff])
}

const wordsOf = (ip: string): readonly number[] => {
  const bytes = Buffer.from(bytesOf(ip))
  return Array.from({ length: bytes.length / 4 }, (_, i) => bytes.readUInt32BE(4 * i))
}

/** A program of the kernel's filters: lets through packets to these addresses. */
export const filterFor = (ips: readonly string[]): readonly Instruction[] => {
  const one = (code: number, k: number, jt = 0, jf = 0): Instruction => ({ code, jt, jf, k })
  return [
    ...ips.flatMap((ip) => {
      const [version, destination] = isIPv4(ip) ? [0x40, 16] : [0x60, 24]
      const words = wordsOf(ip).flatMap((word, i) => [
        one(LOAD_WORD, HEADER + destination + 4 * i),
        // on to the next word, or behind this address
        one(EQUALS, word, 0, 2 * (wordsOf(ip).length - i - 1) + 1),
      ])
      return [
        one(LOAD_BYTE, HEADER),
        one(AND, 0xf0),
        one(EQUALS, version, 0, words.length + 1),
        ...words,
        one(RETURN, 0xffff_ffff),
      ]
    }),
    one(RETURN, 0),
  ]
}

/** The open sockets of this process that listen on a port. */
const listenersOn = (port: number): readonly number[] => {
  const [LISTEN, LOCAL, STATE, INODE] = ['0A', 1, 3, 9] as const
  const inodes = ['tcp', 'tcp6'].flatMap((table) =>
    readFileSync(`/proc/self/net/${table}`, 'utf8')
      .split('\n')
      .slice(1)
      .map((line) => line.trim().split(/\s+/))
      .filter((row) => row[STATE] === LISTEN && Number.parseInt(row[LOCAL]?.split(':').at(-1) ?? '', 16) === port)
      .map((row) => row[INODE]),
  )
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      const [, inode] = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/self/fd/${fd}`)) ?? []
      return inode !== undefined && inodes.includes(inode) ? [Number(fd)] : []
    } catch {
      return []
    }
  })
}

const [SOL_SOCKET, SO_ATTACH_FILTER] = [1, 26]

/** Keeps a port of this process to what is sent to some addresses; returns whether that could be done. */
export const keepTo = async (port: number, ips: readonly string[]): Promise<boolean> => {
  if (process.platform !== 'linux' || ips.length === 0) return false
  try {
    const koffi = await importKoffi()
    const instruction = koffi.struct({ code: 'uint16_t', jt: 'uint8_t', jf: 'uint8_t', k: 'uint32_t' })
    const program = koffi.struct({ len: 'uint16_t', filter: koffi.pointer(instruction) })
    const setsockopt = koffi
      .load(null)
      .func('setsockopt', 'int', ['int', 'int', 'int', koffi.pointer(program), 'uint32_t'])
    const filter = filterFor(ips)
    const value = { len: filter.length, filter }
    const sockets = listenersOn(port)
    const attach = (fd: number): boolean =>
      setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, value, koffi.sizeof(program)) === 0
    return sockets.length > 0 && sockets.every(attach)
  } catch {
    return false
  }
}

/** Keeps the server of a worker to its own address. Returns that, or nothing where it listens on all. */
export const keepToAddress = async (addresses: readonly string[], index: number): Promise<string | undefined> => {
  const [host, port] = hostAndPort(addresses[index]!)
  const others = addresses.filter((_, i) => i !== index).map((address) => hostAndPort(address)[0])
  return (await keepTo(port, await localAddresses(host, others))) ? addresses[index] : undefined
}
