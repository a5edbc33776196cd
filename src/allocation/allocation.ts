import type { Trail } from '../model/decision.ts'
import type { Enrollment, InitialTwin } from '../model/enrollment.ts'
import type { RegistrationId } from '../model/identifiers.ts'
import type { Json, JsonObject } from '../base/json.ts'
import type { MemberTree } from '../base/member-tree.ts'
import type { Members } from '../model/members.ts'
import type { Registration } from '../model/registration.ts'
import type { AllocationPolicyName, LinkedHub, ProvisioningService } from '../model/service.ts'

/** A device that was attested, as allocation sees it. */
export interface ToAllocate {
  readonly service: ProvisioningService
  readonly registrationId: RegistrationId
  readonly enrollment: Enrollment
  /** What the device proved, as custom allocation is told it. [service-wire §9.3] */
  readonly proof: JsonObject
  readonly payload?: Json | undefined
  readonly remoteAddress: string
  /** What is remembered of the device from before; its assignment, if it has one. */
  readonly registration?: Registration | undefined
  readonly trail: Trail
}

/** The hub a device belongs to, and what a custom policy wants for it besides. */
export interface Choice {
  readonly hub: LinkedHub
  /** What decided, in the operator's words, where the policy alone does not say it. */
  readonly because?: string
  /** False if the same device might be sent elsewhere when it is asked again: nothing but this answer says where it is. */
  readonly repeatable: boolean
  readonly initialTwin?: InitialTwin | undefined
  readonly payload?: Json | undefined
}

/** A member of enrollments that one policy reads. An enrollment that names the policy has to have it; others may. */
export interface PolicyDefinition {
  readonly member: string
  /** Refuses by the member that is wrong. `stored` is what is being replaced: what clients are not shown, they cannot write back. */
  readonly read: (
    definition: Members,
    context: { readonly stored: JsonObject | undefined; readonly allowHttp: boolean },
  ) => JsonObject
  /** As clients see it; what is secret of it only where `secrets` says so. */
  readonly write: (definition: JsonObject, secrets: boolean) => JsonObject
  /** What queries may name of it. */
  readonly queried: MemberTree
}

/**
 * One way of choosing among hubs. `candidates` are linked, permitted by the enrollment, and at least one; a policy that finds
 * none of them fit refuses.
 */
export interface AllocationPolicy {
  readonly name: AllocationPolicyName
  /** False for a policy that may use hubs which were taken out of automatic allocation. [service-wire §9.1] */
  readonly automatic: boolean
  /**
   * Somebody else's code chooses: it is asked at every registration, also of a device that stays where it is, and never by
   * foresight.
   */
  readonly external: boolean
  /** What of an enrollment is this policy's own; absent: nothing. */
  readonly definition?: PolicyDefinition
  readonly choose: (device: ToAllocate, candidates: readonly LinkedHub[]) => Promise<Choice>
}
