/**
 * A registry on the loopback: the packages that were packed here, and everything else from the registry that npm is
 * configured for. Prints its address. With `--without <name>` the names that start so are not found.
 *
 *     node test/install/registry.mjs <upstream> <folder of tarballs> [--without <name>]
 */
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { basename, join } from 'node:path'
import { gunzipSync } from 'node:zlib'

const [, , upstreamUrl, folder, , without = ' '] = process.argv
const upstream = upstreamUrl.replace(/\/$/, '')

/** The text of `package/package.json` in a tarball. */
const manifestIn = (tarball) => {
  const tar = gunzipSync(tarball)
  for (let at = 0; at < tar.length; ) {
    const name = tar.toString('latin1', at, at + 100).replace(/\0.*$/s, '')
    const size = Number.parseInt(tar.toString('latin1', at + 124, at + 136), 8) || 0
    if (name === 'package/package.json') return tar.toString('utf8', at + 512, at + 512 + size)
    at += 512 + 512 * Math.ceil(size / 512)
  }
  throw new Error('a tarball without package.json')
}

const packed = new Map()
for (const file of readdirSync(folder)) {
  const bytes = readFileSync(join(folder, file))
  const manifest = JSON.parse(manifestIn(bytes))
  packed.set(manifest.name, { file, bytes, manifest })
}

const packument = ({ file, bytes, manifest }, base) => {
  const dist = {
    tarball: `${base}/-/packed/${file}`,
    integrity: `sha512-${createHash('sha512').update(bytes).digest('base64')}`,
    shasum: createHash('sha1').update(bytes).digest('hex'),
  }
  const { name, version } = manifest
  return { name, 'dist-tags': { latest: version }, versions: { [version]: { ...manifest, dist } } }
}

const server = createServer(async ({ url, headers }, response) => {
  const base = `http://127.0.0.1:${server.address().port}`
  const send = (status, type, body) => response.writeHead(status, { 'content-type': type }).end(body)
  const path = decodeURIComponent(url)
  const own = packed.get(path.slice(1))
  if (path.startsWith('/-/packed/')) {
    const found = [...packed.values()].find(({ file }) => file === basename(path))
    return send(200, 'application/octet-stream', found.bytes)
  }
  if (path.slice(1).startsWith(without) || path.startsWith('/@diffeo/')) {
    if (own === undefined || path.slice(1).startsWith(without))
      return send(404, 'application/json', '{"error":"not found"}')
  }
  if (own !== undefined) return send(200, 'application/json', JSON.stringify(packument(own, base)))
  try {
    const answer = await fetch(`${upstream}${url}`, { headers: { accept: headers.accept ?? '*/*' } })
    const type = answer.headers.get('content-type') ?? 'application/octet-stream'
    const body = Buffer.from(await answer.arrayBuffer())
    send(answer.status, type, type.includes('json') ? body.toString().replaceAll(upstream, base) : body)
  } catch (thrown) {
    send(502, 'text/plain', String(thrown))
  }
})
server.listen(0, '127.0.0.1', () => console.log(`http://127.0.0.1:${server.address().port}`))
