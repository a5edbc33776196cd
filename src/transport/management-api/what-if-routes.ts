import type { AttestationKinds } from '../../attestation/attestation-kind.ts'
import type { Claim, Credential } from '../../attestation/attestation.ts'
import { members, type Members } from '../../model/members.ts'
import { isJsonObject } from '../../base/json.ts'
import { Secret } from '../../base/secret.ts'
import type { DeviceRequest } from '../../registration/admit.ts'
import { explain } from '../../decisions/explain.ts'
import { whatIf, type WhatIfDependencies } from '../../registration/what-if.ts'
import { signSasToken } from '../../wire/sas-token.ts'
import { decisionJson } from './decision-routes.ts'
import { instancePath, serviceOf, type ManagementCall, type ManagementRoute } from './route.ts'

/** What-if, with the words of the kinds that are offered. */
export interface WhatIfRouteParts extends WhatIfDependencies {
  readonly attestation: AttestationKinds
}

/**
 * `POST …/whatif`: what would become of a device, without anything being done. It says the `registrationId` and one proof:
 * `certificateChain` (PEM, leaf first), `token`, `symmetricKey` (the device's own, base64) or `tpm` (`endorsementKey`, and
 * `storageRootKey` if it is at hand), or the member of another kind that has words for it; and, where they matter, `protocol`, `apiVersion`, `payload`, `remoteAddress`.
 */
export function whatIfRoutes(dependencies: WhatIfRouteParts): readonly ManagementRoute[] {
  return [
    {
      method: 'POST',
      path: `${instancePath}/whatif`,
      operationName: 'WhatIf',
      permission: 'read',
      run: async (call) => {
        const decision = await whatIf(readSupposed(call, dependencies), dependencies)
        return { json: { ...decisionJson(decision), explanation: explain(decision) } }
      },
    },
  ]
}

const aMinute = 60

function readSupposed(call: ManagementCall, dependencies: WhatIfRouteParts): DeviceRequest {
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
    credential: readCredential(supposed, resource, dependencies),
    payload: isJsonObject(body) ? body['payload'] : undefined,
    protocol: supposed.oneOf('protocol', ['Http', 'Mqtt', 'Amqp']) ?? 'Http',
    userAgent: '(what if)',
    remoteAddress: supposed.text('remoteAddress') ?? request.peer.remoteAddress,
    trackingId,
  }
}

function readCredential(supposed: Members, resource: string, { clock, attestation }: WhatIfRouteParts): Credential {
  const claim = readClaim(supposed, attestation)
  const chain = supposed.text('certificateChain')
  if (chain !== undefined) return { kind: 'certificate', chain: certificatesOf(chain) }
  const token = supposed.text('token')
  if (token !== undefined) return { kind: 'token', token, claim }
  const symmetricKey = supposed.text('symmetricKey')
  if (symmetricKey !== undefined) {
    const key = Secret.fromBase64(symmetricKey)
    if (!key) throw supposed.refusal('symmetricKey', 'must be base64')
    return { kind: 'token', token: signSasToken(resource, key, Math.floor(clock() / 1000) + aMinute, 'registration') }
  }
  return claim ? { kind: 'claim', claim } : { kind: 'none' }
}

function readClaim(supposed: Members, kinds: AttestationKinds): Claim | undefined {
  for (const { type, claim } of Object.values(kinds)) {
    const member = claim && supposed.object(type)
    if (member) return claim.suppose(member)
  }
  return undefined
}

const block = /-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]*)-----END CERTIFICATE-----/g

function certificatesOf(pem: string): Buffer[] {
  return Array.from(pem.matchAll(block), ([, base64 = '']) => Buffer.from(base64, 'base64'))
}
