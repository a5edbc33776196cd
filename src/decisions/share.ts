import type { Decision, DecisionShare, Undiagnosed } from '../model/decision.ts'
import { isRegistrationId, noIdScope, type IdScope } from '../model/identifiers.ts'
import type { Reader } from '../store/store.ts'

/** A decision, the instance whose record it is, and its share there. */
export interface Shared {
  readonly of: IdScope
  readonly share: DecisionShare
  readonly decision: Undiagnosed
}

/** Records of attempts at an ID scope that nobody has: strangers can fill this much, and no instance's share. */
export const unattributed: IdScope = noIdScope

/** True if the proof was accepted, whatever became of the attempt then. Nothing has to be read for it. */
export function wasAccepted({ findings, outcome, attestation }: Decision): boolean {
  if (outcome === 'challenged') return false
  return attestation === '(resumed)' || findings.some(({ step }) => step === 'attested')
}

/** Whose a decision is that was accepted: the instance that it asked for, which was found when it was admitted. */
export function acceptedDecision(decision: Decision): Shared {
  return { of: decision.idScope as IdScope, share: 'accepted', decision }
}

/** Find out whose a decision is that was not accepted. */
export async function sharedDecision(decision: Undiagnosed, store: Reader): Promise<Shared> {
  const { idScope, registrationId } = decision
  const service = await store.services.byIdScope(idScope)
  if (!service) return { of: unattributed, share: 'stranger', decision }
  const share = (await isKnown(service.idScope, registrationId, store)) ? 'known' : 'stranger'
  return { of: service.idScope, share, decision }
}

async function isKnown(idScope: IdScope, registrationId: string, store: Reader): Promise<boolean> {
  if (!isRegistrationId(registrationId)) return false
  return (
    (await store.enrollments.get(idScope, registrationId)) !== undefined ||
    (await store.registrations.get(idScope, registrationId)) !== undefined
  )
}
