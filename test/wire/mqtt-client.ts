import { connect, type TLSSocket } from 'node:tls'
import { setTimeout as wait } from 'node:timers/promises'
import type { Duplex } from 'node:stream'
import mqtt, { type IConnectPacket, type IPublishPacket, type Packet } from 'mqtt-packet'

/** An MQTT connection of which the test decides every byte. */
export interface MqttConnection extends AsyncDisposable {
  readonly send: (...packets: Packet[]) => void
  readonly sendBytes: (bytes: Uint8Array) => void
  /** The next packet that has not been received yet, with the time it came; fails when it is another, or none within 10 s. */
  readonly receive: <Command extends Packet['cmd']>(command: Command) => Promise<Arrived<Command>>
  /** Fails unless the other side has closed the connection within so many milliseconds, 5,000 unless said. */
  readonly closed: (within?: number) => Promise<void>
  /** Fails when a packet comes, or the connection closes, within so many milliseconds. */
  readonly silence: (milliseconds: number) => Promise<void>
  readonly isOpen: () => boolean
  /** Ends the connection without a DISCONNECT. */
  readonly drop: () => void
}

export type Arrived<Command extends Packet['cmd']> = Extract<Packet, { cmd: Command }> & { readonly at: number }

/** A TLS connection to the MQTT port, or whatever carries MQTT's bytes; `at` values are of `performance.now()`. */
export function speakMqtt(stream: Duplex): MqttConnection {
  const parser = mqtt.parser({ protocolVersion: 4 })
  const arrived: (Packet & { at: number })[] = []
  let open = true
  let changed = (): void => undefined
  parser.on('packet', (packet: Packet) => {
    arrived.push({ ...packet, at: performance.now() })
    changed()
  })
  parser.on('error', (error) => stream.destroy(error))
  stream.on('data', (bytes: Buffer) => parser.parse(bytes))
  stream.on('error', () => stream.destroy())
  for (const event of ['end', 'close']) {
    stream.on(event, () => {
      open = false
      changed()
    })
  }
  const until = async (reached: () => boolean, milliseconds: number): Promise<boolean> => {
    const late = wait(milliseconds, 'late', { ref: false })
    while (!reached()) {
      const change = new Promise<string>((resolve) => (changed = () => resolve('changed')))
      if ((await Promise.race([late, change])) === 'late') return reached()
    }
    return true
  }
  return {
    send: (...packets) => void stream.write(Buffer.concat(packets.map((packet) => mqtt.generate(packet)))),
    sendBytes: (bytes) => void stream.write(bytes),
    receive: async (command) => {
      await until(() => arrived.length > 0 || !open, 10_000)
      const packet = arrived.shift()
      if (packet === undefined) throw new Error(`Instead of a ${command}, ${open ? 'nothing came' : 'the end'}`)
      if (!isCommand(packet, command)) throw new Error(`Instead of a ${command} came ${JSON.stringify(packet)}`)
      return packet
    },
    closed: async (within = 5000) => {
      const known = arrived.length
      if (await until(() => !open, within)) return
      throw new Error(`The connection is open after ${within} ms; came: ${JSON.stringify(arrived.slice(known))}`)
    },
    silence: async (milliseconds) => {
      await until(() => arrived.length > 0 || !open, milliseconds)
      if (arrived.length > 0) throw new Error(`Instead of silence came ${JSON.stringify(arrived[0])}`)
      if (!open) throw new Error('Instead of silence came the end')
    },
    isOpen: () => open,
    drop: () => void stream.destroy(),
    [Symbol.asyncDispose]: async () => void stream.destroy(),
  }
}

/** Where and as whom to connect; `cert` and `key` are PEM. */
export interface TlsEnd {
  readonly host: string
  readonly port: number
  readonly ca: string
  readonly cert?: string
  readonly key?: string
  readonly maxVersion?: 'TLSv1.2' | 'TLSv1.3'
  readonly servername?: string
  readonly allowHalfOpen?: boolean
  readonly checkServerIdentity?: () => undefined
}

/** A TLS connection whose small writes are sent at once. */
export function openTls(end: TlsEnd): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connect(end, () => resolve(socket))
    socket.setNoDelay(true)
    socket.once('error', reject)
  })
}

/** An MQTT connection over TLS, before its CONNECT. */
export async function openMqtt(end: TlsEnd): Promise<MqttConnection> {
  return speakMqtt(await openTls(end))
}

/** A CONNECT as most SDKs write it; `password` undefined leaves the flag out. */
export function connectPacket(clientId: string, username: string, password?: string): IConnectPacket {
  const credentials = password === undefined ? { username } : { username, password: Buffer.from(password) }
  const version = { protocolId: 'MQTT', protocolVersion: 4 } as const
  return { cmd: 'connect', ...version, clientId, clean: true, keepalive: 60, ...credentials }
}

/** A PUBLISH with QoS 1 unless said; `messageId` matters with QoS 1 and 2 only. */
export function publishPacket(topic: string, payload = '', options: Partial<IPublishPacket> = {}): IPublishPacket {
  const { qos = 1 } = options
  return {
    cmd: 'publish',
    topic,
    payload,
    qos,
    ...(qos > 0 && { messageId: 7 }),
    retain: false,
    dup: false,
    ...options,
  }
}

function isCommand<Command extends Packet['cmd']>(
  packet: Packet & { at: number },
  command: Command,
): packet is Arrived<Command> {
  return packet.cmd === command
}
