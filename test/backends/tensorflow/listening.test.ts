import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'
import { describe, expect, it } from 'vitest'
import {
  addressesOf,
  filterFor,
  hostAndPort,
  isPublic,
  keepTo,
  keepToAddress,
} from '../../../src/backends/tensorflow/listening.js'

describe('an address', () => {
  it.each([
    '8.8.8.8',
    '0.0.0.0',
    '172.32.0.1',
    '192.169.0.1',
    '100.128.0.1',
    '11.0.0.1',
    '::',
    '2001:4860::8888',
    '::ffff:8.8.8.8',
  ])('%s is public', (ip) => {
    expect(isPublic(ip)).toBe(true)
  })
  it.each([
    '127.0.0.1',
    '127.9.9.9',
    '10.1.2.3',
    '172.16.0.1',
    '172.31.255.255',
    '192.168.1.1',
    '100.64.0.1',
    '169.254.1.1',
    '::ffff:10.0.0.1',
    '::1',
    'fd00::1',
    'fe80::1',
  ])('%s is not', (ip) => {
    expect(isPublic(ip)).toBe(false)
  })
  it('is split', () => {
    expect([hostAndPort('a.b:12'), hostAndPort('[::1]:2222')]).toEqual([
      ['a.b', 12],
      ['::1', 2222],
    ])
  })
  it('of a name nobody knows is none', async () => {
    expect(await addressesOf('no-such-host.invalid')).toEqual([])
    expect(await addressesOf('10.0.0.1')).toEqual(['10.0.0.1'])
  })
})

describe('a filter', () => {
  /** Runs a program on a packet with this destination: its steps, as the kernel takes them. */
  const passes = (ips: readonly string[], packet: Uint8Array): boolean => {
    const program = filterFor(ips)
    const view = new DataView(packet.buffer)
    let a = 0
    for (let i = 0; ; i++) {
      const { code, jt, jf, k } = program[i]!
      const offset = k - 0xfff0_0000
      if (code === 0x30) a = view.getUint8(offset)
      else if (code === 0x20) a = view.getUint32(offset)
      else if (code === 0x54) a &= k
      else if (code === 0x15) i += a === k ? jt : jf
      else return k !== 0
    }
  }
  const v4 = (...to: number[]) => Uint8Array.from([0x45, ...Array(15).fill(0), ...to, ...Array(20).fill(0)])
  const v6 = (...to: number[]) => Uint8Array.from([0x60, ...Array(23).fill(0), ...to])
  const zeros = Array(12).fill(0)
  it('lets through what is sent to its addresses', () => {
    const ips = ['10.0.0.1', '::1', '2001:db8::ff00:42:8329']
    expect(passes(ips, v4(10, 0, 0, 1))).toBe(true)
    expect(passes(ips, v4(10, 0, 0, 2))).toBe(false)
    expect(passes(ips, v6(...zeros, 0, 0, 0, 1))).toBe(true)
    expect(passes(ips, v6(...zeros, 0, 0, 0, 2))).toBe(false)
    expect(passes(ips, v6(0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0xff, 0, 0, 0x42, 0x83, 0x29))).toBe(true)
    expect(passes(ips, v6(0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 1, 0, 0, 0xff, 0, 0, 0x42, 0x83, 0x29))).toBe(false)
    expect(passes(['10.0.0.1'], v6(...zeros, 10, 0, 0, 1))).toBe(false)
  })
})

describe.skipIf(process.platform !== 'linux')('a port that listens on every address', () => {
  const listening = async () => {
    const server = createServer((socket) => socket.end('hello')).listen(0, '0.0.0.0')
    await once(server, 'listening')
    return { server, port: (server.address() as AddressInfo).port }
  }
  it('is reached by its own address alone', async () => {
    const { server, port } = await listening()
    expect(await keepToAddress([`127.0.0.2:${port}`, '127.0.0.1:1'], 0)).toBe(`127.0.0.2:${port}`)
    const reached: string[] = []
    const reach = (host: string) => connect({ host, port }).once('connect', () => reached.push(host))
    // asked first, and never answered
    const refused = reach('127.0.0.1')
    const [hello] = await once(reach('127.0.0.2'), 'data')
    refused.destroy()
    server.close()
    expect([String(hello), reached]).toEqual(['hello', ['127.0.0.2']])
  })
  it('stays as it is for an address that is not here, and for a port that is not', async () => {
    const { server, port } = await listening()
    expect(await keepToAddress([`8.8.8.8:${port}`], 0)).toBeUndefined()
    expect(await keepTo(port, [])).toBe(false)
    server.close()
    await once(server, 'close')
    expect(await keepTo(port, ['127.0.0.1'])).toBe(false)
  })
})
