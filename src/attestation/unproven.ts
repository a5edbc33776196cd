import { Refusal, type RefusalReason } from '../model/refusal.ts'
import type { Credential } from './attestation.ts'

/** The reason as which every failure to prove oneself with such a credential is told. [device-wire §1.6] */
const toldAs: Readonly<Record<Exclude<Credential['kind'], 'claim'>, RefusalReason>> = {
  none: 'CredentialMissing',
  token: 'TokenSignatureInvalid',
  certificate: 'CertificateNotEnrolled',
}

/**
 * The refusal as it may be told to somebody who has proven nothing: with the code and the message that everybody hears who sends
 * such a credential. The reason, its detail and its diagnosis stay, for the operator.
 */
export function unproven({ reason, detail, diagnose }: Refusal, credential: Credential): Refusal {
  const as = credential.kind === 'claim' ? credential.claim.refusedAs : toldAs[credential.kind]
  return new Refusal(reason, detail, { as, diagnose })
}
