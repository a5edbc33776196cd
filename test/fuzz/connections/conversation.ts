import type { EventEmitter } from 'node:events'
import { connect as connectTcp, type Socket } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import type { Random } from '../engine/random.ts'

/** What a stranger does on one connection, decided before it begins, so that it can be done again. */
export interface Conversation {
  readonly to: Door
  /** Sent before TLS begins, as a load balancer does. */
  readonly before?: Buffer
  /** False: the steps are sent as they are, where TLS is due. */
  readonly tls: boolean
  readonly certificate?: { readonly cert: string; readonly key: string }
  readonly steps: readonly Step[]
  /** Whether these steps break the protocol, so that the service has to close the connection by itself. */
  readonly broken: boolean
}

/** Makes a conversation; `idScope` is that of the service, so that some of what is said is about something. */
export type Converse = (random: Random, idScope: string) => Conversation

export interface Step {
  readonly bytes: Buffer
  /** How often in a row. */
  readonly times: number
}

export type Door = 'https' | 'mqtt' | 'amqp' | 'management'

/** Where a door is. */
export interface Address {
  readonly host: string
  readonly port: number
}

/** How a conversation ended. */
export interface End {
  /** `turned away`: there was no connection, or no handshake. `left open`: it was broken, and nobody closed it. */
  readonly as: 'closed' | 'left' | 'turned away' | 'left open'
  readonly answer: Buffer
}

/** Where conversations come from: the first two numbers of an address on loopback. */
export const strangers = '127.66'
export const proxies = '127.67'

/** Milliseconds that the service has to close what is broken, and that what is not broken is listened to: answers take 50. */
const patience = 15_000
const listening = 120
const largestWrite = 1 << 16
const mostHeard = 1 << 16

/** Hold it, from an address of its own, and say how it ended; `held` is called while it is still open. */
export async function converse(
  conversation: Conversation,
  { host, port }: Address,
  random: Random,
  held?: () => void | Promise<void>,
): Promise<End> {
  // Only load balancers may send what comes before TLS, and they must.
  const network = conversation.before ? proxies : strangers
  const localAddress = `${network}.${random.int(0, 250)}.${random.int(1, 250)}`
  const raw = connectTcp({ host, port, localAddress, noDelay: true })
  const heard: Buffer[] = []
  let length = 0
  let closed = false
  raw.on('error', () => undefined)
  const gone = happened(raw, 'close').then(() => (closed = true))
  const stream = await opened(raw, conversation)
  if (!stream) {
    const inTime = await Promise.race([gone.then(() => true), wait(patience, false)])
    raw.destroy()
    return { as: inTime || !conversation.broken ? 'turned away' : 'left open', answer: Buffer.alloc(0) }
  }
  stream.on('data', (chunk: Buffer) => {
    if (length < mostHeard) heard.push(chunk)
    length += chunk.length
  })
  for (const { bytes, times } of conversation.steps) {
    for (const write of writes(bytes, times)) {
      if (closed || !stream.writable) break
      if (!stream.write(write)) await Promise.race([happened(stream, 'drain'), gone])
    }
  }
  await held?.()
  const inTime = await Promise.race([gone.then(() => true), wait(conversation.broken ? patience : listening, false)])
  stream.destroy()
  raw.destroy()
  return { as: inTime ? 'closed' : conversation.broken ? 'left open' : 'left', answer: Buffer.concat(heard) }
}

/** The stream to speak on, or undefined if the service did not let it come to that. */
async function opened(
  raw: Socket,
  { before, tls, certificate }: Conversation,
): Promise<Socket | TLSSocket | undefined> {
  if (before) raw.write(before)
  if (!tls) return raw
  const secure = connectTls({ socket: raw, rejectUnauthorized: false, ...certificate })
  secure.on('error', () => undefined)
  const ready = happened(secure, 'secureConnect').then(() => true)
  const gone = happened(raw, 'close').then(() => false)
  const done = await Promise.race([ready, gone, wait(patience, false)])
  return done ? secure : undefined
}

/** Many small steps in few writes: what they cost is the service's business, not the client's. */
function* writes(bytes: Buffer, times: number): Generator<Buffer> {
  const together = Math.max(1, Math.floor(largestWrite / Math.max(1, bytes.length)))
  for (let left = times; left > 0; left -= together) {
    const now = Math.min(left, together)
    yield now === 1 ? bytes : Buffer.concat(Array<Buffer>(now).fill(bytes))
  }
}

/** The next of these events; errors are told by the close that follows them. */
function happened(emitter: EventEmitter, event: string): Promise<void> {
  return new Promise((resolve) => emitter.once(event, () => resolve()))
}
