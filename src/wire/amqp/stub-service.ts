import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import assert from 'node:assert/strict'
import { afterEach } from 'node:test'
import rhea, { type Connection, type ConnectionOptions } from 'rhea'
import { AmqpConnection } from './connection.ts'
import type { AmqpMessage } from './message.ts'
import { readPlain } from './sasl.ts'
import { askStorageRootKey, askToken, readTpmOpening } from './sasl-tpm.ts'
import { answeringClient, type Answering } from './request-reply.ts'
import type { AmqpClient, AmqpLimits, AmqpLink, AmqpService } from './service.ts'

const host = '127.40.2.1'
export const address = '0ne000A0B1C/registrations/dev-01'
const usual: AmqpLimits = {
  frameBytes: 65536,
  messageBytes: 65536,
  openTimeout: 5000,
  idleTimeout: 5000,
}

/** Called after each test of the file that imports this. */
const closers: (() => void)[] = []
/** What the server reported as its own fault; a test that expects one takes it out. */
export const faults: unknown[] = []
afterEach(() => {
  for (const close of closers.splice(0)) close()
  assert.deepEqual(faults.splice(0), [], 'the server had a fault')
})

/** What a test wants of the service; the rest is agreeable. */
export interface Behaviour {
  readonly limits?: Partial<AmqpLimits>
  /** Milliseconds. */
  readonly replyDelay?: number
  readonly open?: (identity: string | undefined) => { condition: string; description: string } | undefined
  readonly attach?: (link: AmqpLink) => { condition: string; description: string } | undefined
  readonly request?: (message: AmqpMessage) => ReturnType<Answering['request']>
  /** Instead of requests and replies. */
  readonly takes?: AmqpClient['takes']
  readonly gives?: AmqpClient['gives']
  readonly closed?: () => unknown
  readonly tpm?: { blob: Buffer; seen: string[] }
}

function service({ replyDelay = 50, open, attach, request, closed, tpm, ...ends }: Behaviour): AmqpService<string> {
  return {
    containerId: 'gateway',
    hostName: 'gateway000000',
    mechanisms: () =>
      new Map([
        [
          'TPM',
          async (initial, challenge) => {
            const opening = readTpmOpening(initial)
            const srk = opening && (await askStorageRootKey(challenge))
            const token = srk && (await askToken(tpm?.blob ?? Buffer.alloc(782), challenge))
            if (!token) return undefined
            const { idScope, registrationId, endorsementKey } = opening
            tpm?.seen.push(idScope, registrationId, endorsementKey.toString('hex'), srk.toString('hex'), token)
            return registrationId
          },
        ],
        [
          'PLAIN',
          async (initial) => {
            const plain = readPlain(initial)
            return plain?.password === 'wrong' ? undefined : plain?.userName
          },
        ],
      ]),
    open: (identity, _, opening) => {
      const refused = open?.(identity)
      if (refused) return { refused }
      const answering: Answering = {
        attach: (link) => attach?.(link),
        request: async (message) => request?.(message) ?? { reply: { body: '{}' } },
      }
      const client = answeringClient(answering, replyDelay, opening)
      return {
        ...client,
        ...ends,
        closed: () => {
          client.closed()
          closed?.()
        },
      }
    },
  }
}

/** A server with this behaviour; gives its port. */
export function serve(behaviour: Behaviour): Promise<number> {
  const peer = { remoteAddress: host, certificateChain: [] }
  const limits = { ...usual, ...behaviour.limits }
  const server = createServer({ noDelay: true }, (socket) => {
    const stream = {
      send: (bytes: Buffer) => void socket.write(bytes),
      destroy: () => void socket.destroy(),
      end: () => void socket.end(),
      pause: () => void socket.pause(),
      resume: () => void socket.resume(),
      unsent: () => socket.writableLength,
    }
    const connection = new AmqpConnection(stream, peer, service(behaviour), limits, (fault) => faults.push(fault))
    socket.on('data', (chunk) => connection.receive(chunk))
    socket.on('error', () => undefined)
    socket.on('close', () => connection.streamClosed())
  })
  closers.push(() => server.close())
  return new Promise((resolve) => server.listen(0, host, () => resolve((server.address() as AddressInfo).port)))
}

/** A connection without a socket. */
export function inMemory(behaviour: Behaviour) {
  const sent: Buffer[] = []
  const nothing = () => undefined
  const stream = {
    send: (bytes: Buffer) => sent.push(bytes),
    destroy: nothing,
    end: nothing,
    pause: nothing,
    resume: nothing,
    unsent: () => 0,
  }
  const peer = { remoteAddress: host, certificateChain: [] }
  const connection = new AmqpConnection(stream, peer, service(behaviour), usual, (fault) => faults.push(fault))
  return { connection, sent }
}

/** A socket on which nothing has been said. */
export async function raw(port: number): Promise<Socket> {
  const socket = connect(port, host)
  socket.on('error', () => undefined)
  closers.push(() => socket.destroy())
  await once(socket, 'connect')
  return socket
}

/** Everything that came until the other side closed. */
export async function closed(socket: Socket): Promise<Buffer> {
  const parts: Buffer[] = []
  socket.on('data', (part: Buffer) => parts.push(part))
  await once(socket, 'close')
  return Buffer.concat(parts)
}

/** A rhea client of that server, with a password unless the options say otherwise. */
export function dial(port: number, options: object = {}): Connection {
  const identity = { username: address, password: 'SharedAccessSignature sr=x' }
  const all: ConnectionOptions = { host, port, reconnect: false, ...identity, ...options }
  const client = rhea.create_container().connect(all)
  client.on('disconnected', () => undefined)
  client.on('connection_error', () => undefined)
  client.on('connection_close', () => undefined)
  client.on('session_error', () => undefined)
  client.on('error', () => undefined)
  closers.push(() => client.close())
  return client
}
