import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { DeviceIdentity, IotHub } from '../hub/iot-hub.ts'
import { newEtag } from '../model/identifiers.ts'
import { Refusal } from '../model/refusal.ts'
import type { Registration } from '../model/registration.ts'
import { revocationKey } from '../model/revocation.ts'
import { Secret } from '../base/secret.ts'
import { timestamp } from '../base/time.ts'
import { openSqliteStore } from '../store/sqlite-store.ts'
import { cutIfRevoked } from './cut-revoked.ts'
import { asDeviceId, asIdScope, asRegistrationId } from '../../test/fixtures/identifiers.ts'

const now = timestamp(1_900_000_000_000)
const idScope = asIdScope('0ne')
const registration: Registration = {
  registrationId: asRegistrationId('Pump-1'),
  attestationType: 'symmetricKey',
  status: 'assigned',
  assignment: { assignedHub: 'Hub.example', deviceId: asDeviceId('Pump-1'), substatus: 'initialAssignment' },
  createdDateTimeUtc: now,
  lastUpdatedDateTimeUtc: now,
  etag: newEtag(),
}

/** Revokes this ID, then asks for the device above to be cut; what the hub was told to keep, and what was reported. */
async function cutAfterRevoking(revoked: string, answers: () => Promise<DeviceIdentity>) {
  const folder = mkdtempSync(join(tmpdir(), 'hubward-cut-'))
  await using store = openSqliteStore(folder)
  const subject = { registrationId: revoked }
  const revocation = {
    key: revocationKey(subject),
    subject,
    reason: 'stolen',
    source: 'operator',
    createdDateTimeUtc: now,
  }
  await store.transact((write) => {
    write.revocations.put(idScope, revocation)
    write.linkedHubs.put(idScope, {
      hostName: 'hub.example',
      keyName: 'k',
      key: new Secret(Buffer.alloc(32)),
      location: '',
      allocationWeight: 1,
      applyAllocationPolicy: true,
    })
  })
  const kept: DeviceIdentity[] = []
  const faults: unknown[] = []
  const unasked = (): never => assert.fail('the hub is asked for nothing else')
  const hub: IotHub = {
    hostName: 'hub.example',
    device: answers,
    replace: async (identity) => {
      kept.push(identity)
      return identity
    },
    create: unasked,
    remove: unasked,
    twin: unasked,
    mergeTwin: unasked,
    createWithTwin: unasked,
  }
  const parts = { store, hubs: () => hub, onFault: (fault: unknown) => faults.push(fault) }
  await cutIfRevoked(registration, idScope, { trackingId: 't', until: 0 }, parts)
  rmSync(folder, { recursive: true })
  return { kept, faults }
}

const identity: DeviceIdentity = { deviceId: 'Pump-1', status: 'enabled', authentication: { type: 'none' } }

test('a device that was revoked while it was being assigned has its identity disabled', async () => {
  const { kept, faults } = await cutAfterRevoking('pump-1', async () => identity)
  assert.deepEqual(kept, [{ ...identity, status: 'disabled', statusReason: 'revoked: stolen' }])
  assert.deepEqual(faults, [])
})

test('a device that was not revoked keeps its identity as it is', async () => {
  const { kept } = await cutAfterRevoking('pump-2', async () => identity)
  assert.deepEqual(kept, [])
})

test('a hub that does not answer is reported, and the assignment stands', async () => {
  const { faults } = await cutAfterRevoking('pump-1', async () => {
    throw new Refusal('HubUnavailable', 'silent')
  })
  assert.equal(faults.length, 1)
})
