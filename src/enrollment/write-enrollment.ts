import type { Enrollment } from '../model/enrollment.ts'
import type { JsonObject } from '../base/json.ts'
import { attestationJson } from './read-attestation.ts'
import type { Offered } from './enrolling-instance.ts'

/** What the reader of a record may see of its secrets. */
export interface Disclosure {
  /** The symmetric keys: in the answer to a PUT and to `attestationmechanism` only. [service-wire §0.4] */
  readonly keys: boolean
  /** The query of the webhook's URL, where function keys stand, and a password before its host. [service-wire §16.11] */
  readonly webhookSecrets: boolean
}

/** An enrollment as clients see it, its members in the service's order; absent members are left out. [service-wire §3.2] */
export function enrollmentJson(
  enrollment: Enrollment,
  offered: Offered,
  shown: Disclosure,
  registrationState?: JsonObject,
): JsonObject {
  return {
    ...identity(enrollment, registrationState),
    attestation: attestationJson(enrollment.attestation, offered.kinds, shown.keys),
    capabilities: enrollment.capabilities,
    iotHubHostName: enrollment.iotHubHostName,
    initialTwin: enrollment.initialTwin && { ...enrollment.initialTwin },
    etag: enrollment.etag,
    provisioningStatus: enrollment.provisioningStatus,
    reprovisionPolicy: enrollment.reprovisionPolicy && { ...enrollment.reprovisionPolicy },
    createdDateTimeUtc: enrollment.createdDateTimeUtc,
    lastUpdatedDateTimeUtc: enrollment.lastUpdatedDateTimeUtc,
    allocationPolicy: enrollment.allocationPolicy,
    iotHubs: enrollment.iotHubs,
    ...definitionsJson(enrollment, offered, shown),
    credentialPolicyName: enrollment.credentialPolicyName,
  }
}

function definitionsJson({ definitions }: Enrollment, { policies }: Offered, shown: Disclosure): JsonObject {
  const written = Object.values(policies).flatMap(({ definition }) => {
    const kept = definition && definitions?.[definition.member]
    return kept ? [[definition.member, definition.write(kept, shown.webhookSecrets)] as const] : []
  })
  return Object.fromEntries(written)
}

function identity(enrollment: Enrollment, registrationState?: JsonObject): JsonObject {
  if (enrollment.kind === 'group') return { enrollmentGroupId: enrollment.enrollmentGroupId }
  const { registrationId, deviceId, optionalDeviceInformation } = enrollment
  return { registrationId, deviceId, registrationState, optionalDeviceInformation }
}
