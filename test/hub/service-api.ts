import assert from 'node:assert/strict'
import { signSasToken } from '../../src/wire/sas-token.ts'
import { Key } from '../../src/bundled-hub/key.ts'
import { askHttps, type HttpsAnswer } from '../fixtures/https.ts'
import type { HubServer } from './server.ts'

/** The hub's REST API over a connection of its own, as a policy's holder. */
export function askHub(
  { address, ca, hub }: HubServer,
  method: string,
  path: string,
  body?: unknown,
  headers: Readonly<Record<string, string>> = {},
): Promise<HttpsAnswer> {
  const key = /SharedAccessKey=(.*)$/.exec(hub.connectionString(address))?.[1] ?? ''
  const authorization = signSasToken(address, Key.stored(key), Math.floor(Date.now() / 1000) + 3600, 'iothubowner')
  const version = `${path.includes('?') ? '&' : '?'}api-version=2021-04-12`
  return askHttps(address, 443, ca, { method, path: path + version, body, headers: { authorization, ...headers } })
}

/** Make a device with keys; gives its connection string. */
export async function createDevice(server: HubServer, deviceId: string): Promise<string> {
  const answer = await askHub(server, 'PUT', `/devices/${encodeURIComponent(deviceId)}`, { deviceId })
  assert.equal(answer.status, 200, answer.text)
  const { authentication } = JSON.parse(answer.text) as { authentication: { symmetricKey: { primaryKey: string } } }
  return `HostName=${server.address};DeviceId=${deviceId};SharedAccessKey=${authentication.symmetricKey.primaryKey}`
}

/** What the device sent, as the hub's own read-out gives it. */
export async function telemetryOf(server: HubServer, deviceId: string): Promise<Record<string, unknown>[]> {
  const answer = await askHub(server, 'GET', `/devices/${encodeURIComponent(deviceId)}/messages/events`)
  assert.equal(answer.status, 200, answer.text)
  return (JSON.parse(answer.text) as { messages: Record<string, unknown>[] }).messages
}
