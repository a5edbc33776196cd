import type { X509Certificate } from 'node:crypto'
import type { Protocol, Trail } from '../model/decision.ts'
import type { Enrollment } from '../model/enrollment.ts'
import type { RegistrationId } from '../model/identifiers.ts'
import type { Brand } from '../base/brand.ts'
import type { Json, JsonObject } from '../base/json.ts'
import type { RefusalReason } from '../model/refusal.ts'
import type { ProvisioningService } from '../model/service.ts'
import type { BySubject } from '../wire/x509/find-path.ts'

/** What a device sent, with the instance it asked for found and its identifiers well formed: from `admit`. */
export interface Presented extends Brand<'presented'> {
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
  /** A shared access signature; a device may say more beside it, as one with a TPM repeats its keys. */
  | { readonly kind: 'token'; readonly token: string; readonly claim?: Claim | undefined }
  /** DER, leaf first, as presented in the TLS handshake. */
  | { readonly kind: 'certificate'; readonly chain: readonly Buffer[] }
  /** Nothing but words of one kind, as of a TPM that asks for its challenge. */
  | { readonly kind: 'claim'; readonly claim: Claim }

/** What comes with every connection: the client certificate of its TLS handshake, leaf first, if it had one. */
export function certificateCredential(chain: readonly Buffer[]): Credential {
  return chain.length > 0 ? { kind: 'certificate', chain } : { kind: 'none' }
}

/** What a device says of itself in the words of one kind of attestation, which alone knows what else stands here. */
export interface Claim {
  /** The kind's type. */
  readonly of: string
  /** As a sentence calls the kind, such as TPM. */
  readonly called: string
  /** The claim in the operator's words: enough to recognize it, nothing that would let anybody use it again. */
  readonly shown: string
  /** As what everybody is refused who proves nothing by such a claim. [device-wire §1.6] */
  readonly refusedAs: RefusalReason
  readonly [member: string]: unknown
}

/** What the device says in the words of a kind, beside its proof or instead of one. */
export function claimOf(credential: Credential): Claim | undefined {
  return 'claim' in credential ? credential.claim : undefined
}

/** What the proof is called where there is room for one word. */
export function nameOf(credential: Credential): string {
  return claimOf(credential)?.of ?? credential.kind
}

/** Whom an address names, before anything is known of it. */
export interface Device {
  readonly idScope: string
  readonly registrationId: string
}

/** Who has authenticated on a connection. A certificate does not say which instance it is for; the first request does. */
export interface ProvenIdentity {
  readonly device?: Device | undefined
  readonly credential: Credential
}

/** The device is who it says it is: from `attest`, or from `attestedBefore` once an operation goes on. */
export interface Attested extends Omit<Presented, 'credential' | keyof Brand<'presented'>>, Brand<'attested'> {
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

/** What of certificates a proof hangs by. */
export interface ProvenPath {
  /** The leaf, each issuer of the one before, and last the certificate that is enrolled. */
  readonly certificates: readonly X509Certificate[]
  /** The issuers above that are known, which are looked for when this is called. */
  readonly above: () => readonly X509Certificate[]
  /** The CA certificates that the instance knows of. */
  readonly known: BySubject<X509Certificate>
  /** The time at which a current list has to speak of each certificate below the enrolled one; undefined: none has to. */
  readonly listsRequiredAt: number | undefined
}

/** What a kind says of a proof it has not refused. */
export type Proof =
  | {
      readonly evidence: Evidence
      /** Absent where no certificate was the proof. */
      readonly path?: ProvenPath | undefined
    }
  | { readonly challenge: () => Promise<Challenge> }
