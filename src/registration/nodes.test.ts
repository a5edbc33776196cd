import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import type { RegistrationId } from '../model/identifiers.ts'
import type { AllocationPolicy } from '../allocation/allocation.ts'
import { prover } from '../attestation/attestation-kind.ts'
import { unlimitedBudget } from '../attestation/failure-budget.ts'
import { symmetricKey } from '../attestation/symmetric-key.ts'
import type { IotHub } from '../hub/iot-hub.ts'
import { Secret } from '../base/secret.ts'
import type { LinkedHub } from '../model/service.ts'
import { openSqliteStore } from '../store/sqlite-store.ts'
import type { Store } from '../store/store.ts'
import { signSasToken } from '../wire/sas-token.ts'
import { memoryHub } from '../../test/fixtures/memory-hub.ts'
import { registrar, type Registrar } from './registrar.ts'
import { asEtag, asIdScope, asRegistrationId, asTimestamp } from '../../test/fixtures/identifiers.ts'

const idScope = asIdScope('0ne00000001')
const names = ['a.example', 'b.example']
const key = new Secret(Buffer.alloc(32, 7))
const written = {
  etag: asEtag('e'),
  createdDateTimeUtc: asTimestamp('2031'),
  lastUpdatedDateTimeUtc: asTimestamp('2031'),
}

test('two nodes that take a device at the same moment, again and again, leave it at one hub with its data', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'hubward-nodes-'))
  {
    await using store = openSqliteStore(directory)
    await prepare(store)
    // They take their time, so that what can come between does.
    const pause = () => delay(randomInt(4) === 0 ? 25 : 0)
    const hubs = new Map(names.map((name) => [name, memoryHub(name, pause)]))
    const nodes = [node(store, hubs), node(store, hubs)]

    for (let round = 0; round < 4; round++) {
      // Not quite at once: whoever comes second finds the first at every stage of its work.
      const soon = async (one: Registrar, id: RegistrationId) => {
        await delay(randomInt(150))
        await register(one, id)
      }
      await Promise.all(
        devices.flatMap((id) =>
          nodes.flatMap((one) => [soon(one, asRegistrationId(id)), soon(one, asRegistrationId(id))]),
        ),
      )
      for (const id of devices) {
        const where = names.filter((name) => hubs.get(name)!.devices.has(id))
        const registration = await store.registrations.get(idScope, id)
        assert.deepEqual(where, [registration?.assignment?.assignedHub], `${id} in round ${round}`)
        assert.equal(registration?.placement, undefined, 'nothing is under way any more')
        if (round === 0) hubs.get(where[0]!)!.devices.get(id)!.twin = { reported: { written: id } }
        else assert.deepEqual(hubs.get(where[0]!)!.devices.get(id)!.twin.reported, { written: id })
      }
    }
    const moves = [...hubs.values()].reduce((sum, { made }) => sum + made(), 0)
    assert.ok(moves >= devices.length * 4, `the devices moved ${moves} times`)
  }
  await rm(directory, { recursive: true })
})

const devices = Array.from({ length: 12 }, (_, number) => `device-${number}`)

function node(store: Store, hubs: ReadonlyMap<string, IotHub>): Registrar {
  // Sends every device to the hub where it is not, so that each registration is a move.
  const wavering: AllocationPolicy = {
    name: 'hashed',
    automatic: true,
    external: false,
    choose: async ({ registration }, candidates) => {
      const elsewhere = candidates.filter(({ hostName }) => hostName !== registration?.assignment?.assignedHub)
      return { hub: elsewhere[randomInt(elsewhere.length)]!, repeatable: false }
    },
  }
  return registrar({
    store,
    attestation: { symmetricKey: prover(symmetricKey(store, Date.now, unlimitedBudget)) },
    allocation: { policies: { hashed: wavering }, broken: () => undefined },
    hubs: ({ hostName }) => hubs.get(hostName)!,
    patience: 5000,
    clock: Date.now,
    monotonic: Date.now,
    shortWait: 20_000,
    onDecision: () => {},
    onFault: (fault) => {
      throw fault
    },
  })
}

async function register(one: Registrar, registrationId: RegistrationId): Promise<void> {
  const token = signSasToken(`${idScope}/registrations/${registrationId}`, key, 4_000_000_000, 'registration')
  const answer = await one.register({
    idScope,
    registrationId,
    apiVersion: '2021-06-01',
    credential: { kind: 'token', token },
    protocol: 'Http',
    userAgent: '',
    remoteAddress: '127.0.0.1',
    trackingId: 't',
  })
  assert.ok('operation' in answer)
  assert.equal(answer.operation.status, 'assigned', JSON.stringify(answer.operation))
}

async function prepare(store: Store): Promise<void> {
  const hub = (hostName: string): LinkedHub => ({
    hostName,
    keyName: 'owner',
    key,
    location: 'here',
    allocationWeight: 1,
    applyAllocationPolicy: true,
  })
  await store.transact((write) => {
    write.services.create({
      idScope,
      name: 's',
      hostNames: ['s'],
      allocationPolicy: 'hashed',
      createdDateTimeUtc: asTimestamp('2031'),
    })
    for (const name of names) write.linkedHubs.put(idScope, hub(name))
    for (const registrationId of devices) {
      write.enrollments.create(idScope, {
        kind: 'individual',
        registrationId: asRegistrationId(registrationId),
        attestation: { type: 'symmetricKey', primaryKey: key, secondaryKey: key },
        provisioningStatus: 'enabled',
        ...written,
      })
    }
  })
}
