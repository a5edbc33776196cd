import assert from 'node:assert/strict'
import { symmetricIndividual } from '../fixtures/enrollments.ts'
import { sasToken, type TokenOptions } from '../fixtures/sas.ts'
import type { Service } from '../fixtures/service.ts'
import { connectPacket, openMqtt, publishPacket, type MqttConnection } from './mqtt-client.ts'

/** A device with an individual enrollment and its symmetric key. */
export interface Device {
  readonly registrationId: string
  readonly key: string
  /** `{idScope}/registrations/{registrationId}` */
  readonly resource: string
  /** `/{idScope}/registrations/{registrationId}`, unencoded. */
  readonly path: string
  readonly userName: string
  readonly token: (options?: TokenOptions) => string
}

/** A response of the device API over MQTT, after its topic was found to have the one right shape. */
export interface Reply {
  readonly status: number
  readonly rid: string
  readonly retryAfter: number | undefined
  readonly topic: string
  readonly body: Body
  /** When it came, by `performance.now()`. */
  readonly at: number
}

export type Body = Record<string, unknown>

/** The device that the key belongs to, enrolled or not. */
export function deviceWithKey(service: Service, registrationId: string, key: string): Device {
  const resource = `${service.idScope}/registrations/${registrationId}`
  return {
    registrationId,
    key,
    resource,
    path: `/${resource}`,
    userName: `${resource}/api-version=2019-03-31&ClientVersion=hubward-test%2F1.0`,
    token: (options) => sasToken(resource, key, options),
  }
}

/** Enrolls a device with a new key; `entry` is added to its enrollment. */
export async function enrollDevice(service: Service, registrationId: string, entry: object = {}): Promise<Device> {
  const { path, body, credential } = await symmetricIndividual(registrationId)
  await service.operate('PUT', path, { ...body, ...entry })
  assert.ok('symmetricKey' in credential)
  return deviceWithKey(service, registrationId, credential.symmetricKey)
}

/** The MQTT port of the service. */
export function mqttPort(service: Service): { readonly host: string; readonly port: number; readonly ca: string } {
  return { host: service.deviceHost, port: service.ports.mqtt, ca: service.ca }
}

/** A connection over which the device has sent CONNECT and SUBSCRIBE, and was granted both. */
export async function openSession(service: Service, device: Device): Promise<MqttConnection> {
  const connection = await openMqtt(mqttPort(service))
  await beginSession(connection, device)
  return connection
}

/** CONNECT and SUBSCRIBE on an open connection. */
export async function beginSession(connection: MqttConnection, device: Device): Promise<void> {
  connection.send(connectPacket(device.registrationId, device.userName, device.token()))
  assert.equal((await connection.receive('connack')).returnCode, 0)
  connection.send(subscribePacket())
  assert.deepEqual((await connection.receive('suback')).granted, [1])
}

/** The subscription that every SDK makes. */
export function subscribePacket(): {
  cmd: 'subscribe'
  messageId: number
  subscriptions: { topic: string; qos: 0 | 1 | 2 }[]
} {
  return { cmd: 'subscribe', messageId: 3, subscriptions: [{ topic: '$dps/registrations/res/#', qos: 1 }] }
}

/** The topic of a register request. */
export function registerTopic(rid: string): string {
  return `$dps/registrations/PUT/iotdps-register/?$rid=${rid}`
}

/** The topic of a poll. */
export function pollTopic(rid: string, operationId: string): string {
  return `$dps/registrations/GET/iotdps-get-operationstatus/?$rid=${rid}&operationId=${operationId}`
}

/** Publishes with QoS 1 and takes PUBACK and the response, in that order. */
export async function ask(connection: MqttConnection, topic: string, payload = ''): Promise<Reply> {
  connection.send(publishPacket(topic, payload))
  assert.equal((await connection.receive('puback')).messageId, 7)
  return await receiveReply(connection)
}

/** The next packet, which must be a well-formed response; it is acknowledged. */
export async function receiveReply(connection: MqttConnection): Promise<Reply> {
  const { topic, payload, qos, retain, dup, messageId, at } = await connection.receive('publish')
  assert.deepEqual({ qos, retain, dup }, { qos: 1, retain: false, dup: false })
  assert.ok(messageId !== undefined && messageId > 0)
  connection.send({ cmd: 'puback', messageId })
  const shape = /^\$dps\/registrations\/res\/(\d{3})\/\?\$rid=([^&]*)(?:&retry-after=(\d+))?$/.exec(topic)
  assert.ok(shape, `${topic} is a response topic`)
  const retryAfter = shape[3] === undefined ? undefined : Number(shape[3])
  return { status: Number(shape[1]), rid: shape[2] ?? '', retryAfter, topic, body: readBody(Buffer.from(payload)), at }
}

/** Registers, and polls until the operation has ended; the body of the last response. */
export async function registerToTheEnd(connection: MqttConnection, payload = '{}'): Promise<Body> {
  let reply = await ask(connection, registerTopic('first'), payload)
  for (let polls = 0; reply.body['status'] === 'assigning' && polls < 100; polls += 1) {
    reply = await ask(connection, pollTopic('again', String(reply.body['operationId'])))
  }
  return reply.body
}

/** The JSON object that a device is sent: pure ASCII, and nowhere a null. [device-wire §0.3, §0.4] */
export function readBody(bytes: Uint8Array): Body {
  assert.ok(
    bytes.every((byte) => byte < 0x7f),
    'the body is ASCII',
  )
  const value: unknown = JSON.parse(Buffer.from(bytes).toString('latin1'))
  assert.equal(hasNull(value), false, 'the body has no null')
  assert.ok(typeof value === 'object' && value !== null)
  return { ...value }
}

/** Fails unless the body is an error object with this code. [device-wire §1.6] */
export function assertErrorBody(body: Body, errorCode: number): void {
  assert.equal(body['errorCode'], errorCode, JSON.stringify(body))
  assert.match(String(body['trackingId']), /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)
  assert.ok(typeof body['message'] === 'string' && body['message'] !== '')
  assert.match(String(body['timestampUtc']), timestamp)
  assert.equal('status' in body, false)
}

/** Fails unless the body is a finished assignment with everything an SDK reads. [device-wire §1.5] */
export function assertAssigned(body: Body, registrationId: string, substatus = 'initialAssignment'): void {
  assert.match(String(body['operationId']), /^[A-Za-z0-9.-]+$/, JSON.stringify(body))
  assert.equal(body['status'], 'assigned', JSON.stringify(body))
  const state: unknown = body['registrationState']
  assert.ok(typeof state === 'object' && state !== null)
  const { createdDateTimeUtc, lastUpdatedDateTimeUtc, assignedHub, etag, ...rest } = { ...(state as Body) }
  assert.deepEqual(rest, { registrationId, deviceId: registrationId, status: 'assigned', substatus })
  assert.match(String(createdDateTimeUtc), timestamp)
  assert.match(String(lastUpdatedDateTimeUtc), timestamp)
  assert.match(String(assignedHub), /^127\.30\.\d+\.[23]$/)
  assert.ok(typeof etag === 'string' && etag !== '')
}

/** ISO 8601, UTC, seven fractional digits. */
export const timestamp = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z$/

function hasNull(value: unknown): boolean {
  if (typeof value !== 'object') return false
  return value === null || Object.values(value).some(hasNull)
}
