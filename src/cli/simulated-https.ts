import { setTimeout as wait } from 'node:timers/promises'
import { exchange } from './https.ts'
import {
  assignedHub,
  deviceToken,
  type DeviceEndpoint,
  type SimulatedProof,
  type ToldOperation,
} from './simulated-device.ts'

const apiVersion = 'api-version=2021-06-01'

/** Register over HTTPS; the hub that the device was assigned to. [device-wire §2] */
export async function registerOverHttps(
  endpoint: DeviceEndpoint,
  registrationId: string,
  credential: SimulatedProof,
): Promise<string> {
  const base = `/${endpoint.idScope}/registrations/${encodeURIComponent(registrationId)}`
  const proof = 'key' in credential ? {} : { cert: credential.certificate.chain, key: credential.certificate.key }
  const headers = {
    'content-type': 'application/json',
    ...('key' in credential && { authorization: deviceToken(endpoint, registrationId, credential.key) }),
  }
  const ask = async (method: string, path: string, body?: string) => {
    const { host, port, ca } = endpoint
    const response = await exchange({
      method,
      host,
      port,
      ca,
      path: `${base}${path}?${apiVersion}`,
      headers,
      body,
      ...proof,
    })
    return {
      retryAfter: Number(response.headers['retry-after'] ?? 3),
      operation: JSON.parse(response.text) as ToldOperation,
      status: response.status,
    }
  }
  let answer = await ask('PUT', '/register', JSON.stringify({ registrationId }))
  while (answer.status === 202 && answer.operation.status === 'assigning') {
    await wait(answer.retryAfter * 1000)
    answer = await ask('GET', `/operations/${answer.operation.operationId}`)
  }
  return assignedHub(answer.operation)
}
