import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, mock, test } from 'node:test'
import type { RegistrationId } from '../model/identifiers.ts'
import { createRoot, createSelfSigned } from '../../test/fixtures/certificates.ts'
import { testClocks } from '../../test/fixtures/clocks.ts'
import { newChip } from '../../test/fixtures/tpm-chip.ts'
import type { AttestationMechanism, EnrolledCertificate } from '../model/enrollment.ts'
import { Refusal } from '../model/refusal.ts'
import { Secret } from '../base/secret.ts'
import { openSqliteStore } from '../store/sqlite-store.ts'
import { readCertificate } from '../wire/certificate.ts'
import { signSasToken } from '../wire/sas-token.ts'
import { attest } from './attest.ts'
import { prover, type Provers } from './attestation-kind.ts'
import type { Credential, Presented } from './attestation.ts'
import { failureBudget } from './failure-budget.ts'
import { symmetricKey } from './symmetric-key.ts'
import { tpm } from './tpm.ts'
import { tpmClaim } from './tpm-claim.ts'
import { x509 } from './x509.ts'
import { asEtag, asIdScope, asRegistrationId, asTimestamp } from '../../test/fixtures/identifiers.ts'
import { asPresented } from '../../test/fixtures/shapes.ts'

const directory = mkdtempSync(join(tmpdir(), 'hubward-unproven-'))
const store = openSqliteStore(directory)
after(async () => {
  await store[Symbol.asyncDispose]()
  rmSync(directory, { recursive: true })
})

const idScope = asIdScope('0ne00000001')
const service = {
  idScope,
  name: 's',
  hostNames: [],
  allocationPolicy: 'hashed',
  createdDateTimeUtc: asTimestamp('2026'),
} as const
const secret = (byte: number) => new Secret(Buffer.alloc(32, byte))
const symmetric = { type: 'symmetricKey', primaryKey: secret(1), secondaryKey: secret(2) } as const
const chip = newChip()
const endorsed = { type: 'tpm', endorsementKey: chip.endorsementKey.toString('base64') } as const
const enrolled = await certificateNamed('enrolled')
const pinned = { type: 'x509', of: 'clientCertificates', primary: recordOf(enrolled) } as const
const issuing = { type: 'x509', of: 'signingCertificates', primary: recordOf(await rootNamed('issuer')) } as const

/** What may be enrolled under a name that a stranger guesses. */
const states: Readonly<Record<string, { readonly attestation?: AttestationMechanism; readonly disabled?: boolean }>> = {
  nothing: {},
  member: {},
  'symmetric key': { attestation: symmetric },
  'symmetric key, disabled': { attestation: symmetric, disabled: true },
  certificate: { attestation: pinned },
  'certificate, disabled': { attestation: pinned, disabled: true },
  'certificate, by issuer': { attestation: issuing },
  tpm: { attestation: endorsed },
  'tpm, disabled': { attestation: endorsed, disabled: true },
}
const idOf = (state: string) => asRegistrationId(state.replaceAll(/\W+/g, '-'))

const entry = (attestation: AttestationMechanism, disabled = false) => ({
  attestation,
  provisioningStatus: disabled ? ('disabled' as const) : ('enabled' as const),
  etag: asEtag('e'),
  createdDateTimeUtc: asTimestamp('2026'),
  lastUpdatedDateTimeUtc: asTimestamp('2026'),
})

await store.transact((write) => {
  write.services.create(service)
  for (const [state, { attestation, disabled }] of Object.entries(states)) {
    if (!attestation) continue
    const registrationId = idOf(state)
    write.enrollments.create(idScope, {
      kind: 'individual',
      registrationId: asRegistrationId(registrationId),
      ...entry(attestation, disabled),
    })
  }
})

/** A stranger's credentials; each kind is answered in one way. */
const credentials: Readonly<Record<string, (registrationId: RegistrationId) => Promise<Credential>>> = {
  token: async (registrationId) => ({ kind: 'token', token: falseToken(registrationId) }),
  'token and TPM keys': async (registrationId) => {
    return { kind: 'token', token: falseToken(registrationId), claim: tpmClaim(newChip()) }
  },
  'TPM keys': async () => ({ kind: 'claim', claim: tpmClaim(newChip()) }),
  'self-signed certificate': async (registrationId) => {
    return { kind: 'certificate', chain: [(await certificateNamed(registrationId)).raw] }
  },
}

for (const [kind, credentialFor] of Object.entries(credentials)) {
  for (const groups of ['without groups', 'with groups']) {
    test(`a stranger's ${kind} is answered alike, after the same work, whatever is enrolled, ${groups}`, async () => {
      if (groups === 'with groups') await enrollGroups()
      const told = new Map<string, string>()
      for (const state of Object.keys(states)) {
        const credential = await credentialFor(idOf(state))
        const { refusal, hmacs } = await refused(idOf(state), credential, kinds(1_000_000))
        const { errorCode, publicMessage, retryAfter, info } = refusal
        told.set(state, JSON.stringify({ errorCode, publicMessage, retryAfter, info, hmacs }))
      }
      assert.equal(new Set(told.values()).size, 1, JSON.stringify([...told], undefined, 1))
    })
  }
}

test('the operator is told what the stranger is not', async () => {
  const reasons = await Promise.all(
    Object.keys(states).map(async (state) => {
      const credential = { kind: 'token', token: falseToken(idOf(state)) } as const
      return (await refused(idOf(state), credential, kinds(1_000_000))).refusal.reason
    }),
  )
  assert.deepEqual([...new Set(reasons)].toSorted(), [
    'AttestationTypeMismatch',
    'NonceInvalid',
    'TokenSignatureInvalid',
  ])
})

test('beyond the budget, a guessed name is answered 429 whatever is enrolled, and what is enrolled goes on', async () => {
  const poor = kinds(100)
  const answers = new Set<string>()
  for (let round = 0; round < 60; round++) {
    for (const state of Object.keys(states)) {
      const credential = { kind: 'token', token: falseToken(idOf(state)) } as const
      const { refusal } = await refused(idOf(state), credential, poor)
      if (round === 59) answers.add(`${refusal.errorCode} ${refusal.publicMessage}`)
    }
  }
  assert.deepEqual([...answers], ['429001 Operations are being throttled for this tenant.'])
  const own = { kind: 'token', token: tokenBy(symmetric.primaryKey, idOf('symmetric key')) } as const
  assert.equal((await attest(presented(idOf('symmetric key'), own), poor, store)).is, 'attested')
  const derived = new Secret(secret(100).hmac('member'))
  const member = { kind: 'token', token: tokenBy(derived, asRegistrationId('member')) } as const
  assert.equal(
    (await attest(presented(asRegistrationId('member'), member), poor, store)).is,
    'attested',
    'its registration is known',
  )
})

function kinds(trialsPerSecond: number): Provers {
  const time = testClocks(Date.now())
  const budget = failureBudget(trialsPerSecond, time.monotonic)
  return {
    symmetricKey: prover(symmetricKey(store, time.clock, budget)),
    x509: prover(x509(store, time.clock, { dates: 'enforce', admits: new Set(), revocation: 'listed' })),
    tpm: prover(tpm(store, time, secret(9), budget)),
  }
}

/** Groups of both kinds, and a device of one that has registered. */
async function enrollGroups(): Promise<void> {
  if ((await store.enrollmentGroups.count(idScope)) > 0) return
  await store.transact((write) => {
    for (let index = 0; index < 5; index++) {
      const attestation = {
        type: 'symmetricKey',
        primaryKey: secret(100 + index),
        secondaryKey: secret(200 + index),
      } as const
      write.enrollments.create(idScope, { kind: 'group', enrollmentGroupId: `g-${index}`, ...entry(attestation) })
    }
    write.enrollments.create(idScope, { kind: 'group', enrollmentGroupId: 'issued', ...entry(issuing) })
    write.registrations.put(idScope, {
      registrationId: asRegistrationId('member'),
      enrollmentGroupId: 'g-0',
      attestationType: 'symmetricKey',
      status: 'assigned',
      createdDateTimeUtc: asTimestamp('2026'),
      lastUpdatedDateTimeUtc: asTimestamp('2026'),
      etag: asEtag('e'),
    })
  })
}

async function refused(registrationId: RegistrationId, credential: Credential, offered: Provers) {
  const counted = mock.method(Secret.prototype, 'hmac')
  try {
    await attest(presented(registrationId, credential), offered, store)
  } catch (error) {
    assert.ok(error instanceof Refusal, String(error))
    return { refusal: error, hmacs: counted.mock.callCount() }
  } finally {
    counted.mock.restore()
  }
  throw new Error(`${registrationId} was let in`)
}

function presented(registrationId: RegistrationId, credential: Credential): Presented {
  return asPresented({
    service,
    registrationId,
    credential,
    apiVersion: '2021-06-01',
    protocol: 'Http',
    trackingId: 't',
    remoteAddress: '192.0.2.1',
    trail: { note: () => {}, end: () => {} },
  })
}

function falseToken(registrationId: RegistrationId): string {
  return tokenBy(secret(250), registrationId)
}

function tokenBy(key: Secret, registrationId: RegistrationId): string {
  return signSasToken(`${idScope}/registrations/${registrationId}`, key, 4_000_000_000, 'registration')
}

async function certificateNamed(name: string): Promise<X509Certificate> {
  return new X509Certificate((await createSelfSigned(name)).certificate)
}

async function rootNamed(name: string): Promise<X509Certificate> {
  return new X509Certificate((await createRoot(name)).certificate)
}

function recordOf({ raw }: X509Certificate): EnrolledCertificate {
  const record = readCertificate(raw)
  assert.ok(record)
  return record
}
