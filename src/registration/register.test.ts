import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { RegistrationId } from '../model/identifiers.ts'
import { memoryHub, type MemoryHub } from '../../test/fixtures/memory-hub.ts'
import { evenlyWeighted } from '../allocation/evenly-weighted.ts'
import { prover } from '../attestation/attestation-kind.ts'
import { nameOf, type Credential } from '../attestation/attestation.ts'
import { unlimitedBudget } from '../attestation/failure-budget.ts'
import { symmetricKey } from '../attestation/symmetric-key.ts'
import { tpmClaim } from '../attestation/tpm-claim.ts'
import type { Decision } from '../model/decision.ts'
import type { AttestationMechanism, IndividualEnrollment } from '../model/enrollment.ts'
import { Refusal } from '../model/refusal.ts'
import { Secret } from '../base/secret.ts'
import { openSqliteStore } from '../store/sqlite-store.ts'
import type { Store } from '../store/store.ts'
import { signSasToken } from '../wire/sas-token.ts'
import { registrar, type Registrar } from './registrar.ts'
import { asEtag, asIdScope, asRegistrationId, asTimestamp } from '../../test/fixtures/identifiers.ts'

const idScope = asIdScope('0ne00000001')
const key = new Secret(Buffer.alloc(32, 7))
const sas: AttestationMechanism = { type: 'symmetricKey', primaryKey: key, secondaryKey: key }

/** A service with one hub in memory, whose steps are told. */
interface Service {
  readonly store: Store
  readonly hub: MemoryHub
  readonly told: string[]
  readonly decisions: Decision[]
  readonly register: (registrationId: RegistrationId, credential?: Credential) => ReturnType<Registrar['register']>
}

test('a device is admitted, attested, planned for and placed, and its record and its end are written together', () =>
  within({}, async ({ store, hub, told, decisions, register }) => {
    await enroll(store, asRegistrationId('pump'), sas)
    const answer = await register(asRegistrationId('pump'))
    assert.ok('operation' in answer)
    assert.equal(answer.operation.status, 'assigned')
    assert.deepEqual(told, ['begun', 'made', 'placed', 'ended'])
    assert.ok(hub.devices.has('pump'))
    const registration = await store.registrations.get(idScope, 'pump')
    assert.equal(registration?.assignment?.assignedHub, 'a.example')
    assert.equal((await store.operations.get(idScope, answer.operation.id))?.status, 'assigned')
    assert.deepEqual(
      decisions.map(({ outcome }) => outcome),
      ['assigned'],
    )
  }))

test('who is refused has asked no hub, and leaves a record of the attempt and none of a registration', () =>
  within({}, async ({ store, hub, decisions, register }) => {
    await enroll(store, asRegistrationId('pump'), sas)
    await assert.rejects(register(asRegistrationId('pump'), { kind: 'none' }), { reason: 'CredentialMissing' })
    await assert.rejects(register(asRegistrationId('nobody')), { reason: 'EnrollmentNotFound' })
    assert.deepEqual(hub.calls, [])
    assert.equal(await store.registrations.get(idScope, 'pump'), undefined)
    assert.deepEqual(
      decisions.map(({ outcome, reason }) => [outcome, reason]),
      [
        ['refused', 'CredentialMissing'],
        ['refused', 'EnrollmentNotFound'],
      ],
    )
  }))

test('a challenge is issued only once there is a hub for the device: taking it up costs the device its key', () =>
  within({ tpm: true }, async ({ store, told, register }) => {
    await enroll(store, asRegistrationId('board'), { type: 'tpm', endorsementKey: '' })
    assert.ok('challenge' in (await register(asRegistrationId('board'), chip)))
    assert.deepEqual(told, ['challenge'])
    await store.transact((write) => write.linkedHubs.delete(idScope, 'a.example'))
    await assert.rejects(register(asRegistrationId('board'), chip), { reason: 'NoHubLinked' })
    assert.deepEqual(told, ['challenge'], 'no second challenge')
  }))

test('a disabled device is told so before a hub is asked, and keeps what it had', () =>
  within({}, async ({ store, hub, register }) => {
    await enroll(store, asRegistrationId('pump'), sas)
    await register(asRegistrationId('pump'))
    const calls = hub.calls.length
    const stored = (await store.enrollments.get(idScope, 'pump'))!
    await store.transact((write) =>
      write.enrollments.replace(idScope, { ...stored, provisioningStatus: 'disabled', etag: asEtag('f') }, stored.etag),
    )
    const answer = await register(asRegistrationId('pump'))
    assert.ok('operation' in answer && answer.operation.status === 'disabled' && answer.operation.id === '')
    assert.equal(hub.calls.length, calls)
    const registration = await store.registrations.get(idScope, 'pump')
    assert.deepEqual([registration?.status, registration?.assignment?.assignedHub], ['disabled', 'a.example'])
  }))

test('a hub that refuses ends the operation as failed, in the answer and in the record', () =>
  within({}, async ({ store, hub, decisions, register }) => {
    await enroll(store, asRegistrationId('pump'), sas)
    const refuses = async (): Promise<never> => {
      throw new Refusal('HubUnauthorized', 'the key is wrong')
    }
    Object.assign(hub, { create: refuses })
    const answer = await register(asRegistrationId('pump'))
    assert.ok('operation' in answer)
    const { status, result } = answer.operation
    assert.deepEqual([status, result?.registration.failure?.errorCode], ['failed', 400209])
    assert.equal((await store.registrations.get(idScope, 'pump'))?.assignment, undefined)
    assert.deepEqual([decisions[0]?.outcome, decisions[0]?.reason], ['failed', 'HubUnauthorized'])
  }))

test('a registration that somebody else wrote meanwhile is planned again, and nothing is written over it', () =>
  within({}, async ({ store, hub, register }) => {
    await enroll(store, asRegistrationId('pump'), sas)
    await register(asRegistrationId('pump'))
    let disturbed = 0
    const { device } = hub
    Object.assign(hub, {
      device: async (id: string) => {
        const before = (await store.registrations.get(idScope, id))!
        if (disturbed++ === 0)
          await store.transact((write) =>
            write.registrations.put(idScope, { ...before, payload: 'theirs', etag: asEtag('theirs') }, before.etag),
          )
        return device(id)
      },
    })
    const answer = await register(asRegistrationId('pump'))
    assert.ok('operation' in answer && answer.operation.status === 'assigned')
    assert.equal(disturbed, 2, 'the whole of it was run again')
  }))

const chip: Credential = {
  kind: 'claim',
  claim: tpmClaim({ endorsementKey: Buffer.alloc(1), storageRootKey: Buffer.alloc(1) }),
}

async function within({ tpm = false }, work: (service: Service) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'hubward-register-'))
  {
    await using store = openSqliteStore(directory)
    await store.transact((write) => {
      write.services.create({
        idScope,
        name: 's',
        hostNames: ['s'],
        allocationPolicy: 'hashed',
        createdDateTimeUtc: asTimestamp('2031'),
      })
      write.linkedHubs.put(idScope, {
        hostName: 'a.example',
        keyName: 'owner',
        key,
        location: 'here',
        allocationWeight: 1,
        applyAllocationPolicy: true,
      })
    })
    const hub = memoryHub('a.example')
    const told: string[] = []
    const decisions: Decision[] = []
    const one = registrar({
      store,
      attestation: tpm
        ? { tpm: prover(challenging(told)) }
        : { symmetricKey: prover(symmetricKey(store, Date.now, unlimitedBudget)) },
      allocation: { policies: { hashed: evenlyWeighted }, broken: () => undefined },
      hubs: () => hub,
      patience: 5000,
      clock: Date.now,
      monotonic: Date.now,
      shortWait: 20_000,
      onStep: (step) => void told.push(step),
      onDecision: (decision) => decisions.push(decision),
      onFault: (fault) => assert.fail(String(fault)),
    })
    await work({
      store,
      hub,
      told,
      decisions,
      register: (registrationId, credential = tokenFor(registrationId)) =>
        one.register({
          idScope,
          registrationId,
          apiVersion: '2021-06-01',
          credential,
          protocol: 'Http',
          userAgent: '',
          remoteAddress: '127.0.0.1',
          trackingId: 't',
        }),
    })
    await one.idle()
  }
  await rm(directory, { recursive: true })
}

/** A kind that challenges whoever asks, and tells that it did. */
function challenging(told: string[]) {
  const challenge = async () => {
    told.push('challenge')
    return { authenticationKey: '', keyName: 'registration' } as const
  }
  return {
    type: 'tpm',
    decoy: { type: 'tpm', endorsementKey: '' },
    reads: (credential: Credential) => nameOf(credential) === 'tpm',
    individual: async () => ({ challenge }),
    group: async () => undefined,
    hubCredential: () => ({ type: 'hubKey' }) as const,
    context: () => ({}),
  } as const
}

function tokenFor(registrationId: RegistrationId): Credential {
  const token = signSasToken(`${idScope}/registrations/${registrationId}`, key, 4_000_000_000, 'registration')
  return { kind: 'token', token }
}

async function enroll(store: Store, registrationId: RegistrationId, attestation: AttestationMechanism): Promise<void> {
  const enrollment: IndividualEnrollment = {
    kind: 'individual',
    registrationId,
    attestation,
    provisioningStatus: 'enabled',
    etag: asEtag('e'),
    createdDateTimeUtc: asTimestamp('2031'),
    lastUpdatedDateTimeUtc: asTimestamp('2031'),
  }
  await store.transact((write) => write.enrollments.create(idScope, enrollment))
}
