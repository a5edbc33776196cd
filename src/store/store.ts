import type { AccessToken, TokenIssuer } from '../model/access.ts'
import type { CaCertificate } from '../model/ca-certificate.ts'
import type { Decision, DecisionShare, KeptDecision } from '../model/decision.ts'
import type { AttestationMechanism, Enrollment, EnrollmentGroup, IndividualEnrollment } from '../model/enrollment.ts'
import type { Etag, IdScope, RegistrationId } from '../model/identifiers.ts'
import type { Operation, Registration } from '../model/registration.ts'
import type { ListedRevocation, Revocation, RevocationList } from '../model/revocation.ts'
import type { Secret } from '../base/secret.ts'
import type { LinkedHub, ProvisioningService, SharedAccessPolicy } from '../model/service.ts'
import type { Usage } from '../model/usage.ts'

/**
 * Everything that is remembered. Reads see all that was committed; writing is possible only inside `transact`. Every key
 * begins with the ID scope, so that no reader can wander into another tenant.
 */
export interface Store extends Reader, AsyncDisposable {
  /**
   * Run `work`, which notes down its writes, and commit them as one transaction; one without any is a commit too, and so a try
   * whether anything can be written. Settles after the commit is durable. Rejects with Conflict, and with nothing written, if
   * a precondition of one of the writes did not hold; with the Refusal StoreUnavailable, and with nothing promised, if the
   * store cannot write now.
   */
  readonly transact: (work: (writer: Writer) => void) => Promise<void>
}

/** A record was not in the state that the writer had read: it exists, is gone, or has another etag. Read again. */
export class Conflict extends Error {
  override readonly name = 'Conflict'
}

/** A slice of a collection in the order of its keys: up to `limit` records whose key is greater than `after`. */
export interface Slice {
  readonly after: string
  readonly limit: number
}

/** Up to `limit` of what lists revoke, after this one or from the beginning. */
export interface SliceOfListed {
  readonly after?: Pick<ListedRevocation, 'authority' | 'serialNumber' | 'list'>
  readonly limit: number
}

/** Storage root keys that are kept of one device, one of which was proven at most. */
export const rootKeysKept = 4

export interface Reader {
  readonly services: {
    readonly byIdScope: (idScope: string) => Promise<ProvisioningService | undefined>
    readonly byHostName: (hostName: string) => Promise<ProvisioningService | undefined>
    readonly all: () => Promise<readonly ProvisioningService[]>
  }
  readonly policies: {
    /** Policy names are compared without regard to case. */
    readonly get: (idScope: IdScope, keyName: string) => Promise<SharedAccessPolicy | undefined>
    readonly all: (idScope: IdScope) => Promise<readonly SharedAccessPolicy[]>
  }
  readonly linkedHubs: {
    /** In the order of their host names. */
    readonly all: (idScope: IdScope) => Promise<readonly LinkedHub[]>
  }
  readonly caCertificates: {
    readonly get: (idScope: IdScope, name: string) => Promise<CaCertificate | undefined>
    readonly all: (idScope: IdScope) => Promise<readonly CaCertificate[]>
  }
  readonly revocations: {
    /** Whether nothing is revoked at the instance, by hand or by a list, which is quick to ask. */
    readonly none: (idScope: IdScope) => Promise<boolean>
    readonly get: (idScope: IdScope, key: string) => Promise<Revocation | undefined>
    readonly slice: (idScope: IdScope, slice: Slice) => Promise<readonly Revocation[]>
  }
  readonly revocationLists: {
    readonly all: (idScope: IdScope) => Promise<readonly RevocationList[]>
  }
  /** What the imported lists revoke. */
  readonly listedRevocations: {
    /** What the lists say of the certificate of this issuer with this serial number; several may. */
    readonly under: (idScope: IdScope, authority: string, serialNumber: string) => Promise<readonly ListedRevocation[]>
    /** In the order of authority, serial number and list. */
    readonly slice: (idScope: IdScope, slice: SliceOfListed) => Promise<readonly ListedRevocation[]>
    readonly sliceOfList: (idScope: IdScope, list: string, slice: SliceOfListed) => Promise<readonly ListedRevocation[]>
  }
  /** Who may call the control plane and the service operations endpoints, of every instance. */
  readonly accessTokens: {
    readonly get: (id: string) => Promise<AccessToken | undefined>
    readonly all: () => Promise<readonly AccessToken[]>
  }
  readonly tokenIssuers: {
    readonly all: () => Promise<readonly TokenIssuer[]>
  }
  readonly enrollments: {
    readonly get: (idScope: IdScope, registrationId: string) => Promise<IndividualEnrollment | undefined>
    readonly slice: (idScope: IdScope, slice: Slice) => Promise<readonly IndividualEnrollment[]>
    readonly count: (idScope: IdScope) => Promise<number>
    /** Those that hold this certificate (SHA-256, upper-case hex) as primary or secondary. */
    readonly withCertificate: (idScope: IdScope, thumbprint: string) => Promise<readonly IndividualEnrollment[]>
  }
  readonly enrollmentGroups: {
    readonly get: (idScope: IdScope, enrollmentGroupId: string) => Promise<EnrollmentGroup | undefined>
    readonly slice: (idScope: IdScope, slice: Slice) => Promise<readonly EnrollmentGroup[]>
    readonly count: (idScope: IdScope) => Promise<number>
    readonly withCertificate: (idScope: IdScope, thumbprint: string) => Promise<readonly EnrollmentGroup[]>
    /** Those that refer to the CA certificate uploaded under this name. */
    readonly withCaReference: (idScope: IdScope, name: string) => Promise<readonly EnrollmentGroup[]>
    /** Every group with this kind of attestation, in the order of their IDs; there are few. */
    readonly withAttestation: (
      idScope: IdScope,
      type: AttestationMechanism['type'],
    ) => Promise<readonly EnrollmentGroup[]>
  }
  readonly registrations: {
    readonly get: (idScope: IdScope, registrationId: string) => Promise<Registration | undefined>
    readonly count: (idScope: IdScope) => Promise<number>
    readonly sliceOfGroup: (
      idScope: IdScope,
      enrollmentGroupId: string,
      slice: Slice,
    ) => Promise<readonly Registration[]>
    /** Those whose device is assigned to this hub, in the order of their registration IDs. */
    readonly sliceOfHub: (idScope: IdScope, hostName: string, slice: Slice) => Promise<readonly Registration[]>
  }
  readonly operations: {
    /** `id` as a device sent it. */
    readonly get: (idScope: IdScope, id: string) => Promise<Operation | undefined>
    /** Every operation that is still assigning, of every instance: what a restart has to resume. */
    readonly unfinished: () => Promise<readonly Operation[]>
  }
  readonly decisions: {
    /** Those of a registration ID or under a tracking ID, else all; newest first, from before the ID `before` on. */
    readonly find: (
      idScope: IdScope,
      wanted: {
        readonly registrationId?: string | undefined
        readonly trackingId?: string | undefined
        readonly before?: string | undefined
        readonly limit: number
      },
    ) => Promise<readonly KeptDecision[]>
    /** The next ID scope, in the order of text, that has records; also of an instance that is no more. */
    readonly scopeAfter: (idScope: IdScope) => Promise<IdScope | undefined>
  }
  readonly usage: {
    /** From one day to another, both included, in the order of day and kind. */
    readonly between: (idScope: IdScope, from: string, to: string) => Promise<readonly Usage[]>
  }
  readonly rootKeys: {
    /** The storage root keys (TPM2B_PUBLIC) under which this device asked for a challenge lately; the latest first. */
    readonly of: (
      idScope: IdScope,
      registrationId: string,
    ) => Promise<readonly { readonly rootKey: Buffer; readonly proven: boolean }[]>
  }
  readonly keys: {
    /** A secret of the deployment itself, such as the one that TPM nonces are derived from. */
    readonly get: (name: string) => Promise<Secret | undefined>
  }
}

export interface Writer {
  readonly services: {
    /** Conflict if the ID scope is in use, or ever was. */
    readonly create: (service: ProvisioningService) => void
    readonly replace: (service: ProvisioningService) => void
    /** With everything that belongs to it. Its ID scope is never given out again. */
    readonly delete: (idScope: IdScope) => void
  }
  readonly revocations: {
    readonly put: (idScope: IdScope, revocation: Revocation) => void
    readonly delete: (idScope: IdScope, key: string) => void
    /** Everything that came from this source. */
    readonly deleteFrom: (idScope: IdScope, source: string) => void
  }
  readonly revocationLists: {
    readonly put: (idScope: IdScope, list: RevocationList) => void
    readonly delete: (idScope: IdScope, name: string) => void
  }
  readonly listedRevocations: {
    readonly put: (idScope: IdScope, revocation: ListedRevocation) => void
    readonly delete: (
      idScope: IdScope,
      revocation: Pick<ListedRevocation, 'authority' | 'serialNumber' | 'list'>,
    ) => void
    /** All of one list. */
    readonly deleteList: (idScope: IdScope, list: string) => void
  }
  readonly accessTokens: {
    readonly put: (token: AccessToken) => void
    readonly delete: (id: string) => void
  }
  readonly tokenIssuers: {
    readonly put: (issuer: TokenIssuer) => void
    readonly delete: (name: string) => void
  }
  readonly policies: {
    readonly put: (idScope: IdScope, policy: SharedAccessPolicy) => void
    readonly delete: (idScope: IdScope, keyName: string) => void
  }
  readonly linkedHubs: {
    readonly put: (idScope: IdScope, hub: LinkedHub) => void
    readonly delete: (idScope: IdScope, hostName: string) => void
  }
  readonly caCertificates: {
    /** `replaces` is the etag that was read; absent to create. */
    readonly put: (idScope: IdScope, certificate: CaCertificate, replaces?: Etag) => void
    /** Whatever its etag; Conflict unless it has the etag `expected`, where that is given. */
    readonly delete: (idScope: IdScope, name: string, expected?: Etag) => void
  }
  /** Individual enrollments and enrollment groups alike: the record itself says which. */
  readonly enrollments: {
    /** Conflict if it exists. */
    readonly create: (idScope: IdScope, enrollment: Enrollment) => void
    /** Conflict unless the stored record has the etag `replaces`. */
    readonly replace: (idScope: IdScope, enrollment: Enrollment, replaces: Etag) => void
    /** Conflict unless it is there, with its present etag. The root keys of its device go with it. */
    readonly delete: (idScope: IdScope, enrollment: Enrollment) => void
  }
  readonly registrations: {
    /** `replaces` is the etag that was read; absent to create. */
    readonly put: (idScope: IdScope, registration: Registration, replaces?: Etag) => void
    /** Whatever its etag; Conflict if there is none with the etag `expected`, where that is given. */
    readonly delete: (idScope: IdScope, registrationId: RegistrationId, expected?: Etag) => void
  }
  readonly operations: {
    readonly put: (operation: Operation) => void
    /** Forget those that have ended and began before this moment, in milliseconds since 1970. */
    readonly expire: (before: number) => void
  }
  readonly decisions: {
    readonly add: (idScope: IdScope, share: DecisionShare, decision: Decision) => void
    /** Forget what is older than `since` (milliseconds since 1970), and of each share all but the newest of its count. */
    readonly keep: (
      idScope: IdScope,
      bounds: { readonly since: number; readonly counts: ReadonlyMap<DecisionShare, number> },
    ) => void
  }
  readonly usage: {
    /** Add these operations to what was counted. */
    readonly add: (idScope: IdScope, usage: Usage) => void
  }
  readonly rootKeys: {
    /** Presented at this moment (milliseconds since 1970); those beyond `rootKeysKept` are forgotten, a proven one last. */
    readonly put: (idScope: IdScope, registrationId: string, rootKey: Buffer, at: number) => void
    /** The TPM answered a challenge under this one: the others are forgotten. */
    readonly prove: (idScope: IdScope, registrationId: string, rootKey: Buffer, at: number) => void
  }
  readonly keys: {
    readonly create: (name: string, key: Secret) => void
  }
}
