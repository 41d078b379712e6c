/** Addresses for workers that are no more than processes of this machine. */
import { createServer } from 'node:net'

/** Addresses where nothing listens. */
export const addresses = async (n: number): Promise<readonly string[]> => {
  const servers = await Promise.all(
    Array.from(
      { length: n },
      () =>
        new Promise<ReturnType<typeof createServer>>((done) => {
          const server = createServer().listen(0, '127.0.0.1', () => done(server))
        }),
    ),
  )
  const found = servers.map((server) => `127.0.0.1:${(server.address() as { port: number }).port}`)
  await Promise.all(servers.map((server) => new Promise((done) => server.close(done))))
  return found
}
