import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Allocation } from '../allocation/allocate.ts'
import type { AllocationPolicy } from '../allocation/allocation.ts'
import type { IndividualEnrollment, ReprovisionPolicy } from '../model/enrollment.ts'
import { Refusal } from '../model/refusal.ts'
import type { Assignment, Placement, Registration } from '../model/registration.ts'
import { Secret } from '../base/secret.ts'
import type { LinkedHub } from '../model/service.ts'
import { foreseen, plan, type PlanInput } from './plan.ts'
import {
  asDeviceId,
  asEtag,
  asIdScope,
  asOperationId,
  asRegistrationId,
  asTimestamp,
} from '../../test/fixtures/identifiers.ts'

const key = new Secret(Buffer.alloc(32, 1))
const [a, b, gone] = ['a.example', 'b.example', 'gone.example']
const migrate = { updateHubAssignment: true, migrateDeviceData: true }
const reset = { updateHubAssignment: true, migrateDeviceData: false }
const never = { updateHubAssignment: false, migrateDeviceData: true }
const at = (assignedHub: string): Assignment => ({
  assignedHub,
  deviceId: asDeviceId('old-name'),
  substatus: 'initialAssignment',
})
const moving: Placement = {
  operationId: asOperationId('o'),
  since: 1,
  kind: 'move',
  phase: 'removing',
  to: at(b),
  from: a,
}

/** One device, and what must be planned for it. `chosen` is the hub that the policy names. */
interface Case {
  readonly name: string
  readonly policy?: ReprovisionPolicy
  readonly apiVersion?: string
  readonly before?: Assignment
  readonly placement?: Placement
  readonly chosen?: string
  readonly needsHubKey?: boolean
  readonly linked?: readonly string[]
  readonly external?: boolean
  readonly expected: object
  /** What foresight says, where it is not the same. */
  readonly foreseen?: object
}

const first = { is: 'first', hub: a, to: { assignedHub: a, deviceId: 'named', substatus: 'initialAssignment' } }
const moved = { is: 'move', hub: b, from: a, to: { assignedHub: b, deviceId: 'old-name' } }
const cases: readonly Case[] = [
  { name: 'a new device', expected: first },
  { name: 'a new device that is never to be reprovisioned', policy: never, expected: first },
  { name: 'an old SDK, nothing registered', apiVersion: '2018-04-01', expected: first },
  {
    name: 'the same hub again',
    before: at(a),
    expected: {
      is: 'refresh',
      hub: a,
      assignment: { assignedHub: a, deviceId: 'old-name', substatus: 'reprovisionedToInitialAssignment' },
    },
  },
  {
    name: 'the same hub in another spelling',
    before: at('A.Example'),
    policy: migrate,
    expected: { is: 'refresh', hub: a },
  },
  {
    name: 'the same hub, to be reset',
    before: at(a),
    policy: reset,
    expected: { is: 'reset', hub: a, to: { assignedHub: a, deviceId: 'old-name', substatus: 'deviceDataReset' } },
  },
  {
    name: 'another hub',
    before: at(a),
    chosen: b,
    policy: migrate,
    expected: { ...moved, to: { ...moved.to, substatus: 'deviceDataMigrated' } },
  },
  {
    name: 'another hub, without its data',
    before: at(a),
    chosen: b,
    policy: reset,
    expected: { ...moved, to: { ...moved.to, substatus: 'deviceDataReset' } },
  },
  {
    name: 'another hub, when its old one is not linked any more',
    before: at(gone),
    chosen: b,
    expected: { ...moved, from: gone },
  },
  {
    name: 'another hub, and never reprovision',
    before: at(a),
    chosen: b,
    policy: never,
    expected: { is: 'refresh', hub: a, assignment: at(a) },
  },
  {
    name: 'another hub, and an SDK from before reprovisioning',
    before: at(a),
    chosen: b,
    apiVersion: '2018-04-01',
    expected: { is: 'refresh', hub: a, assignment: at(a) },
  },
  {
    name: 'another hub, an old SDK, and a policy that says so',
    before: at(a),
    chosen: b,
    apiVersion: '2018-04-01',
    policy: migrate,
    expected: moved,
  },
  {
    name: 'never, and its hub is not linked',
    before: at(gone),
    policy: never,
    expected: { is: 'stay', assignment: at(gone) },
  },
  {
    name: 'never, its hub is not linked, and only that hub has its key',
    before: at(gone),
    policy: never,
    needsHubKey: true,
    expected: { refused: 'NoHubLinked' },
  },
  { name: 'a move that was cut off', before: at(a), placement: moving, expected: { is: 'finish', hub: b } },
  {
    name: 'a move that was cut off, and never reprovision now',
    before: at(a),
    placement: moving,
    policy: never,
    expected: { is: 'finish', hub: b },
  },
  {
    name: 'a move that was cut off, to a hub that is not linked any more',
    before: at(a),
    placement: { ...moving, to: at(gone) },
    expected: { is: 'refresh', hub: a },
  },
  { name: 'no hub at all', linked: [], expected: { refused: 'NoHubLinked' } },
  {
    name: 'no hub at all, and a policy of somebody else’s',
    linked: [],
    external: true,
    expected: { refused: 'NoHubLinked' },
  },
  { name: 'somebody else’s choice', external: true, expected: first, foreseen: { is: 'undecided' } },
  {
    name: 'somebody else’s choice of another hub',
    external: true,
    before: at(a),
    chosen: b,
    expected: moved,
    foreseen: { is: 'undecided' },
  },
  {
    name: 'a device that stays, and somebody else’s payload for it',
    external: true,
    before: at(a),
    policy: never,
    expected: { is: 'refresh', hub: a, payload: 'told' },
    foreseen: { is: 'refresh', hub: a, payload: undefined },
  },
]

for (const given of cases) {
  test(`${given.name}: ${JSON.stringify(given.expected)}`, async () => {
    const asked: string[] = []
    assert.partialDeepStrictEqual(await shown(plan(device(given), allocation(given, asked))), given.expected)
    assert.partialDeepStrictEqual(
      await shown(foreseen(device(given), allocation({ ...given, foresight: true }, asked))),
      given.foreseen ?? given.expected,
    )
    assert.ok(!asked.includes('foresight'), 'foresight asks nobody’s own code')
  })
}

test('what custom allocation gives goes with the plan', async () => {
  const given: Case = { name: '', external: true, expected: {} }
  const allocated = await plan(device(given), allocation(given, []))
  assert.partialDeepStrictEqual(allocated, { payload: 'told', initialTwin: { tags: { from: 'policy' } } })
})

test('the hub’s device is named by the individual enrollment, and in a group by the registration', async () => {
  const { enrollment, ...rest } = device({ name: '', expected: {} })
  const { registrationId: _, deviceId: __, ...entry } = enrollment as IndividualEnrollment
  const group = { ...entry, kind: 'group', enrollmentGroupId: 'g' } as const
  assert.partialDeepStrictEqual(await plan({ ...rest, enrollment: group }, allocation({}, [])), {
    to: { deviceId: 'pump' },
  })
  const unnamed = {
    ...(enrollment as IndividualEnrollment),
    deviceId: undefined,
    registrationId: asRegistrationId('Pump'),
  }
  assert.partialDeepStrictEqual(await plan({ ...rest, enrollment: unnamed }, allocation({}, [])), {
    to: { deviceId: 'Pump' },
  })
})

/** The plan with its hub by name, or the reason of its refusal. */
async function shown(planned: Promise<object>): Promise<object> {
  try {
    const allocated = await planned
    return 'hub' in allocated ? { ...allocated, hub: (allocated.hub as LinkedHub).hostName } : allocated
  } catch (error) {
    if (error instanceof Refusal) return { refused: error.reason }
    throw error
  }
}

function device({ policy, apiVersion, before, placement, needsHubKey, linked, external }: Case): PlanInput {
  const times = { createdDateTimeUtc: asTimestamp('2031'), lastUpdatedDateTimeUtc: asTimestamp('2031') }
  const registration: Registration | undefined = before && {
    registrationId: asRegistrationId('pump'),
    attestationType: 'symmetricKey',
    status: 'assigned',
    assignment: before,
    placement,
    etag: asEtag('e'),
    ...times,
  }
  return {
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
      deviceId: asDeviceId('named'),
      attestation: { type: 'symmetricKey', primaryKey: key, secondaryKey: key },
      provisioningStatus: 'enabled',
      etag: asEtag('e'),
      ...times,
      reprovisionPolicy: policy,
      allocationPolicy: external ? 'custom' : undefined,
    },
    apiVersion: apiVersion ?? '2021-06-01',
    remoteAddress: '127.0.0.1',
    trail: { note: () => {}, end: () => {} },
    registration,
    linkedHubs: (linked ?? [a, b]).map(link),
    proof: {},
    needsHubKey: needsHubKey ?? false,
  }
}

function allocation(
  { chosen = a, foresight = false }: { readonly chosen?: string; readonly foresight?: boolean },
  asked: string[],
): Allocation {
  const choose: AllocationPolicy['choose'] = async (_, candidates) => ({
    hub: candidates.find(({ hostName }) => hostName === chosen) ?? candidates[0]!,
    repeatable: true,
  })
  return {
    policies: {
      hashed: { name: 'hashed', automatic: true, external: false, choose },
      custom: {
        name: 'custom',
        automatic: false,
        external: true,
        choose: async (given, candidates) => {
          asked.push(foresight ? 'foresight' : 'plan')
          return { ...(await choose(given, candidates)), payload: 'told', initialTwin: { tags: { from: 'policy' } } }
        },
      },
    },
    broken: () => undefined,
  }
}

function link(hostName: string): LinkedHub {
  return { hostName, keyName: 'owner', key, location: 'here', allocationWeight: 1, applyAllocationPolicy: true }
}
