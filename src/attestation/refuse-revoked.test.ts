import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { testClocks } from '../../test/fixtures/clocks.ts'
import { Secret } from '../base/secret.ts'
import type { IndividualEnrollment } from '../model/enrollment.ts'
import { newEtag } from '../model/identifiers.ts'
import { Refusal } from '../model/refusal.ts'
import { revocationKey, type RevokedSubject } from '../model/revocation.ts'
import { timestamp } from '../base/time.ts'
import { openSqliteStore } from '../store/sqlite-store.ts'
import { prover } from './attestation-kind.ts'
import type { Presented } from './attestation.ts'
import { unlimitedBudget } from './failure-budget.ts'
import { refuseRevoked } from './refuse-revoked.ts'
import { tpm } from './tpm.ts'
import { asIdScope, asRegistrationId } from '../../test/fixtures/identifiers.ts'
import { asPresented } from '../../test/fixtures/shapes.ts'

const now = timestamp(1_900_000_000_000)
const endorsementKey = Buffer.alloc(60, 7).toString('base64')
const presented: Presented = asPresented({
  service: { idScope: asIdScope('0ne'), name: 'x', hostNames: [], allocationPolicy: 'hashed', createdDateTimeUtc: now },
  registrationId: asRegistrationId('Pump-1'),
  credential: { kind: 'token', token: '' },
  apiVersion: '2021-06-01',
  protocol: 'Http',
  trackingId: 't',
  remoteAddress: '127.0.0.1',
  trail: { note: () => {}, end: () => {} },
})
const enrollment: IndividualEnrollment = {
  kind: 'individual',
  registrationId: asRegistrationId('Pump-1'),
  attestation: { type: 'tpm', endorsementKey },
  provisioningStatus: 'enabled',
  etag: newEtag(),
  createdDateTimeUtc: now,
  lastUpdatedDateTimeUtc: now,
}

const cases: readonly [what: string, subject: RevokedSubject, reason: string | undefined][] = [
  ['its registration ID, in any spelling', { registrationId: 'pUMP-1' }, 'RegistrationRevoked'],
  ['its endorsement key', { endorsementKey }, 'EndorsementKeyRevoked'],
  ['another registration ID', { registrationId: 'pump-2' }, undefined],
  ['another endorsement key', { endorsementKey: Buffer.alloc(60, 8).toString('base64') }, undefined],
]

for (const [what, subject, reason] of cases) {
  test(`a TPM is ${reason ? 'refused' : 'let in'} when ${what} was revoked`, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'hubward-revocation-'))
    await using store = openSqliteStore(folder)
    const provers = { tpm: prover(tpm(store, testClocks(0), new Secret(Buffer.alloc(32)), unlimitedBudget)) }
    const key = revocationKey(subject)
    const revocation = { key, subject, reason: 'stolen', source: 'operator', createdDateTimeUtc: now }
    await store.transact((write) => write.revocations.put(asIdScope('0ne'), revocation))
    const asked = refuseRevoked(presented, enrollment, { evidence: {} }, provers, store)
    if (reason) await assert.rejects(asked, (error) => error instanceof Refusal && error.reason === reason)
    else await asked
    rmSync(folder, { recursive: true })
  })
}
