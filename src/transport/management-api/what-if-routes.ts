import type { Credential, TpmKeys } from '../../attestation/attestation.ts'
import { members, type Members } from '../../model/members.ts'
import { isJsonObject } from '../../base/json.ts'
import { Secret } from '../../base/secret.ts'
import type { Clock } from '../../base/time.ts'
import type { DeviceRequest } from '../../registration/admit.ts'
import { explain } from '../../decisions/explain.ts'
import { whatIf, type WhatIfDependencies } from '../../registration/what-if.ts'
import { signSasToken } from '../../wire/sas-token.ts'
import { decisionJson } from './decision-routes.ts'
import { instancePath, serviceOf, type Call, type Route } from './route.ts'

/**
 * `POST …/whatif`: what would become of a device, without anything being done. It says the `registrationId` and one proof:
 * `certificateChain` (PEM, leaf first), `token`, `symmetricKey` (the device's own, base64) or `tpm` (`endorsementKey`, and
 * `storageRootKey` if it is at hand); and, where they matter, `protocol`, `apiVersion`, `payload`, `remoteAddress`.
 */
export function whatIfRoutes(dependencies: WhatIfDependencies): readonly Route[] {
  return [
    {
      method: 'POST',
      path: `${instancePath}/whatif`,
      operationName: 'WhatIf',
      permission: 'read',
      run: async (call) => {
        const decision = await whatIf(readSupposed(call, dependencies.clock), dependencies)
        return { json: { ...decisionJson(decision), explanation: explain(decision) } }
      },
    },
  ]
}

const aMinute = 60

function readSupposed(call: Call, clock: Clock): DeviceRequest {
  const { body, request, trackingId } = call
  const { idScope } = serviceOf(call)
  const supposed = members(isJsonObject(body) ? body : {})
  const registrationId = supposed.text('registrationId')
  if (registrationId === undefined) throw supposed.refusal('registrationId', 'is required')
  const resource = `${idScope}/registrations/${registrationId}`
  return {
    idScope,
    registrationId,
    apiVersion: supposed.text('apiVersion') ?? '2021-06-01',
    credential: readCredential(supposed, resource, clock),
    payload: isJsonObject(body) ? body['payload'] : undefined,
    protocol: supposed.oneOf('protocol', ['Http', 'Mqtt', 'Amqp']) ?? 'Http',
    userAgent: '(what if)',
    remoteAddress: supposed.text('remoteAddress') ?? request.peer.remoteAddress,
    trackingId,
  }
}

function readCredential(supposed: Members, resource: string, clock: Clock): Credential {
  const tpm = readTpm(supposed)
  const chain = supposed.text('certificateChain')
  if (chain !== undefined) return { kind: 'certificate', chain: certificatesOf(chain) }
  const token = supposed.text('token')
  if (token !== undefined) return { kind: 'token', token, ...(tpm && { tpm }) }
  const symmetricKey = supposed.text('symmetricKey')
  if (symmetricKey !== undefined) {
    const key = Secret.fromBase64(symmetricKey)
    if (!key) throw supposed.refusal('symmetricKey', 'must be base64')
    return { kind: 'token', token: signSasToken(resource, key, Math.floor(clock() / 1000) + aMinute, 'registration') }
  }
  return tpm ? { kind: 'tpm', tpm } : { kind: 'none' }
}

function readTpm(supposed: Members): TpmKeys | undefined {
  const tpm = supposed.object('tpm')
  if (!tpm) return undefined
  const endorsementKey = Buffer.from(tpm.text('endorsementKey') ?? '', 'base64')
  // Both are storage keys: one stands for the other where only the form of it matters.
  const storageRootKey = tpm.text('storageRootKey')
  return {
    endorsementKey,
    storageRootKey: storageRootKey === undefined ? endorsementKey : Buffer.from(storageRootKey, 'base64'),
  }
}

const block = /-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]*)-----END CERTIFICATE-----/g

function certificatesOf(pem: string): Buffer[] {
  return Array.from(pem.matchAll(block), ([, base64 = '']) => Buffer.from(base64, 'base64'))
}
