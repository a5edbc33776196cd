import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import rhea, { type Connection, type ConnectionOptions, type EventContext, type Receiver, type Sender } from 'rhea'
import type { Service } from '../fixtures/service.ts'
import { readBody, type Body, type Device } from './device.ts'

export const apiVersion = { 'com.microsoft:api-version': '2019-03-31' }

/** What came back for one request: settled and answered, or rejected. */
export type Answer =
  | { readonly is: 'answered'; readonly body: Body; readonly message: NonNullable<EventContext['message']> }
  | { readonly is: 'rejected'; readonly condition: string; readonly body: Body }

/** A well-behaved client's connection. With neither user name nor mechanisms, there is no SASL layer. */
export function openAmqp(service: Service, options: object = {}): Connection {
  const { deviceHost: host, ca } = service
  const all = { transport: 'tls', servername: '', host, port: service.ports.amqp, ca, reconnect: false, ...options }
  const connection = rhea.create_container().connect(all as ConnectionOptions)
  for (const event of [
    'disconnected',
    'connection_error',
    'connection_close',
    'session_error',
    'error',
    'receiver_error',
    'sender_error',
  ])
    connection.on(event, () => undefined)
  return connection
}

/** SASL PLAIN, as SDKs do it with a symmetric key. */
export function plain(device: Device): object {
  return { username: device.resource, password: device.token() }
}

/** The two links that every SDK attaches, the receiver first. */
export interface Links {
  readonly sender: Sender
  readonly receiver: Receiver
}

export async function attach(connection: Connection, address: string, properties: object = apiVersion): Promise<Links> {
  const receiver = connection.open_receiver({ source: address, properties } as Parameters<
    Connection['open_receiver']
  >[0])
  const sender = connection.open_sender({ target: address, properties } as Parameters<Connection['open_sender']>[0])
  const refused = once(receiver, 'receiver_error').then(() => {
    throw new Error(`detached: ${JSON.stringify(receiver.error)}`)
  })
  await Promise.race([once(sender, 'sendable'), refused])
  return { sender, receiver }
}

/** rhea tells of a connection that the other side closed in order by another event than of one that broke. */
const ends = ['disconnected', 'connection_close'] as const

export function ask({ sender, receiver }: Links, operation: object, body?: string): Promise<Answer> {
  const content = body === undefined ? '' : rhea.message.data_section(Buffer.from(body))
  const correlation_id = rhea.generate_uuid()
  return new Promise((resolve, reject) => {
    const answered = ({ message }: EventContext): void => {
      assert.equal(message?.correlation_id, correlation_id)
      assert.equal(message?.body.typecode, 0x75, 'one data section')
      done({ is: 'answered', body: readBody(message.body.content), message })
    }
    const rejected = ({ delivery }: EventContext): void => {
      const { error } = delivery!.remote_state as { error: { condition: string; description: string } }
      done({ is: 'rejected', condition: error.condition, body: readBody(Buffer.from(error.description)) })
    }
    const gone = (): void => reject(new Error('the connection ended before the answer came'))
    const done = (answer: Answer): void => {
      receiver.removeListener('message', answered)
      sender.removeListener('rejected', rejected)
      for (const event of ends) sender.connection.removeListener(event, gone)
      resolve(answer)
    }
    receiver.on('message', answered)
    sender.on('rejected', rejected)
    for (const event of ends) sender.connection.on(event, gone)
    sender.send({ correlation_id, application_properties: operation, body: content })
  })
}

/** The register request of every SDK. */
export const register = { 'iotdps-operation-type': 'iotdps-register' }

export function poll(operationId: unknown): object {
  return { 'iotdps-operation-type': 'iotdps-get-operationstatus', 'iotdps-operation-id': operationId }
}

/** A TLS connection on which nothing has been said. */
export async function openRaw(service: Service, options: { cert?: string; key?: string } = {}): Promise<TLSSocket> {
  const socket = connectTls({ host: service.deviceHost, port: service.ports.amqp, ca: service.ca, ...options })
  socket.on('error', () => undefined)
  await once(socket, 'secureConnect')
  return socket
}

/** Everything that comes until the service has closed its side. */
export async function untilClosed(socket: TLSSocket): Promise<Buffer> {
  const parts: Buffer[] = []
  socket.on('data', (part: Buffer) => parts.push(part))
  await once(socket, 'close')
  return Buffer.concat(parts)
}

export const header = {
  amqp: Buffer.from('AMQP\x00\x01\x00\x00', 'latin1'),
  sasl: Buffer.from('AMQP\x03\x01\x00\x00', 'latin1'),
}

export const nothing = Buffer.from([0x40])
export const zero = Buffer.from([0x43])

export function text(value: string, constructor = 0xa1): Buffer {
  return Buffer.concat([Buffer.from([constructor, value.length]), Buffer.from(value)])
}

export function symbol(value: string): Buffer {
  return text(value, 0xa3)
}

export function uint(value: number): Buffer {
  const bytes = Buffer.from([0x70, 0, 0, 0, 0])
  bytes.writeUInt32BE(value, 1)
  return bytes
}

export function long(bytes: Buffer): Buffer {
  const head = Buffer.from([0xb0, 0, 0, 0, 0])
  head.writeUInt32BE(bytes.length, 1)
  return Buffer.concat([head, bytes])
}

export function described(code: number, fields: readonly Buffer[]): Buffer {
  const content = Buffer.concat(fields)
  const head = Buffer.from([0, 0x53, code, 0xd0, 0, 0, 0, 0, 0, 0, 0, 0])
  head.writeUInt32BE(content.length + 4, 4)
  head.writeUInt32BE(fields.length, 8)
  return Buffer.concat([head, content])
}

/** A frame on channel 0; type 1 is SASL. */
export function frame(code: number, fields: readonly Buffer[], { type = 0, payload = Buffer.alloc(0) } = {}): Buffer {
  const body = Buffer.concat([described(code, fields), payload])
  const head = Buffer.from([0, 0, 0, 0, 2, type, 0, 0])
  head.writeUInt32BE(body.length + 8)
  return Buffer.concat([head, body])
}
