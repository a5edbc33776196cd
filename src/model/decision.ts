import { printable } from '../base/printable.ts'
import type { Diagnosis, RefusalReason } from './refusal.ts'

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
      /** What decided, where the policy alone does not say it. */
      readonly because?: string
    }
  | {
      readonly step: 'hub'
      readonly hub: string
      readonly call: string
      readonly found: string
      readonly milliseconds?: number
    }
  | {
      readonly step: 'custom'
      /** The webhook without its query, or the module. */
      readonly asked: string
      readonly found: string
      readonly milliseconds: number
    }
  /** It was one too many at that moment, and waited for its turn. */
  | { readonly step: 'queued'; readonly milliseconds: number }
  | { readonly step: 'attested'; readonly enrollment: string; readonly milliseconds: number }
  /** It was let through, though not as it should be. */
  | { readonly step: 'warning'; readonly found: string }
  | { readonly step: 'failure'; readonly reason: RefusalReason; readonly found: string }
  /** There was more to look at than is kept. */
  | { readonly step: 'overlooked'; readonly count: number }

/** The longest that any text from a device may be in a record, in characters. */
export const longestDecisionText = 1000

/**
 * Whom an attempt is of: a device whose proof was accepted; one that is known by its registration ID, with an enrollment or a
 * registration of its own, whoever it was that used the ID; or anybody. Each has a share of its own of what is kept.
 */
export const shares = ['accepted', 'known', 'stranger'] as const
export type DecisionShare = (typeof shares)[number]

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
  /** What was wanted, where it was not to register. */
  readonly asked?: 'connect' | 'poll' | 'lookup' | 'use its hub'
  readonly attestation: string
  /** The proof as it was sent, told without what is secret of it; absent where an earlier run took it. */
  readonly presented?: string | undefined
  readonly findings: readonly Finding[]
  readonly outcome: 'assigned' | 'assigning' | 'failed' | 'disabled' | 'challenged' | 'refused' | 'fault'
  /** The first check that failed, whether it refused the attempt or ended its operation. */
  readonly reason?: RefusalReason | undefined
  /** What was expected and what was found. */
  readonly detail?: string | undefined
  readonly assignedHub?: string | undefined
  readonly milliseconds: number
  /** More attempts that ended so shortly before, and were counted only. */
  readonly alike?: number
}

/** A decision of which more could be found out: whoever tells of it asks for the diagnosis, or leaves it. */
export interface Undiagnosed extends Decision {
  readonly diagnose?: Diagnosis | undefined
}

/** The decision with what its diagnosis found at the end of its detail. */
export async function diagnosed({ diagnose, ...decision }: Undiagnosed): Promise<Decision> {
  const found = await diagnose?.()
  if (found === undefined) return decision
  return { ...decision, detail: printable(`${decision.detail}; ${found}`.slice(0, longestDecisionText)) }
}

/** How an attempt ended. */
export type Ending = Pick<Undiagnosed, 'outcome' | 'reason' | 'detail' | 'assignedHub' | 'diagnose'>

/** What is being noted down of one attempt while it goes its way. */
export interface Trail {
  readonly note: (finding: Finding) => void
  /** Tell of the attempt, once. */
  readonly end: (ending: Ending) => void
}

/** A decision as it is kept: `id` sorts by time, and is what the next page begins after. */
export interface KeptDecision {
  readonly id: string
  readonly decision: Decision
}
