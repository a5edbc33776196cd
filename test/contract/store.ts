import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Decision, KeptDecision } from '../../src/model/decision.ts'
import type { EnrollmentGroup, IndividualEnrollment } from '../../src/model/enrollment.ts'
import {
  deviceIdOf,
  newEtag,
  type IdScope,
  type OperationId,
  type RegistrationId,
} from '../../src/model/identifiers.ts'
import type { Operation, Registration } from '../../src/model/registration.ts'
import { Secret } from '../../src/base/secret.ts'
import { timestamp } from '../../src/base/time.ts'
import { Conflict, type Store } from '../../src/store/store.ts'
import { asDeviceId, asEtag, asIdScope, asOperationId, asRegistrationId } from '../fixtures/identifiers.ts'

const idScope = asIdScope('0ne00000001')
const now = timestamp(1_900_000_000_000)
const entry = { provisioningStatus: 'enabled', createdDateTimeUtc: now, lastUpdatedDateTimeUtc: now } as const
const key = (byte: number) => new Secret(Buffer.alloc(32, byte))

const individual = (
  registrationId: RegistrationId,
  more: Partial<IndividualEnrollment> = {},
): IndividualEnrollment => ({
  ...entry,
  kind: 'individual',
  registrationId,
  attestation: { type: 'symmetricKey', primaryKey: key(1), secondaryKey: key(2) },
  etag: newEtag(),
  ...more,
})

const group = (enrollmentGroupId: string, more: Partial<EnrollmentGroup> = {}): EnrollmentGroup => ({
  ...entry,
  kind: 'group',
  enrollmentGroupId,
  attestation: { type: 'symmetricKey', primaryKey: key(3), secondaryKey: key(4) },
  etag: newEtag(),
  ...more,
})

const certificate = (sha256Thumbprint: string) => ({
  der: 'MIIB',
  info: {
    subjectName: 'CN=x',
    sha1Thumbprint: 'AA',
    sha256Thumbprint,
    issuerName: 'CN=y',
    notBeforeUtc: '2030-01-01T00:00:00Z',
    notAfterUtc: '2031-01-01T00:00:00Z',
    serialNumber: '01',
    version: 3,
  },
})

const registration = (registrationId: RegistrationId, more: Partial<Registration> = {}): Registration => ({
  registrationId,
  attestationType: 'symmetricKey',
  status: 'assigned',
  assignment: { assignedHub: 'Hub-A.example', deviceId: deviceIdOf(registrationId), substatus: 'initialAssignment' },
  createdDateTimeUtc: now,
  lastUpdatedDateTimeUtc: now,
  etag: newEtag(),
  ...more,
})

const decision = (registrationId: RegistrationId, time: number): Decision => ({
  time,
  trackingId: `at-${time}`,
  idScope,
  registrationId,
  protocol: 'Http',
  userAgent: 'test',
  remoteAddress: '127.0.0.1',
  attestation: 'token',
  findings: [],
  outcome: 'assigned',
  milliseconds: 1,
})

/** What every store promises. `reopen` gives a new store over what the last one left behind. */
export function storeContract(
  name: string,
  open: () => Promise<Store>,
  reopen: (store: Store) => Promise<Store>,
): void {
  const promise = (what: string, prove: (store: Store) => Promise<void>) =>
    test(`${name}: ${what}`, async () => {
      await using store = await open()
      await prove(store)
    })

  promise('an enrollment is found under any spelling of its ID, with its keys', async (store) => {
    const enrollment = individual(asRegistrationId('Pump-17'))
    await store.transact((write) => write.enrollments.create(idScope, enrollment))
    const found = await store.enrollments.get(idScope, 'pUMP-17')
    assert.equal(found?.registrationId, 'Pump-17')
    const { primaryKey, secondaryKey } = found.attestation
    assert.ok(primaryKey instanceof Secret && primaryKey.equals(key(1)))
    assert.ok(secondaryKey instanceof Secret && secondaryKey.equals(key(2)))
  })

  promise('the secrets of a kind that the store has never heard of are kept where they stood', async (store) => {
    const attestation = { type: 'unheard-of', codes: [{ code: key(3), 'made/for': 'a' }, '[secret]'] }
    await store.transact((write) =>
      write.enrollments.create(idScope, { ...individual(asRegistrationId('Pump-18')), attestation }),
    )
    const found = await store.enrollments.get(idScope, asRegistrationId('Pump-18'))
    assert.ok(found)
    const [{ code }, text] = found.attestation['codes'] as [{ code: unknown }, string]
    assert.ok(code instanceof Secret && code.equals(key(3)))
    assert.equal(text, '[secret]')
  })

  promise('nothing of one tenant is seen by another', async (store) => {
    await store.transact((write) => {
      write.enrollments.create(idScope, individual(asRegistrationId('a')))
      write.enrollments.create(idScope, group('g'))
      write.registrations.put(idScope, registration(asRegistrationId('a'), { enrollmentGroupId: 'g' }))
      write.operations.put({
        id: asOperationId('5.1'),
        idScope,
        registrationId: asRegistrationId('a'),
        status: 'assigning',
        createdAt: 1,
      })
    })
    const other = asIdScope('0ne00000002')
    assert.equal(await store.enrollments.get(other, 'a'), undefined)
    assert.equal(await store.enrollmentGroups.get(other, 'g'), undefined)
    assert.deepEqual(await store.enrollmentGroups.withAttestation(other, 'symmetricKey'), [])
    assert.equal(await store.registrations.get(other, 'a'), undefined)
    assert.deepEqual(await store.registrations.sliceOfGroup(other, 'g', { after: '', limit: 9 }), [])
    assert.equal(await store.operations.get(other, '5.1'), undefined)
    assert.equal(await store.enrollments.count(other), 0)
  })

  promise('an individual enrollment and a group may share an ID', async (store) => {
    await store.transact((write) => {
      write.enrollments.create(idScope, individual(asRegistrationId('same')))
      write.enrollments.create(idScope, group('same'))
    })
    assert.equal((await store.enrollments.get(idScope, 'same'))?.kind, 'individual')
    assert.equal((await store.enrollmentGroups.get(idScope, 'same'))?.kind, 'group')
  })

  promise('creating what exists, in any spelling, is a conflict and changes nothing', async (store) => {
    await store.transact((write) => write.enrollments.create(idScope, individual(asRegistrationId('Pump'))))
    const again = store.transact((write) => {
      write.enrollments.create(idScope, individual(asRegistrationId('other')))
      write.enrollments.create(idScope, individual(asRegistrationId('pump'), { provisioningStatus: 'disabled' }))
    })
    await assert.rejects(again, Conflict)
    assert.equal((await store.enrollments.get(idScope, 'pump'))?.provisioningStatus, 'enabled')
    assert.equal(await store.enrollments.get(idScope, 'other'), undefined, 'the transaction is all or nothing')
  })

  promise('replacing and deleting ask for the etag that was read', async (store) => {
    const first = individual(asRegistrationId('a'))
    const second = individual(asRegistrationId('a'), { provisioningStatus: 'disabled' })
    await store.transact((write) => write.enrollments.create(idScope, first))
    await store.transact((write) => write.enrollments.replace(idScope, second, first.etag))
    assert.equal((await store.enrollments.get(idScope, 'a'))?.provisioningStatus, 'disabled')
    await assert.rejects(
      store.transact((write) => write.enrollments.replace(idScope, first, first.etag)),
      Conflict,
    )
    await assert.rejects(
      store.transact((write) => write.enrollments.delete(idScope, first)),
      Conflict,
    )
    await store.transact((write) => write.enrollments.delete(idScope, second))
    assert.equal(await store.enrollments.get(idScope, 'a'), undefined)
  })

  promise('of many writers of one record at one moment exactly one wins', async (store) => {
    const outcomes = await Promise.allSettled(
      Array.from({ length: 20 }, () =>
        store.transact((write) => write.enrollments.create(idScope, individual(asRegistrationId('one')))),
      ),
    )
    assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1)
    assert.equal(await store.enrollments.count(idScope), 1)
  })

  promise('enrollments are found by primary and secondary certificate, and groups by CA reference', async (store) => {
    await store.transact((write) => {
      write.enrollments.create(
        idScope,
        individual(asRegistrationId('leaf'), {
          attestation: {
            type: 'x509',
            of: 'clientCertificates',
            primary: certificate('A1'),
            secondary: certificate('B2'),
          },
        }),
      )
      write.enrollments.create(
        idScope,
        group('ca', { attestation: { type: 'x509', of: 'signingCertificates', secondary: certificate('C3') } }),
      )
      write.enrollments.create(
        idScope,
        group('ref', { attestation: { type: 'x509', of: 'caReferences', primary: 'Root-1' } }),
      )
    })
    const names = (found: readonly { registrationId?: RegistrationId; enrollmentGroupId?: string }[]) =>
      found.map(({ registrationId, enrollmentGroupId }) => registrationId ?? enrollmentGroupId)
    assert.deepEqual(names(await store.enrollments.withCertificate(idScope, 'A1')), ['leaf'])
    assert.deepEqual(names(await store.enrollments.withCertificate(idScope, 'B2')), ['leaf'])
    assert.deepEqual(names(await store.enrollments.withCertificate(idScope, 'C3')), [])
    assert.deepEqual(names(await store.enrollmentGroups.withCertificate(idScope, 'C3')), ['ca'])
    assert.deepEqual(names(await store.enrollmentGroups.withCaReference(idScope, 'root-1')), ['ref'])
    assert.deepEqual(names(await store.enrollmentGroups.withAttestation(idScope, 'x509')), ['ca', 'ref'])
    assert.deepEqual(names(await store.enrollmentGroups.withAttestation(idScope, 'symmetricKey')), [])
  })

  promise('slices go through a collection in order, each beginning after the last key', async (store) => {
    await store.transact((write) => {
      for (const id of ['c', 'A', 'b', 'd']) write.enrollments.create(idScope, individual(asRegistrationId(id)))
    })
    const first = await store.enrollments.slice(idScope, { after: '', limit: 3 })
    assert.deepEqual(
      first.map((enrollment) => enrollment.registrationId),
      ['A', 'b', 'c'],
    )
    const rest = await store.enrollments.slice(idScope, { after: 'c', limit: 3 })
    assert.deepEqual(
      rest.map((enrollment) => enrollment.registrationId),
      ['d'],
    )
  })

  promise('a registration is written against the etag that was read, and listed by its group', async (store) => {
    const first = registration(asRegistrationId('Unit-1'), { enrollmentGroupId: 'Line' })
    await store.transact((write) => write.registrations.put(idScope, first))
    await assert.rejects(
      store.transact((write) => write.registrations.put(idScope, registration(asRegistrationId('unit-1')))),
      Conflict,
    )
    const second = registration(asRegistrationId('Unit-1'), { enrollmentGroupId: 'Line', status: 'disabled' })
    await store.transact((write) => write.registrations.put(idScope, second, first.etag))
    const listed = await store.registrations.sliceOfGroup(idScope, 'line', { after: '', limit: 10 })
    assert.deepEqual(listed, [second])
    await assert.rejects(
      store.transact((write) => write.registrations.delete(idScope, asRegistrationId('unit-1'), first.etag)),
      Conflict,
    )
    await store.transact((write) => write.registrations.delete(idScope, asRegistrationId('unit-1')))
    assert.equal(await store.registrations.get(idScope, 'Unit-1'), undefined)
  })

  promise('registrations are listed by the hub that their device is assigned to, in slices', async (store) => {
    const at = (id: string, assignedHub: string) => {
      const assignment = { assignedHub, deviceId: asDeviceId(id), substatus: 'initialAssignment' as const }
      return store.transact((write) =>
        write.registrations.put(idScope, registration(asRegistrationId(id), { assignment })),
      )
    }
    for (const id of ['c', 'A', 'b']) await at(id, 'Hub-A.example')
    await at('d', 'hub-b.example')
    const slice = async (after: string) =>
      (await store.registrations.sliceOfHub(idScope, 'HUB-A.example', { after, limit: 2 })).map(
        ({ registrationId }) => registrationId,
      )
    assert.deepEqual([await slice(''), await slice('b')], [['A', 'b'], ['c']])
  })

  promise('unfinished operations are those that are still assigning, and old ones expire', async (store) => {
    const operation = (id: OperationId, more: Partial<Operation>): Operation => ({
      id,
      idScope,
      registrationId: asRegistrationId('a'),
      status: 'assigning',
      createdAt: 100,
      ...more,
    })
    await store.transact((write) => {
      write.operations.put(operation(asOperationId('5.a'), { resume: { from: 'here' } }))
      write.operations.put(operation(asOperationId('5.b'), { status: 'failed', createdAt: 200 }))
    })
    assert.deepEqual(
      (await store.operations.unfinished()).map(({ id, resume }) => ({ id, resume })),
      [{ id: '5.a', resume: { from: 'here' } }],
    )
    const result = { registration: registration(asRegistrationId('a')) }
    await store.transact((write) =>
      write.operations.put(operation(asOperationId('5.a'), { status: 'assigned', result })),
    )
    assert.deepEqual(await store.operations.unfinished(), [])
    assert.deepEqual((await store.operations.get(idScope, '5.a'))?.result, result)
    await store.transact((write) => write.operations.expire(150))
    assert.equal(await store.operations.get(idScope, '5.a'), undefined)
    assert.equal((await store.operations.get(idScope, '5.b'))?.status, 'failed')
  })

  promise('decisions are found newest first by registration or tracking ID, page by page', async (store) => {
    await store.transact((write) => {
      for (const time of [5, 100, 20, 3])
        write.decisions.add(idScope, 'known', decision(asRegistrationId('Pump-1'), time))
      write.decisions.add(idScope, 'known', decision(asRegistrationId('pump-2'), 50))
      write.decisions.add(asIdScope('0ne00000002'), 'known', decision(asRegistrationId('pump-1'), 60))
    })
    const timesOf = (found: readonly KeptDecision[]) => found.map(({ decision: { time } }) => time)
    const first = await store.decisions.find(idScope, { registrationId: 'pUMP-1', limit: 2 })
    assert.deepEqual(timesOf(first), [100, 20])
    const second = { registrationId: 'pump-1', before: first.at(-1)!.id, limit: 2 }
    assert.deepEqual(timesOf(await store.decisions.find(idScope, second)), [5, 3])
    assert.deepEqual(timesOf(await store.decisions.find(idScope, { trackingId: 'at-50', limit: 9 })), [50])
    assert.deepEqual(timesOf(await store.decisions.find(idScope, { limit: 9 })), [100, 50, 20, 5, 3])
    assert.deepEqual(
      [await store.decisions.scopeAfter(asIdScope('')), await store.decisions.scopeAfter(idScope)],
      [idScope, '0ne00000002'],
    )
    assert.equal(await store.decisions.scopeAfter(asIdScope('0ne00000002')), undefined)
  })

  promise('of decisions, the old and those beyond the newest so many are forgotten', async (store) => {
    await store.transact((write) => {
      for (let time = 1; time <= 9; time++)
        write.decisions.add(idScope, 'known', decision(asRegistrationId('pump'), time))
      write.decisions.add(asIdScope('0ne00000002'), 'known', decision(asRegistrationId('pump'), 1))
    })
    const times = async () => (await store.decisions.find(idScope, { limit: 99 })).map((kept) => kept.decision.time)
    await store.transact((write) => write.decisions.keep(idScope, { since: 3, counts: new Map([['known', 99]]) }))
    assert.deepEqual(await times(), [9, 8, 7, 6, 5, 4, 3])
    await store.transact((write) => write.decisions.keep(idScope, { since: 0, counts: new Map([['known', 2]]) }))
    assert.deepEqual(await times(), [9, 8])
    assert.equal((await store.decisions.find(asIdScope('0ne00000002'), { limit: 9 })).length, 1)
  })

  promise('decisions of one share are forgotten for none of another', async (store) => {
    await store.transact((write) => {
      for (let time = 1; time <= 9; time++)
        write.decisions.add(idScope, 'stranger', decision(asRegistrationId('pump'), time))
      write.decisions.add(idScope, 'known', decision(asRegistrationId('pump'), 1.5))
      write.decisions.add(idScope, 'accepted', decision(asRegistrationId('pump'), 0.5))
    })
    const counts = new Map([['accepted', 5] as const, ['known', 5] as const, ['stranger', 2] as const])
    await store.transact((write) => write.decisions.keep(idScope, { since: 0, counts }))
    const left = await store.decisions.find(idScope, { limit: 99 })
    assert.deepEqual(left.map((kept) => kept.decision.time).toSorted(), [0.5, 1.5, 8, 9])
  })

  promise('operations are counted by day and kind, each time they are added', async (store) => {
    const add = (day: string, kind: string, operations: number) =>
      store.transact((write) => write.usage.add(idScope, { day, kind, operations }))
    await Promise.all(Array.from({ length: 40 }, () => add('2031-03-02', 'Register', 2)))
    await add('2031-03-02', 'Get EnrollmentGroup', 1)
    await add('2031-03-04', 'Register', 5)
    assert.deepEqual(await store.usage.between(idScope, '2031-03-01', '2031-03-03'), [
      { day: '2031-03-02', kind: 'Get EnrollmentGroup', operations: 1 },
      { day: '2031-03-02', kind: 'Register', operations: 80 },
    ])
    assert.deepEqual(await store.usage.between(asIdScope('0ne00000002'), '2031-01-01', '2031-12-31'), [])
  })

  promise('a count that is part of a transaction which fails is not counted', async (store) => {
    const usage = { day: '2031-03-02', kind: 'Register', operations: 1 }
    const write = store.transact((write) => {
      write.usage.add(idScope, usage)
      write.registrations.put(idScope, registration(asRegistrationId('x')), asEtag('an etag that it has not'))
    })
    await assert.rejects(write, Conflict)
    assert.deepEqual(await store.usage.between(idScope, '2031-03-02', '2031-03-02'), [])
  })

  promise('the registrations of an instance are counted', async (store) => {
    await store.transact((write) => {
      for (const id of ['a', 'b', 'c']) write.registrations.put(idScope, registration(asRegistrationId(id)))
      write.registrations.put(asIdScope('0ne00000002'), registration(asRegistrationId('a')))
    })
    assert.equal(await store.registrations.count(idScope), 3)
  })

  promise('the deny list is asked by key, listed in slices, and loses what one source put there', async (store) => {
    const revocation = (key: string, source: string) => ({
      key,
      subject: { registrationId: 'a' },
      reason: 'stolen',
      source,
      createdDateTimeUtc: now,
    })
    assert.equal(await store.revocations.none(idScope), true)
    await store.transact((write) => {
      write.revocations.put(idScope, revocation('registration:a', 'operator'))
      write.revocations.put(idScope, revocation('serial:*:1', 'crl:factory'))
      write.revocations.put(idScope, revocation('serial:*:2', 'crl:factory'))
    })
    assert.equal(await store.revocations.none(idScope), false)
    assert.equal(await store.revocations.none(asIdScope('0ne00000002')), true)
    assert.equal((await store.revocations.get(idScope, 'serial:*:1'))?.reason, 'stolen')
    const rest = await store.revocations.slice(idScope, { after: 'registration:a', limit: 1 })
    assert.deepEqual(
      rest.map(({ key }) => key),
      ['serial:*:1'],
    )
    await store.transact((write) => write.revocations.deleteFrom(idScope, 'crl:factory'))
    assert.equal(await store.revocations.get(idScope, 'serial:*:2'), undefined)
    await store.transact((write) => write.revocations.delete(idScope, 'registration:a'))
    assert.equal(await store.revocations.none(idScope), true)
  })

  promise('a deleted instance leaves nothing behind, and its ID scope is never given out again', async (store) => {
    const service = (idScope: IdScope, hostName: string) => ({
      idScope,
      name: hostName,
      hostNames: [hostName],
      allocationPolicy: 'hashed' as const,
      createdDateTimeUtc: now,
    })
    const other = asIdScope('0ne00000002')
    await store.transact((write) => {
      write.services.create(service(idScope, 'a.example'))
      write.services.create(service(other, 'b.example'))
      for (const scope of [idScope, other]) {
        write.policies.put(scope, { keyName: 'p', primaryKey: key(1), secondaryKey: key(2), rights: [] })
        write.enrollments.create(scope, individual(asRegistrationId('a')))
        write.registrations.put(scope, registration(asRegistrationId('a')))
        write.revocationLists.put(scope, {
          name: 'factory',
          issuer: 'CN=x',
          thisUpdate: now,
          revoked: 0,
          lastUpdatedDateTimeUtc: now,
        })
      }
    })
    await store.transact((write) => write.services.delete(idScope))
    assert.equal(await store.services.byIdScope(idScope), undefined)
    assert.equal(await store.services.byHostName('a.example'), undefined)
    assert.deepEqual(await store.policies.all(idScope), [])
    assert.equal(await store.enrollments.get(idScope, 'a'), undefined)
    assert.equal(await store.registrations.get(idScope, 'a'), undefined)
    assert.deepEqual(await store.revocationLists.all(idScope), [])
    assert.ok(await store.enrollments.get(other, 'a'), 'the neighbour keeps everything')
    assert.equal((await store.revocationLists.all(other)).length, 1)
    await assert.rejects(
      store.transact((write) => write.services.create(service(idScope, 'c.example'))),
      Conflict,
    )
  })

  promise('tokens and issuers are kept for the deployment, and a CA certificate goes by its etag', async (store) => {
    const token = { id: 't1', digest: 'AB', description: '', assignments: [], createdDateTimeUtc: now }
    const issuer = {
      name: 'Entra',
      issuer: 'https://i.example',
      jwksUrl: 'https://i.example/k',
      audiences: [],
      rules: [],
    }
    const ca = {
      ...certificate('E5'),
      name: 'Root',
      isVerified: false,
      etag: newEtag(),
      createdDateTimeUtc: now,
      lastUpdatedDateTimeUtc: now,
    }
    await store.transact((write) => {
      write.accessTokens.put(token)
      write.tokenIssuers.put(issuer)
      write.caCertificates.put(idScope, ca)
    })
    assert.deepEqual(await store.accessTokens.get('t1'), token)
    assert.deepEqual(await store.tokenIssuers.all(), [issuer])
    await store.transact((write) => {
      write.accessTokens.delete('t1')
      write.tokenIssuers.delete('ENTRA')
    })
    assert.deepEqual([await store.accessTokens.all(), await store.tokenIssuers.all()], [[], []])
    await assert.rejects(
      store.transact((write) => write.caCertificates.delete(idScope, 'root', newEtag())),
      Conflict,
    )
    await store.transact((write) => write.caCertificates.delete(idScope, 'root', ca.etag))
    assert.deepEqual(await store.caCertificates.all(idScope), [])
  })

  test(`${name}: what was committed is there after the store is opened again`, async () => {
    const store = await open()
    const service = {
      idScope,
      name: 'plant',
      hostNames: ['Dps.Example'],
      allocationPolicy: 'hashed' as const,
      createdDateTimeUtc: now,
    }
    const policy = {
      keyName: 'provisioningserviceowner',
      primaryKey: key(5),
      secondaryKey: key(6),
      rights: ['ServiceConfig' as const],
    }
    const hub = {
      hostName: 'Hub-A.example',
      keyName: 'owner',
      key: key(7),
      location: 'here',
      allocationWeight: 2,
      applyAllocationPolicy: true,
    }
    await store.transact((write) => {
      write.services.create(service)
      write.policies.put(idScope, policy)
      write.linkedHubs.put(idScope, hub)
      write.keys.create('nonce', key(8))
      write.caCertificates.put(idScope, {
        ...certificate('D4'),
        name: 'Root-1',
        isVerified: true,
        etag: newEtag(),
        createdDateTimeUtc: now,
        lastUpdatedDateTimeUtc: now,
      })
    })
    await using again = await reopen(store)
    assert.deepEqual(await again.services.byIdScope(idScope), service)
    assert.deepEqual(await again.services.byHostName('dps.example'), service)
    assert.equal(await again.services.byIdScope(idScope.toUpperCase()), undefined, 'an ID scope is compared exactly')
    const found = await again.policies.get(idScope, 'ProvisioningServiceOwner')
    assert.ok(found?.primaryKey.equals(key(5)) && found.secondaryKey.equals(key(6)))
    const [linked] = await again.linkedHubs.all(idScope)
    assert.ok(linked?.key.equals(key(7)) && linked.hostName === 'Hub-A.example' && linked.allocationWeight === 2)
    assert.ok((await again.keys.get('nonce'))?.equals(key(8)))
    assert.equal((await again.caCertificates.get(idScope, 'root-1'))?.isVerified, true)
  })

  test(`${name}: of a device's root keys a few are kept, the proven one among them, until its enrollment goes`, async () => {
    await using store = await open()
    const rootKey = (byte: number) => Buffer.alloc(8, byte)
    const kept = async (id = 'dev-1') =>
      (await store.rootKeys.of(idScope, id)).map(({ rootKey, proven }) => `${rootKey[0]}${proven ? ' proven' : ''}`)
    const put = (byte: number, at: number, id = 'dev-1') =>
      store.transact((write) => write.rootKeys.put(idScope, id, rootKey(byte), at))
    await put(1, 10)
    await put(2, 11)
    await put(1, 12)
    assert.deepEqual(await kept('DEV-1'), ['1', '2'], 'the latest first')
    await store.transact((write) => write.rootKeys.prove(idScope, 'dev-1', rootKey(2), 13))
    await store.transact((write) => write.rootKeys.prove(idScope, 'dev-1', rootKey(3), 14))
    assert.deepEqual(await kept(), ['3 proven'])
    for (const byte of [4, 5, 6, 7, 8]) await put(byte, 20 + byte)
    assert.deepEqual(await kept(), ['8', '7', '6', '3 proven'])
    await put(3, 30)
    assert.equal((await kept())[0], '3 proven')
    await put(9, 30, 'dev-2')
    const attestation = { type: 'tpm', endorsementKey: 'AAEC' } as const
    const enrollment = individual(asRegistrationId('Dev-1'), { attestation })
    await store.transact((write) => write.enrollments.create(idScope, enrollment))
    await store.transact((write) => write.enrollments.delete(idScope, enrollment))
    assert.deepEqual([await kept(), await kept('dev-2')], [[], ['9']])
  })
}
