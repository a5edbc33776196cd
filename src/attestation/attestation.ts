import type { X509Certificate } from 'node:crypto'
import type { Protocol, Trail } from '../model/decision.ts'
import type { AttestationMechanism, Enrollment, EnrollmentGroup } from '../model/enrollment.ts'
import type { HubCredential } from '../model/hub-credential.ts'
import type { RegistrationId } from '../model/identifiers.ts'
import type { Json, JsonObject } from '../base/json.ts'
import type { Secret } from '../base/secret.ts'
import type { ProvisioningService } from '../model/service.ts'

/** What a device sent, with the instance it asked for found and its identifiers well formed. */
export interface Presented {
  readonly service: ProvisioningService
  readonly registrationId: RegistrationId
  readonly credential: Credential
  readonly apiVersion: string
  readonly protocol: Protocol
  /** For custom allocation. */
  readonly payload?: Json | undefined
  readonly trackingId: string
  readonly remoteAddress: string
  readonly trail: Trail
}

/** The proof a device offers, as it came over the wire; nothing of it has been believed yet. */
export type Credential =
  | { readonly kind: 'none' }
  /** A shared access signature; a TPM device may repeat its keys beside it. */
  | { readonly kind: 'token'; readonly token: string; readonly tpm?: TpmKeys | undefined }
  /** DER, leaf first, as presented in the TLS handshake. */
  | { readonly kind: 'certificate'; readonly chain: readonly Buffer[] }
  /** A TPM that asks for its challenge. */
  | { readonly kind: 'tpm'; readonly tpm: TpmKeys }

/** TPM2B_PUBLIC areas as the device sent them. */
export interface TpmKeys {
  readonly endorsementKey: Buffer
  readonly storageRootKey: Buffer
}

/** From attestation: the device is who it says it is. */
export interface Attested extends Omit<Presented, 'credential'> {
  readonly enrollment: Enrollment
  readonly evidence: Evidence
}

/**
 * What a kind of attestation has to know of the proof later, when the hub identity is made: JSON without secrets, so that it
 * can wait in the store while an operation is resumed.
 */
export type Evidence = JsonObject

/** The device must first prove that it holds its TPM: answered with 401 and this. [device-wire §5.2] */
export interface Challenge {
  /** Wrapped for the device's TPM, base64. */
  readonly authenticationKey: string
  readonly keyName: 'registration'
}

/** What attesting ends in, when it is not refused. */
export type Verdict =
  | { readonly is: 'attested'; readonly attested: Attested }
  | { readonly is: 'disabled'; readonly presented: Presented; readonly enrollment: Enrollment }
  /** `issue` destroys the device's previous hub key: call it only when nothing else can fail. [device-wire §5.6] */
  | {
      readonly is: 'challenged'
      readonly presented: Presented
      readonly enrollment: Enrollment
      readonly issue: () => Promise<Challenge>
    }

/** What a kind says of a proof it has not refused. */
export type Proof =
  | {
      readonly evidence: Evidence
      /**
       * What of certificates the proof hangs by: the leaf, each issuer of the one before up to the anchor, and the issuers above
       * that are known. Absent where no certificate was the proof.
       */
      readonly path?: readonly X509Certificate[] | undefined
    }
  | { readonly challenge: () => Promise<Challenge> }

/** One kind of attestation. Each refuses with a reason of its own. */
export interface AttestationKind<M extends AttestationMechanism = AttestationMechanism> {
  readonly type: M['type']
  /** Whether a credential is of this kind at all. */
  readonly reads: (credential: Credential) => boolean
  /** Refuse what is wrong on the face of it, before anything is looked up; absent: nothing is. */
  readonly check?: (presented: Presented) => void
  /** Fits no credential: stands in where none of this kind is enrolled, so that looking in vain takes as long. */
  readonly decoy: M
  /** Check the proof against an individual enrollment. */
  readonly individual: (presented: Presented, mechanism: M) => Promise<Proof>
  /** Find the group that vouches for the device; undefined if none of this kind does. */
  readonly group: (presented: Presented) => Promise<(Proof & { readonly group: EnrollmentGroup }) | undefined>
  /** Remember what a later request of the device hangs by, now that it has proven itself; absent: nothing is. */
  readonly remember?: (attested: Pick<Attested, 'service' | 'registrationId' | 'evidence'>) => Promise<void>
  readonly hubCredential: (mechanism: M, evidence: Evidence) => HubCredential
  /**
   * What a hub may hold for a device, as far as the enrollment alone tells, the likeliest first; `member` is the registration ID
   * of a group's device. Empty or absent where only the device's own proof would tell.
   */
  readonly knownCredentials?: (mechanism: M, member: RegistrationId | undefined) => readonly HubCredential[]
  /** What custom allocation is told of the proof; never a secret. [service-wire §9.3] */
  readonly context: (evidence: Evidence) => JsonObject
  /** Wrap the hub's key so that only this device can read it; only where the device has no other way to know it. */
  readonly seal?: (evidence: Evidence, hubKey: Secret, hubHostName: string) => string
}

/** Lets a kind, which reads its own mechanism only, stand in the list of them all. Another's mechanism is a fault. */
export function attestationKind<M extends AttestationMechanism>(kind: AttestationKind<M>): AttestationKind {
  const own = (mechanism: AttestationMechanism): M => {
    if (isOf(mechanism, kind)) return mechanism
    throw new TypeError(`${kind.type} was asked to attest ${mechanism.type}`)
  }
  return {
    ...kind,
    individual: (presented, mechanism) => kind.individual(presented, own(mechanism)),
    hubCredential: (mechanism, evidence) => kind.hubCredential(own(mechanism), evidence),
    knownCredentials: (mechanism, member) => kind.knownCredentials?.(own(mechanism), member) ?? [],
  }
}

function isOf<M extends AttestationMechanism>(
  mechanism: AttestationMechanism,
  kind: AttestationKind<M>,
): mechanism is M {
  return mechanism.type === kind.type
}
