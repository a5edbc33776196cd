import type { Json, JsonObject } from '../base/json.ts'
import type { Secret } from '../base/secret.ts'
import type { AttestationMechanism, EnrolledCertificate, Enrollment, EnrollmentGroup } from '../model/enrollment.ts'
import type { HubCredential } from '../model/hub-credential.ts'
import type { IdScope, RegistrationId } from '../model/identifiers.ts'
import type { Limits } from '../model/limits.ts'
import type { MemberTree } from '../base/member-tree.ts'
import type { Members } from '../model/members.ts'
import type { RefusalReason } from '../model/refusal.ts'
import type { RevokedSubject } from '../model/revocation.ts'
import type { Reader } from '../store/store.ts'
import type {
  Attested,
  Challenge,
  Claim,
  Credential,
  Device,
  Evidence,
  ProvenIdentity,
  Presented,
  Proof,
} from './attestation.ts'

/** How a kind of attestation checks what devices send. Each refuses with a reason of its own. */
export interface Prover<M extends AttestationMechanism = AttestationMechanism> {
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
  /** What of the mechanism may stand on a deny list, beside the registration ID and the certificates of the proof. */
  readonly deniable?: (mechanism: M) => readonly Deniable[]
}

/** Something by which a device can be denied for ever, and what it is told of then. */
export interface Deniable {
  readonly subject: RevokedSubject
  readonly reason: RefusalReason
  readonly what: string
}

/** A kind as operators speak of it. */
export interface MechanismKind<M extends AttestationMechanism = AttestationMechanism> {
  readonly type: M['type']
  readonly enrollment: EnrollmentWords<M>
}

/** One kind of attestation, with everything that depends on it: a new one is a file, and a line in the list of those offered. */
export interface AttestationKind<M extends AttestationMechanism = AttestationMechanism>
  extends Prover<M>, MechanismKind<M> {
  /**
   * What a device is told of its own attestation with its registration; undefined: nothing. `authenticationKey` is what `seal`
   * gave for it. [device-wire §1.5]
   */
  readonly state: (registration: {
    readonly enrollmentGroupId: string | undefined
    readonly authenticationKey: string | undefined
  }) => JsonObject | undefined
  /**
   * Refuse, when a device connects, what is wrong on the face of it: before it is known whom it asks, and on some wires before it
   * has said who it is. Absent: nothing is.
   */
  readonly onConnect?: (credential: Credential, registrationId: string | undefined) => void
  /** Where a device speaks of this kind in the body of a request, in the member named like the kind; absent: it does not. */
  readonly claim?: ClaimWords
  /** A way to authenticate over AMQP that is this kind's own; absent: there is none. */
  readonly sasl?: SaslWords
}

/** How a device speaks of a kind. */
export interface ClaimWords {
  /** Refuses what is not of its form. */
  readonly read: (member: JsonObject) => Claim
  /** The same from what an operator knows of a device, who asks what would become of it. */
  readonly suppose: (member: Members) => Claim
}

/** How a mechanism is read and written where operators speak of it. `M` is complete with its secrets. [service-wire §3.3] */
export interface EnrollmentWords<M extends AttestationMechanism> {
  /** The mechanism that the request asks for; refuses by the member that is wrong. */
  readonly read: (attestation: Members, context: MechanismContext<M>) => M
  /** What stands in the member that is named like the kind; secrets only where `secrets` says so. */
  readonly write: (mechanism: M, secrets: boolean) => Json | undefined
  /** What queries may name of it; absent: nothing. */
  readonly queried?: MemberTree
  /** Certificates that it holds, and names of uploaded ones that it refers to; absent: none. */
  readonly certificates?: (mechanism: M) => HeldCertificates
  /** What is wrong with a mechanism that may be written all the same, each in a sentence that names the member; absent: nothing. */
  readonly warnings?: (
    mechanism: M,
    instance: { readonly store: Reader; readonly idScope: IdScope },
  ) => Promise<readonly string[]>
  /** Which limit bounds the groups of this kind, and what they are called there; absent: none does. */
  readonly groups?: { readonly limit: GroupLimit; readonly called: string }
}

/** What a mechanism is read against. */
export interface MechanismContext<M extends AttestationMechanism = AttestationMechanism> {
  readonly kind: Enrollment['kind']
  /** The mechanism that is being replaced: what the request leaves out or shows only as `info` is kept from it. */
  readonly stored?: M | undefined
  readonly newKey: () => Secret
}

export interface HeldCertificates {
  readonly held: readonly EnrolledCertificate[]
  /** `member` is where the name stands below the attestation. */
  readonly named: readonly { readonly member: string; readonly name: string }[]
}

export type GroupLimit = keyof Pick<Limits, 'x509Groups' | 'symmetricKeyGroups'>

/** A SASL mechanism, by the name that it is offered under. */
export interface SaslWords {
  readonly mechanism: string
  /** Converse with the device; undefined refuses it. */
  readonly converse: (
    initialResponse: Buffer,
    challenge: (bytes: Buffer) => Promise<Buffer>,
    service: SaslService,
  ) => Promise<ProvenIdentity | undefined>
}

/** What a SASL mechanism may ask of the service. A refusal is undefined here, and has been told to the operator. */
export interface SaslService {
  /** Begin to register; the challenge that the device has to answer first, or `none` where it is told in answer to its request. */
  readonly begin: (device: Device, credential: Credential) => Promise<Challenge | 'none' | undefined>
  readonly prove: (device: Device, credential: Credential) => Promise<ProvenIdentity | undefined>
}

/** The provers that are offered, by the name of their mechanism. */
export type Provers = Readonly<Record<string, Prover>>

/** The mechanisms that are offered, by their name. */
export type MechanismKinds = Readonly<Record<string, MechanismKind>>

/** The kinds of attestation that are offered, by the name of their mechanism. */
export type AttestationKinds = Readonly<Record<string, AttestationKind>>

/** Lets a kind, which reads its own mechanism only, stand in the list of them all. Another's mechanism is a fault. */
export function attestationKind<M extends AttestationMechanism>(kind: AttestationKind<M>): AttestationKind {
  return { ...kind, ...prover(kind), ...mechanismKind(kind) }
}

/** The same for a prover alone. */
export function prover<M extends AttestationMechanism>(
  one: Prover<M>,
): Prover & Required<Pick<Prover, 'knownCredentials' | 'deniable'>> {
  const own = (mechanism: AttestationMechanism) => narrow<M>(mechanism, one.type)
  return {
    ...one,
    individual: (presented, mechanism) => one.individual(presented, own(mechanism)),
    hubCredential: (mechanism, evidence) => one.hubCredential(own(mechanism), evidence),
    knownCredentials: (mechanism, member) => one.knownCredentials?.(own(mechanism), member) ?? [],
    deniable: (mechanism) => one.deniable?.(own(mechanism)) ?? [],
  }
}

/** The same for the mechanism alone. */
export function mechanismKind<M extends AttestationMechanism>({ type, enrollment }: MechanismKind<M>): MechanismKind {
  const own = (mechanism: AttestationMechanism) => narrow<M>(mechanism, type)
  return {
    type,
    enrollment: {
      ...enrollment,
      // A mechanism of another kind that is being replaced has nothing to keep.
      read: (attestation, { stored, ...context }) =>
        enrollment.read(attestation, { ...context, ...(stored?.type === type && { stored: own(stored) }) }),
      write: (mechanism, secrets) => enrollment.write(own(mechanism), secrets),
      warnings: async (mechanism, instance) => (await enrollment.warnings?.(own(mechanism), instance)) ?? [],
      certificates: (mechanism) => enrollment.certificates?.(own(mechanism)) ?? { held: [], named: [] },
    },
  }
}

/** The kinds as they are asked for: by name. */
export function byType<K extends { readonly type: string }>(kinds: readonly K[]): Readonly<Record<string, K>> {
  return Object.fromEntries(kinds.map((kind) => [kind.type, kind]))
}

function narrow<M extends AttestationMechanism>(mechanism: AttestationMechanism, type: M['type']): M {
  const isOwn = (given: AttestationMechanism): given is M => given.type === type
  if (isOwn(mechanism)) return mechanism
  throw new TypeError(`${type} was asked to attest ${mechanism.type}`)
}
