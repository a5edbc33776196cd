import type { RefusalReason } from './refusal.ts'

/** The wire that a request came by, as Azure's metrics name it. [service-wire §14.3] */
export type Protocol = 'Http' | 'Mqtt' | 'Amqp'

/** One thing that was looked at on the way to a decision; never holds a secret. */
export type Finding =
  | { readonly step: 'candidate'; readonly enrollment: string; readonly found: string }
  | {
      readonly step: 'allocation'
      readonly policy: string
      readonly candidates: readonly string[]
      readonly chosen: string
    }
  | { readonly step: 'hub'; readonly hub: string; readonly call: string; readonly found: string }
  | { readonly step: 'failure'; readonly reason: RefusalReason; readonly found: string }

/** Why a registration attempt went as it did, for the operator. The device sees only the public error. */
export interface Decision {
  readonly time: number
  readonly trackingId: string
  readonly idScope: string
  readonly registrationId: string
  readonly protocol: Protocol
  /** The SDK as it named itself. */
  readonly userAgent: string
  readonly remoteAddress: string
  readonly attestation: string
  readonly findings: readonly Finding[]
  readonly outcome: 'assigned' | 'assigning' | 'failed' | 'disabled' | 'challenged' | 'refused' | 'fault'
  readonly reason?: RefusalReason
  readonly detail?: string
  readonly assignedHub?: string
  readonly milliseconds: number
}

/** How an attempt ended. */
export type Ending = Pick<Decision, 'outcome' | 'reason' | 'detail' | 'assignedHub'>

/** What is being noted down of one attempt while it goes its way. */
export interface Trail {
  readonly note: (finding: Finding) => void
  /** Tell of the attempt, once. */
  readonly end: (ending: Ending) => void
}
