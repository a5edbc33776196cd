import assert from 'node:assert/strict'
import type { HttpsAnswer, HttpsRequest } from '../fixtures/https.ts'
import type { Service } from '../fixtures/service.ts'
import { assertErrorBody, readBody, type Body, type Device } from './device.ts'

/** The query that most SDKs send. */
export const version = 'api-version=2019-03-31'

/** The device API over HTTPS; each call is a good one as far as the test does not change it. */
export interface DeviceApi {
  readonly register: (device: Device, change?: Partial<HttpsRequest>) => Promise<HttpsAnswer>
  readonly poll: (device: Device, operationId: string, change?: Partial<HttpsRequest>) => Promise<HttpsAnswer>
  /** Registers, and polls until the operation has ended; the last answer and its body. */
  readonly registerToTheEnd: (
    device: Device,
    change?: Partial<HttpsRequest>,
  ) => Promise<{ answer: HttpsAnswer; body: Body }>
}

/** The device API of one service. */
export function deviceApi(service: Service): DeviceApi {
  const register: DeviceApi['register'] = (device, change = {}) => {
    const headers = { authorization: device.token(), ...change.headers }
    const body = { registrationId: device.registrationId }
    return service.https({ method: 'PUT', path: `${device.path}/register?${version}`, body, ...change, headers })
  }
  const poll: DeviceApi['poll'] = (device, operationId, change = {}) => {
    const headers = { authorization: device.token(), ...change.headers }
    return service.https({
      method: 'GET',
      path: `${device.path}/operations/${operationId}?${version}`,
      ...change,
      headers,
    })
  }
  return {
    register,
    poll,
    registerToTheEnd: async (device, change) => {
      const accepted = await register(device, change)
      assert.equal(accepted.status, 202, accepted.text)
      const { operationId } = accepted.json()
      for (let polls = 0; polls < 100; polls += 1) {
        const answer = await poll(device, String(operationId))
        const body = readBody(Buffer.from(answer.text))
        if (body['status'] !== 'assigning') return { answer, body }
        assert.equal(answer.status, 202)
      }
      throw new Error('The operation never ended')
    },
  }
}

/** Fails unless the answer is this error, complete with its headers. [device-wire §1.6] */
export function assertError(answer: HttpsAnswer, errorCode: number): void {
  assert.equal(answer.status, Math.floor(errorCode / 1000), answer.text)
  const body = readBody(Buffer.from(answer.text))
  assertErrorBody(body, errorCode)
  assert.equal(answer.headers['x-ms-request-id'], body['trackingId'])
  assert.equal(answer.headers['content-type'], 'application/json; charset=utf-8')
}
