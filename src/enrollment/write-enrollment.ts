import type { MechanismKinds } from '../attestation/attestation-kind.ts'
import type { Enrollment } from '../model/enrollment.ts'
import type { JsonObject } from '../base/json.ts'
import { shownUrl } from '../base/shown-url.ts'
import { attestationJson } from './attestation.ts'

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
  kinds: MechanismKinds,
  shown: Disclosure,
  registrationState?: JsonObject,
): JsonObject {
  const { customAllocationDefinition: custom } = enrollment
  return {
    ...identity(enrollment, registrationState),
    attestation: attestationJson(enrollment.attestation, kinds, shown.keys),
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
    customAllocationDefinition:
      custom && (shown.webhookSecrets ? { ...custom } : { ...custom, webhookUrl: shownUrl(custom.webhookUrl) }),
    credentialPolicyName: enrollment.credentialPolicyName,
  }
}

function identity(enrollment: Enrollment, registrationState?: JsonObject): JsonObject {
  if (enrollment.kind === 'group') return { enrollmentGroupId: enrollment.enrollmentGroupId }
  const { registrationId, deviceId, optionalDeviceInformation } = enrollment
  return { registrationId, deviceId, registrationState, optionalDeviceInformation }
}
