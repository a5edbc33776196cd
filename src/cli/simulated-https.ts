import { setTimeout as wait } from 'node:timers/promises'
import { signSasToken } from '../wire/sas-token.ts'
import type { Credential } from './devices.ts'
import { exchange } from './https.ts'
import { hmac } from './session.ts'

/** Where devices register. */
export interface Place {
  readonly host: string
  readonly port: number
  readonly idScope: string
  /** PEM. */
  readonly ca: string | undefined
}

/** What the device API says of an operation. */
export interface Operation {
  readonly operationId?: string
  readonly status?: string
  readonly message?: string
  readonly errorCode?: number
  readonly trackingId?: string
  readonly registrationState?: { readonly assignedHub?: string; readonly errorMessage?: string }
}

const apiVersion = 'api-version=2021-06-01'
/** Seconds. */
const tokenLifetime = 3600

/** The token of a device that has a key. [device-wire §6.1] */
export function deviceToken({ idScope }: Place, registrationId: string, key: string): string {
  const expiry = Math.floor(Date.now() / 1000) + tokenLifetime
  const signer = { hmac: (text: string) => hmac(key, text) }
  return signSasToken(`${idScope}/registrations/${registrationId}`, signer, expiry, 'registration')
}

/** Register over HTTPS; the hub that the device was assigned to. [device-wire §2] */
export async function registerOverHttps(place: Place, registrationId: string, credential: Credential): Promise<string> {
  const base = `/${place.idScope}/registrations/${encodeURIComponent(registrationId)}`
  const proof = 'key' in credential ? {} : { cert: credential.certificate.chain, key: credential.certificate.key }
  const headers = {
    'content-type': 'application/json',
    ...('key' in credential && { authorization: deviceToken(place, registrationId, credential.key) }),
  }
  const ask = async (method: string, path: string, body?: string) => {
    const { host, port, ca } = place
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
      operation: JSON.parse(response.text) as Operation,
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

/** The hub of an operation that has ended well; throws what the device was told otherwise. */
export function assignedHub({ status, registrationState, errorCode, message }: Operation): string {
  if (status === 'assigned' && registrationState?.assignedHub !== undefined) return registrationState.assignedHub
  throw new Error(
    registrationState?.errorMessage ?? (errorCode === undefined ? String(status) : `${errorCode} ${message}`),
  )
}
