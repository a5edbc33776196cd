import type { Etag, IdScope } from './identifiers.ts'
import type { NetworkRules } from './ip-filter.ts'
import type { Limits } from './limits.ts'
import type { Secret } from '../base/secret.ts'
import type { Timestamp } from '../base/time.ts'

/** One provisioning service instance: a tenant. Its ID scope is the key of everything that belongs to it. */
export interface ProvisioningService extends NetworkRules {
  readonly idScope: IdScope
  readonly name: string
  /** Host names under which its service operations endpoint answers, lower case. */
  readonly hostNames: readonly string[]
  readonly allocationPolicy: ServiceAllocationPolicy
  readonly createdDateTimeUtc: Timestamp
  /** Shared access signatures are refused at the service operations endpoint; only bearer tokens are believed. */
  readonly disableLocalAuth?: boolean
  /** Its own limits, over those of the deployment. */
  readonly limits?: Partial<Limits>
  /** Where the resource manager's clients find the instance; absent at one that was made before there was a control plane. */
  readonly resource?: ServiceResource
}

/** What the resource manager keeps of an instance beside what the service itself needs. [service-wire §8.1] */
export interface ServiceResource {
  readonly subscriptionId: string
  readonly resourceGroup: string
  readonly location: string
  readonly tags: Readonly<Record<string, string>>
  readonly capacity: number
  readonly etag: Etag
}

/** The name of a policy, as enrollments spell it. */
export type AllocationPolicyName = string

/** What an instance may go by where an enrollment says nothing; other policies exist at enrollments only. [service-wire §8.1] */
export type ServiceAllocationPolicy = 'hashed' | 'geoLatency' | 'static'

/** What a policy's holder may do. `EnrollmentWrite` contains the two reads below it. [service-wire §1.4] */
export type SharedAccessRight =
  | 'ServiceConfig'
  | 'EnrollmentRead'
  | 'EnrollmentWrite'
  | 'DeviceConnect'
  | 'RegistrationStatusRead'
  | 'RegistrationStatusWrite'

/** A named pair of keys with rights on the service operations endpoint. */
export interface SharedAccessPolicy {
  readonly keyName: string
  readonly primaryKey: Secret
  readonly secondaryKey: Secret
  readonly rights: readonly SharedAccessRight[]
}

/** An IoT hub to which this instance may assign devices. */
export interface LinkedHub {
  /** The spelling that devices are given as `assignedHub`; compared without regard to case. */
  readonly hostName: string
  readonly keyName: string
  readonly key: Secret
  /** The key before it, which is tried where the hub refuses the present one, so that a rotation refuses no device. */
  readonly previousKey?: Secret | undefined
  readonly location: string
  /** 0 to 1000; a hub of weight 0 gets a device by hash only where all have it. */
  readonly allocationWeight: number
  /** False takes the hub out of automatic allocation, even if an enrollment names it. */
  readonly applyAllocationPolicy: boolean
}

/** Whether the link is to the hub of this name. */
export function isHub({ hostName }: Pick<LinkedHub, 'hostName'>, name: string | undefined): boolean {
  return hostName.toLowerCase() === name?.toLowerCase()
}
