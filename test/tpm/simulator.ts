import { once } from 'node:events'
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'

/** The signals of the TPM simulator's protocol that clients send. */
const signal = { sendCommand: 8, handshake: 15, sessionEnd: 20, stop: 21 } as const
const done = uint32(0)

/**
 * Speak the TPM simulator's protocol, as tss.js, the C SDK and tpm2-tools expect it, in front of a TPM that takes one command and
 * gives its response. Commands come in at `port`; power and NV signals, which are only acknowledged, at the port after it.
 */
export async function serveSimulator(
  transmit: (command: Buffer) => Promise<Buffer>,
  host: string,
): Promise<AsyncDisposable & { readonly port: number }> {
  const clients = new Set<Socket>()
  const serve = (talk: (client: Socket, input: Input) => Promise<void>) =>
    createServer((client) => {
      clients.add(client)
      client.once('close', () => clients.delete(client))
      // A client that goes away in the middle of its command ends its own conversation only.
      talk(client, reader(client)).catch(() => client.destroy())
    })
  const servers = await listenOnPair(
    () => serve((client, input) => commandPort(client, input, transmit)),
    () => serve(platformPort),
    host,
  )
  return {
    port: (servers[0].address() as AddressInfo).port,
    [Symbol.asyncDispose]: async () => {
      for (const client of clients) client.destroy()
      await Promise.all(servers.map((server) => once(server.close(), 'close')))
    },
  }
}

async function commandPort(
  client: Socket,
  input: Input,
  transmit: (command: Buffer) => Promise<Buffer>,
): Promise<void> {
  for (;;) {
    const asked = (await input(4)).readUInt32BE()
    if (asked === signal.sendCommand) {
      await input(1) // locality
      const command = await input((await input(4)).readUInt32BE())
      const response = await transmit(command)
      client.write(Buffer.concat([uint32(response.length), response, done]))
    } else if (asked === signal.handshake) {
      await input(4) // client version
      const platformAvailable = uint32(1)
      client.write(Buffer.concat([uint32(1), platformAvailable, done]))
    } else return void client.end()
  }
}

async function platformPort(client: Socket, input: Input): Promise<void> {
  for (;;) {
    const asked = (await input(4)).readUInt32BE()
    if (asked === signal.sessionEnd || asked === signal.stop) return void client.end()
    client.write(done)
  }
}

/** Gives exactly that many bytes, when they are there. */
type Input = (length: number) => Promise<Buffer>

function reader(client: Socket): Input {
  const chunks = client.iterator({ destroyOnReturn: false })
  let held = Buffer.alloc(0)
  return async (length) => {
    while (held.length < length) {
      const { value, done } = await chunks.next()
      if (done) throw new Error('the client is gone')
      held = Buffer.concat([held, value as Buffer])
    }
    const bytes = held.subarray(0, length)
    held = held.subarray(length)
    return bytes
  }
}

/** Two servers on neighbouring ports that the system chose. */
async function listenOnPair(first: () => Server, second: () => Server, host: string): Promise<[Server, Server]> {
  for (;;) {
    const lower = first().listen(0, host)
    await once(lower, 'listening')
    const upper = second().listen((lower.address() as AddressInfo).port + 1, host)
    const error = await once(upper, 'listening').then(
      () => undefined,
      (error: NodeJS.ErrnoException) => error,
    )
    if (!error) return [lower, upper]
    lower.close()
    if (error.code !== 'EADDRINUSE') throw error
  }
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}
