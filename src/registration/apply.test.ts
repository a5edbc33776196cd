import assert from 'node:assert/strict'
import { test } from 'node:test'
import { memoryHub, type MemoryHub } from '../../test/fixtures/memory-hub.ts'
import { prover } from '../attestation/attestation-kind.ts'
import type { Attested } from '../attestation/attestation.ts'
import { Refusal } from '../model/refusal.ts'
import type { Assignment, Placement } from '../model/registration.ts'
import { Secret } from '../base/secret.ts'
import type { LinkedHub } from '../model/service.ts'
import { apply } from './apply.ts'
import type { Provisioned, Step } from './applying.ts'
import type { PlacementLog } from './placement-log.ts'
import {
  asDeviceId,
  asEtag,
  asIdScope,
  asOperationId,
  asRegistrationId,
  asTimestamp,
} from '../../test/fixtures/identifiers.ts'
import { asAllocated, asAttested } from '../../test/fixtures/shapes.ts'

const key = new Secret(Buffer.alloc(32, 1))
const sas = { type: 'sas', primaryKey: key, secondaryKey: key } as const
const initialTwin = { tags: { line: 'initial' } }
const to = (assignedHub: string, substatus: Assignment['substatus']): Assignment => ({
  assignedHub,
  deviceId: asDeviceId('pump'),
  substatus,
})
const links = ['a', 'b'].map((hostName) => link(hostName))
const [atA, atB] = links as [LinkedHub, LinkedHub]
const kept = { tags: { line: 'changed' }, desired: { mode: 'changed' }, reported: { firmware: '1' } }

/** A world of two hubs, with what was applied in it and written down of it. */
interface World {
  readonly a: MemoryHub
  readonly b: MemoryHub
  readonly written: Placement[]
  readonly steps: Step[]
  readonly apply: (allocated: Plan) => Promise<Provisioned>
  /** A hub that does not answer. */
  readonly silence: (hub: 'a' | 'b') => void
}

type Plan = Parameters<typeof asAllocated>[0]

const plans: Record<string, Plan> = {
  first: { is: 'first', hub: atA, to: to('a', 'initialAssignment'), repeatable: true },
  wavering: { is: 'first', hub: atA, to: to('a', 'initialAssignment'), repeatable: false },
  refresh: { is: 'refresh', hub: atA, assignment: to('a', 'reprovisionedToInitialAssignment') },
  reset: { is: 'reset', hub: atA, to: to('a', 'deviceDataReset') },
  migrate: { is: 'move', hub: atB, to: to('b', 'deviceDataMigrated'), from: 'a' },
  moveReset: { is: 'move', hub: atB, to: to('b', 'deviceDataReset'), from: 'a' },
}

test('a plan of every kind leaves one identity, with the right twin, and again when it is applied again', async () => {
  const rows = [
    ['first', 'a', { tags: { line: 'initial' } }],
    ['wavering', 'a', { tags: { line: 'initial' } }],
    ['refresh', 'a', kept],
    ['reset', 'a', { tags: { line: 'initial' } }],
    ['migrate', 'b', kept],
    ['moveReset', 'b', { tags: { line: 'initial' } }],
  ] as const
  for (const [name, hub, twin] of rows) {
    const world = open()
    if (!['first', 'wavering'].includes(name)) await inhabit(world.a)
    const { assignment, orphan } = await world.apply(plans[name]!)
    const again = world.written.at(-1)
    if (again) await world.apply({ is: 'finish', hub: again.to.assignedHub === 'a' ? atA : atB, placement: again })
    assert.equal(orphan, undefined, name)
    assert.equal(assignment.assignedHub, hub, name)
    const where = [world.a, world.b].filter(({ devices }) => devices.has('pump'))
    assert.deepEqual(
      where.map(({ hostName }) => hostName),
      [hub],
      name,
    )
    assert.partialDeepStrictEqual(where[0]!.devices.get('pump')!.twin, twin, name)
  }
})

test('what cannot be found again is written down before a hub is touched; what can is not', async () => {
  for (const [name, durable] of [
    ['first', false],
    ['wavering', true],
    ['reset', true],
    ['migrate', true],
  ] as const) {
    const world = open()
    const before: number[] = []
    const { apply: run } = open({ onLog: () => before.push(world.a.calls.length + world.b.calls.length), world })
    if (name === 'reset' || name === 'migrate') await inhabit(world.a)
    const calls = world.a.calls.length
    await run(plans[name]!)
    assert.equal(before[0] === calls, durable, `${name} was written down after ${before[0]} calls, at ${calls}`)
  }
})

test('a plan to stay at a hub that cannot be spoken to asks no hub', async () => {
  const world = open()
  const { assignment } = await world.apply({ is: 'stay', assignment: to('gone', 'initialAssignment') })
  assert.equal(assignment.assignedHub, 'gone')
  assert.deepEqual([...world.a.calls, ...world.b.calls], [])
})

test('an old hub that does not answer keeps no device waiting: what it has is an orphan', async () => {
  const world = open()
  await inhabit(world.a)
  const { twin } = world.a.devices.get('pump')!
  assert.deepEqual(twin, kept)
  world.silence('a')
  const { assignment, orphan } = await world.apply(plans['moveReset']!)
  assert.deepEqual([assignment.assignedHub, orphan], ['b', { hub: 'a', deviceId: 'pump' }])
})

test('an identity that was there before a first assignment keeps its twin and is told apart', async () => {
  const world = open()
  await inhabit(world.a)
  const { assignment } = await world.apply(plans['first']!)
  assert.equal(assignment.substatus, 'reprovisionedToInitialAssignment')
  assert.deepEqual(world.a.devices.get('pump')!.twin.reported, kept.reported)
})

async function inhabit(hub: MemoryHub): Promise<void> {
  await hub.createWithTwin({ deviceId: 'pump', authentication: { type: 'sas' } }, kept)
}

function open({ onLog, world }: { onLog?: () => void; world?: World } = {}): World {
  const a = world?.a ?? memoryHub('a')
  const b = world?.b ?? memoryHub('b')
  const written: Placement[] = []
  const steps: Step[] = []
  const silent = new Set<string>()
  let current: Placement | undefined
  const log: PlacementLog = {
    operationId: asOperationId('o'),
    until: Date.now() + 1000,
    monotonic: Date.now,
    since: Date.now(),
    current: () => current,
    etag: () => undefined,
    keep: () => (current = undefined),
    begin: async (placement, durably) => {
      current = placement
      if (!durably) return
      written.push(placement)
      onLog?.()
    },
  }
  const unavailable = async (): Promise<never> => {
    throw new Refusal('HubUnavailable', 'it does not answer')
  }
  return {
    a,
    b,
    written,
    steps,
    silence: (hub) => silent.add(hub),
    apply: (allocated) =>
      apply(asAllocated(allocated), attested(), log, {
        linkedHubs: links,
        hubs: ({ hostName }) => {
          const hub = hostName === 'a' ? a : b
          return silent.has(hostName) ? { ...hub, remove: unavailable } : hub
        },
        attestation: { symmetricKey: prover(kind) },
        onStep: (step) => void steps.push(step),
      }),
  }
}

const kind = {
  type: 'symmetricKey',
  reads: () => true,
  decoy: { type: 'symmetricKey', primaryKey: new Secret(Buffer.alloc(32)), secondaryKey: new Secret(Buffer.alloc(32)) },
  individual: async () => ({ evidence: {} }),
  group: async () => undefined,
  hubCredential: () => sas,
  context: () => ({}),
} as const

function attested(): Attested {
  return asAttested({
    service: {
      idScope: asIdScope('0ne1'),
      name: 's',
      hostNames: ['s'],
      allocationPolicy: 'hashed',
      createdDateTimeUtc: asTimestamp('2031'),
    },
    registrationId: asRegistrationId('pump'),
    enrollment: {
      kind: 'individual',
      registrationId: asRegistrationId('pump'),
      attestation: { type: 'symmetricKey', primaryKey: key, secondaryKey: key },
      provisioningStatus: 'enabled',
      initialTwin,
      etag: asEtag('e'),
      createdDateTimeUtc: asTimestamp('2031'),
      lastUpdatedDateTimeUtc: asTimestamp('2031'),
    },
    apiVersion: '2021-06-01',
    protocol: 'Http',
    remoteAddress: '127.0.0.1',
    trackingId: 't',
    trail: { note: () => {}, end: () => {} },
    evidence: {},
  })
}

function link(hostName: string): LinkedHub {
  return { hostName, keyName: 'owner', key, location: 'here', allocationWeight: 1, applyAllocationPolicy: true }
}
