import type { AttestationMechanism, InitialTwin } from './enrollment.ts'
import type { DeviceId, Etag, IdScope, OperationId, RegistrationId } from './identifiers.ts'
import type { Json, JsonObject } from '../base/json.ts'
import type { Timestamp } from '../base/time.ts'

export type Substatus =
  'initialAssignment' | 'deviceDataMigrated' | 'deviceDataReset' | 'reprovisionedToInitialAssignment'

/** A hub and the identity a device has there. */
export interface Assignment {
  readonly assignedHub: string
  readonly deviceId: DeviceId
  readonly substatus: Substatus
}

/**
 * What the service remembers of a device that registered. Written by registering only. An assignment, once made, is kept
 * while later attempts fail or the enrollment is disabled, so that the device can go on from it.
 */
export interface Registration {
  readonly registrationId: RegistrationId
  readonly enrollmentGroupId?: string | undefined
  readonly attestationType: AttestationMechanism['type']
  readonly status: 'assigning' | 'assigned' | 'failed' | 'disabled'
  readonly assignment?: Assignment | undefined
  readonly failure?: Failure | undefined
  /** Begun and not ended: whoever takes up the device's registration finishes it first. */
  readonly placement?: Placement | undefined
  /** From custom allocation. */
  readonly payload?: Json | undefined
  readonly createdDateTimeUtc: Timestamp
  readonly lastUpdatedDateTimeUtc: Timestamp
  readonly etag: Etag
}

/**
 * The taking of a device to a hub, as far as it has come, so that no crash can leave it half done. While `making`, the device
 * belongs where it was and what stands at `to` may be thrown away; from `removing` on it belongs to `to`.
 */
export interface Placement {
  readonly operationId: OperationId
  /** Milliseconds since 1970. */
  readonly since: number
  readonly kind: 'first' | 'reset' | 'move'
  readonly phase: 'making' | 'removing'
  readonly to: Assignment
  /** The hub that loses the device. */
  readonly from?: string
  /** What the device had there: tags, desired and reported properties. */
  readonly twin?: JsonObject | undefined
  /** From custom allocation. */
  readonly initialTwin?: InitialTwin | undefined
  readonly payload?: Json | undefined
}

/** Why a registration ended `failed`, as the device and the operator see it. */
export interface Failure {
  readonly errorCode: number
  readonly errorMessage: string
}

/** One run of the register call, pollable from any connection until it expires. */
export interface Operation {
  readonly id: OperationId
  readonly idScope: IdScope
  readonly registrationId: RegistrationId
  readonly status: 'assigning' | 'assigned' | 'failed' | 'disabled'
  /** The state that a poll is answered with; absent while assigning. */
  readonly result?: OperationResult
  /** What is needed to run the operation to its end after a restart; present only while assigning. */
  readonly resume?: Json | undefined
  readonly createdAt: number
  /** Seconds after which to ask again, where that is not as usual; never stored. */
  readonly retryAfter?: number
}

/** The registration as it was when the operation ended, with what only this operation may show. */
export interface OperationResult {
  readonly registration: Registration
  /** TPM: the hub key wrapped for this device, base64. [device-wire §5.4] */
  readonly authenticationKey?: string | undefined
}
