import { signSasToken } from '../wire/sas-token.ts'
import type { CertificateWithChain } from './certificate-making.ts'
import { hmac } from './api-session.ts'

/** Where simulated devices register. */
export interface DeviceEndpoint {
  readonly host: string
  readonly port: number
  readonly idScope: string
  /** PEM. */
  readonly ca: string | undefined
}

/** What a simulated device proves itself with. */
export type SimulatedProof = { readonly key: string } | { readonly certificate: CertificateWithChain }

/** What the device API says of an operation. */
export interface ToldOperation {
  readonly operationId?: string
  readonly status?: string
  readonly message?: string
  readonly errorCode?: number
  readonly trackingId?: string
  readonly registrationState?: { readonly assignedHub?: string; readonly errorMessage?: string }
}

/** Seconds. */
const tokenLifetime = 3600

/** The token of a device that has a key. [device-wire §6.1] */
export function deviceToken({ idScope }: DeviceEndpoint, registrationId: string, key: string): string {
  const expiry = Math.floor(Date.now() / 1000) + tokenLifetime
  const signer = { hmac: (text: string) => hmac(key, text) }
  return signSasToken(`${idScope}/registrations/${registrationId}`, signer, expiry, 'registration')
}

/** The hub of an operation that has ended well; throws what the device was told otherwise. */
export function assignedHub({ status, registrationState, errorCode, message }: ToldOperation): string {
  if (status === 'assigned' && registrationState?.assignedHub !== undefined) return registrationState.assignedHub
  throw new Error(
    registrationState?.errorMessage ?? (errorCode === undefined ? String(status) : `${errorCode} ${message}`),
  )
}
