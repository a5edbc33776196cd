import { randomBytes } from 'node:crypto'
import { attestationKind } from '../../src/attestation/attestation-kind.ts'
import { claimOf, type Claim, type Credential } from '../../src/attestation/attestation.ts'
import { Secret } from '../../src/base/secret.ts'
import type { AttestationOffer } from '../../src/main/offers.ts'
import type { AttestationMechanism } from '../../src/model/enrollment.ts'
import type { Members } from '../../src/model/members.ts'
import { Refusal } from '../../src/model/refusal.ts'

/** What an installer reads off the box and types in, once for the operator and once for the device. */
interface PairingCode extends AttestationMechanism {
  readonly type: 'pairingCode'
  readonly code: Secret
}

interface PairingClaim extends Claim {
  readonly of: 'pairingCode'
  readonly code: Secret
}

/** Devices that prove themselves by a pairing code in the body of their request. */
export const pairingCode: AttestationOffer = () =>
  attestationKind<PairingCode>({
    type: 'pairingCode',
    reads: (credential) => sentBy(credential) !== undefined,
    decoy: { type: 'pairingCode', code: new Secret(randomBytes(16)) },
    individual: async ({ credential }, { code }) => {
      if (sentBy(credential)?.code.equals(code)) return { evidence: {} }
      throw new Refusal('TokenSignatureInvalid', 'the pairing code is not the one that is enrolled')
    },
    group: async () => undefined,
    hubCredential: ({ code }) => ({
      type: 'sas',
      primaryKey: new Secret(code.hmac('primary')),
      secondaryKey: new Secret(code.hmac('secondary')),
    }),
    context: () => ({}),
    enrollment: {
      read: (attestation, { stored }) => {
        const given = attestation.object('pairingCode')
        const code = given?.text('code') ? codeOf(given) : stored?.code
        if (code) return { type: 'pairingCode', code }
        throw attestation.refusal('pairingCode.code', 'is required')
      },
      write: ({ code }, secrets) => (secrets ? { code: code.reveal().toString('utf8') } : undefined),
    },
    claim: {
      read: ({ code }) => claimed(new Secret(Buffer.from(String(code)))),
      suppose: (member) => claimed(codeOf(member)),
    },
    state: () => ({ paired: true }),
  })

function sentBy(credential: Credential): PairingClaim | undefined {
  const claim = claimOf(credential)
  return claim && isPairing(claim) ? claim : undefined
}

function isPairing(claim: Claim): claim is PairingClaim {
  return claim.of === 'pairingCode'
}

function claimed(code: Secret): PairingClaim {
  return { of: 'pairingCode', called: 'pairing code', shown: 'a pairing code', refusedAs: 'EnrollmentNotFound', code }
}

function codeOf(member: Members): Secret {
  return new Secret(Buffer.from(member.text('code') ?? ''))
}
