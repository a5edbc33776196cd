import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, mock, test } from 'node:test'
import type { RegistrationId } from '../model/identifiers.ts'
import { testClocks } from '../../test/fixtures/clocks.ts'
import { Secret } from '../base/secret.ts'
import { openSqliteStore } from '../store/sqlite-store.ts'
import { parseSasToken, signSasToken, type SasToken } from '../wire/sas-token.ts'
import type { Presented } from './attestation.ts'
import { failureBudget, unlimitedBudget } from './failure-budget.ts'
import { deriveDeviceKey, groupSearch, type GroupSearch } from './group-search.ts'
import { asEtag, asIdScope, asRegistrationId, asTimestamp } from '../../test/fixtures/identifiers.ts'
import { asPresented } from '../../test/fixtures/shapes.ts'

const directory = mkdtempSync(join(tmpdir(), 'hubward-search-'))
const store = openSqliteStore(directory)
after(async () => {
  await store[Symbol.asyncDispose]()
  rmSync(directory, { recursive: true })
})

const idScope = asIdScope('0ne00000001')
const groupsInAll = 200
const written = {
  etag: asEtag('e'),
  createdDateTimeUtc: asTimestamp('2026'),
  lastUpdatedDateTimeUtc: asTimestamp('2026'),
}
const primaryKeys = Array.from({ length: groupsInAll }, (_, index) => new Secret(Buffer.alloc(32, index + 1)))
const nameOf = (index: number) => `g-${String(index).padStart(3, '0')}`

await store.transact((write) => {
  for (const [index, primaryKey] of primaryKeys.entries()) {
    write.enrollments.create(idScope, {
      kind: 'group',
      enrollmentGroupId: nameOf(index),
      attestation: { type: 'symmetricKey', primaryKey, secondaryKey: new Secret(Buffer.alloc(64, index + 1)) },
      provisioningStatus: 'enabled',
      ...written,
    })
  }
  write.registrations.put(idScope, {
    registrationId: asRegistrationId('Known-1'),
    enrollmentGroupId: nameOf(150),
    attestationType: 'symmetricKey',
    status: 'assigned',
    ...written,
  })
})

test('a device that nobody knows is found in whatever group it is, and from then on without looking at the others', async () => {
  const search = groupSearch(store, unlimitedBudget)
  const token = tokenOf(150, 'new-1')
  const first = await counted(search, asRegistrationId('new-1'), token)
  assert.equal(first.group, nameOf(150))
  assert.ok(first.hmacs >= 150 * 4, `${first.hmacs}`)
  assert.deepEqual(await counted(search, asRegistrationId('NEW-1'), tokenOf(150, 'new-1', 'NEW-1')), {
    group: nameOf(150),
    hmacs: 2,
  })
})

test('a device that has registered is found by its registration, in the spelling of its key, after a restart too', async () => {
  for (const [presented, derivedFor] of [
    ['known-1', 'known-1'],
    ['KNOWN-1', 'known-1'],
    ['known-1', 'Known-1'],
  ] as const) {
    const { group, hmacs } = await counted(
      groupSearch(store, unlimitedBudget),
      asRegistrationId(presented),
      tokenOf(150, derivedFor, presented),
    )
    assert.equal(group, nameOf(150))
    assert.ok(hmacs <= 12, `${hmacs} for ${presented} with the key of ${derivedFor}`)
  }
})

test('a device that was moved to another group is found there', async () => {
  const search = groupSearch(store, unlimitedBudget)
  for (const index of [150, 20, 199]) {
    assert.equal((await counted(search, asRegistrationId('known-1'), tokenOf(index, 'known-1'))).group, nameOf(index))
  }
})

test('a search lets others have their turn, and is one for each instance at a time', async () => {
  const search = groupSearch(store, unlimitedBudget)
  let turns = 0
  let searching = true
  const count = () => {
    turns++
    if (searching) setImmediate(count)
  }
  setImmediate(count)
  await assert.rejects(search(presented(asRegistrationId('stranger')), falseToken(asRegistrationId('stranger'))), {
    reason: 'TokenSignatureInvalid',
  })
  searching = false
  assert.ok(turns >= 6, `${turns} turns in a search of ${groupsInAll} groups`)
})

test('a flood of false tokens is bounded in its work, while devices that are known are let in', async () => {
  const search = groupSearch(store, failureBudget(1000, testClocks().monotonic))
  const hmac = mock.method(Secret.prototype, 'hmac')
  const reasons = new Map<string, number>()
  for (let index = 0; index < 300; index++) {
    const id = asRegistrationId(`stranger-${index}`)
    await assert.rejects(search(presented(id), falseToken(id)), ({ reason }: { reason: string }) => {
      reasons.set(reason, (reasons.get(reason) ?? 0) + 1)
      return true
    })
  }
  const spent = hmac.mock.callCount()
  hmac.mock.restore()
  // A quarter of ten seconds' worth, and the search that goes beyond it; the rest costs no more than a device that is known.
  assert.deepEqual(
    [...reasons],
    [
      ['TokenSignatureInvalid', 13],
      ['Throttled', 287],
    ],
  )
  assert.ok(spent <= 13 * groupsInAll * 6 + 300 * 20, `${spent} HMACs`)
  assert.equal((await counted(search, asRegistrationId('known-1'), tokenOf(150, 'known-1'))).group, nameOf(150))
})

test('a token that a group key itself signed is told from one that nobody signed, at the first try', async () => {
  const search = groupSearch(store, failureBudget(1_000_000, testClocks().monotonic))
  const token = parsed(signSasToken(`${idScope}/registrations/mistaken`, primaryKeys[7]!, 4_000_000_000))
  await assert.rejects(search(presented(asRegistrationId('mistaken')), token), { reason: 'TokenSignedWithGroupKey' })
})

async function counted(search: GroupSearch, registrationId: RegistrationId, token: SasToken) {
  const hmac = mock.method(Secret.prototype, 'hmac')
  try {
    const vouched = await search(presented(registrationId), token)
    return { group: vouched?.group.enrollmentGroupId, hmacs: hmac.mock.callCount() }
  } finally {
    hmac.mock.restore()
  }
}

function tokenOf(group: number, derivedFor: string, registrationId = derivedFor): SasToken {
  const key = deriveDeviceKey(primaryKeys[group]!, derivedFor)
  return parsed(signSasToken(`${idScope}/registrations/${registrationId}`, key, 4_000_000_000))
}

function falseToken(registrationId: RegistrationId): SasToken {
  return parsed(signSasToken(`${idScope}/registrations/${registrationId}`, new Secret(Buffer.alloc(9)), 4_000_000_000))
}

function parsed(text: string): SasToken {
  const token = parseSasToken(text)
  assert.ok(token)
  return token
}

function presented(registrationId: RegistrationId): Presented {
  return asPresented({
    service: { idScope, name: 's', hostNames: [], allocationPolicy: 'hashed', createdDateTimeUtc: asTimestamp('2026') },
    registrationId,
    credential: { kind: 'token', token: '' },
    apiVersion: '2021-06-01',
    protocol: 'Http',
    trackingId: 't',
    remoteAddress: '192.0.2.1',
    trail: { note: () => {}, end: () => {} },
  })
}
