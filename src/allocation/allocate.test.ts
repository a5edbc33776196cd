import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Enrollment } from '../model/enrollment.ts'
import type { Json } from '../base/json.ts'
import { Refusal } from '../model/refusal.ts'
import { Secret } from '../base/secret.ts'
import type { AllocationPolicyName, LinkedHub, ServiceAllocationPolicy } from '../model/service.ts'
import { allocate, consult, type AllocationPolicies } from './allocate.ts'
import type { Choice, ToAllocate } from './allocation.ts'
import { customAllocation } from './custom.ts'
import { evenlyWeighted } from './evenly-weighted.ts'
import { lowestLatency } from './lowest-latency.ts'
import { staticConfiguration } from './static.ts'
import { asDeviceId, asEtag, asIdScope, asRegistrationId, asTimestamp } from '../../test/fixtures/identifiers.ts'

const key = new Secret(Buffer.from('key'))
const hostNames = ['a.example', 'b.example', 'c.example', 'd.example']

/** Some of four hubs, linked; some of them set aside, some broken. */
const world = fc.record({
  linked: fc.subarray(hostNames),
  aside: fc.subarray(hostNames),
  broken: fc.subarray(hostNames),
  named: fc.option(fc.subarray(['A.example', 'b.EXAMPLE', 'c.example', 'gone.example']), { nil: undefined }),
  legacy: fc.option(fc.constantFrom('b.example', 'gone.example'), { nil: undefined }),
  policy: fc.option(fc.constantFrom<AllocationPolicyName>('hashed', 'geoLatency', 'static', 'custom'), {
    nil: undefined,
  }),
  service: fc.constantFrom<ServiceAllocationPolicy>('hashed', 'geoLatency', 'static'),
  present: fc.option(fc.constantFrom(...hostNames), { nil: undefined }),
  registrationId: fc.stringMatching(/^[a-z0-9]{1,20}$/),
})
type World = typeof world extends fc.Arbitrary<infer T> ? T : never

const policies: AllocationPolicies = {
  hashed: evenlyWeighted,
  geoLatency: lowestLatency([]),
  static: staticConfiguration,
  custom: answering(({ linkedHubs }) => ({ iotHubHostName: linkedHubs[0] ?? null })),
}

test('a device never gets a hub that is not linked, not permitted, or set aside from a policy that chooses', () =>
  fc.assert(
    fc.asyncProperty(world, async (given) => {
      const outcome = await outcomeOf(given)
      const named = given.named?.length ? given.named : given.legacy === undefined ? hostNames : [given.legacy]
      const allowed = given.linked.filter((hub) => named.some((name) => name.toLowerCase() === hub))
      if (outcome instanceof Refusal) return
      const { hostName } = outcome.hub
      assert.ok(allowed.includes(hostName), `${hostName} is not among ${allowed.join(', ')}`)
      const effective = given.policy ?? (given.legacy && !given.named?.length ? 'static' : given.service)
      if (effective === 'hashed' || effective === 'geoLatency') assert.ok(!given.aside.includes(hostName))
    }),
  ))

test('a new device gets a broken hub only where there is no whole one, and a device that has a hub is not moved to one', () =>
  fc.assert(
    fc.asyncProperty(world, fc.constantFrom('hashed' as const, 'geoLatency' as const), async (given, policy) => {
      const outcome = await outcomeOf({ ...given, policy, named: undefined, legacy: undefined })
      const candidates = given.linked.filter((hub) => !given.aside.includes(hub))
      const whole = candidates.filter((hub) => !given.broken.includes(hub))
      if (outcome instanceof Refusal) return assert.equal(candidates.length, 0)
      const { hostName } = outcome.hub
      if (whole.length === 0 || whole.includes(hostName)) return
      assert.equal(hostName, given.present, 'it is there already')
    }),
  ))

test('the answer is the same for the same input', () =>
  fc.assert(
    fc.asyncProperty(world, async (given) => {
      assert.deepEqual(shown(await outcomeOf(given)), shown(await outcomeOf(given)))
    }),
  ))

test('whatever custom code answers, the device gets one of its hubs or a refusal that says so', () =>
  fc.assert(
    fc.asyncProperty(fc.oneof(fc.jsonValue(), answers()), async (answer) => {
      const custom = answering(() => answer as Json)
      const given = { linked: hostNames, registrationId: asRegistrationId('r') }
      const hubs = linkedHubs({ linked: hostNames, aside: [] })
      const outcome = await allocate(device({ ...given, policy: 'custom' }), hubs, {
        policies: { custom },
        broken: () => undefined,
      }).catch((error: unknown) => error)
      if (outcome instanceof Refusal) assert.equal(outcome.reason, 'CustomAllocationFailed')
      else assert.ok(hostNames.includes((outcome as Choice).hub.hostName))
    }),
  ))

test('only custom code is asked about a device that stays where it is', async () => {
  const [hub] = linkedHubs({ linked: ['a.example'], aside: [] })
  for (const policy of ['hashed', 'geoLatency', 'static'] as const) {
    const chosen = await consult(device({ policy, registrationId: asRegistrationId('r') }), hub!, {
      policies,
      broken: () => 'broken',
    })
    assert.deepEqual(chosen, { hub, repeatable: true })
  }
  const custom = answering(({ linkedHubs: asked }) => ({
    iotHubHostName: asked[0] ?? null,
    payload: { asked: [...asked] },
  }))
  const told = await consult(device({ policy: 'custom', registrationId: asRegistrationId('r') }), hub!, {
    policies: { custom },
    broken: () => undefined,
  })
  assert.deepEqual(told.payload, { asked: ['a.example'] })
})

function answers() {
  return fc.record(
    {
      iotHubHostName: fc.oneof(fc.constantFrom('a.example', 'B.EXAMPLE', 'other.example'), fc.jsonValue()),
      iothubhostname: fc.constantFrom('a.example', ''),
      initialTwin: fc.oneof(fc.jsonValue(), fc.record({ tags: fc.jsonValue() })),
      payload: fc.jsonValue(),
    },
    { requiredKeys: [] },
  )
}

function outcomeOf(given: World): Promise<Choice | Refusal> {
  const broken = ({ hostName }: LinkedHub) => (given.broken.includes(hostName) ? 'unauthorized' : undefined)
  return allocate(device(given), linkedHubs(given), { policies, broken }).catch((error: unknown) => {
    if (error instanceof Refusal) return error
    throw error
  })
}

function shown(outcome: Choice | Refusal): string {
  return outcome instanceof Refusal ? outcome.reason : outcome.hub.hostName
}

function linkedHubs({ linked, aside }: Pick<World, 'linked' | 'aside'>): LinkedHub[] {
  return linked.map((hostName) => ({
    hostName,
    keyName: 'owner',
    key,
    location: 'here',
    allocationWeight: 1,
    applyAllocationPolicy: !aside.includes(hostName),
  }))
}

function device({ registrationId, policy, named, legacy, service = 'hashed', present }: Partial<World>): ToAllocate {
  const id = registrationId ?? 'r'
  const written = {
    etag: asEtag('ZQ=='),
    createdDateTimeUtc: asTimestamp('2031'),
    lastUpdatedDateTimeUtc: asTimestamp('2031'),
  }
  const enrollment: Enrollment = {
    kind: 'individual',
    registrationId: asRegistrationId(id),
    attestation: { type: 'symmetricKey', primaryKey: key, secondaryKey: key },
    provisioningStatus: 'enabled',
    allocationPolicy: policy,
    iotHubs: named,
    iotHubHostName: legacy,
    definitions: {
      customAllocationDefinition: { webhookUrl: 'https://code.example/', apiVersion: '2021-10-01' },
    },
    ...written,
  }
  const assignment =
    present === undefined
      ? undefined
      : { assignedHub: present, deviceId: asDeviceId(id), substatus: 'initialAssignment' as const }
  return {
    service: {
      idScope: asIdScope('0ne00000001'),
      name: 's',
      hostNames: [],
      allocationPolicy: service,
      createdDateTimeUtc: asTimestamp('2031'),
    },
    registrationId: asRegistrationId(id),
    enrollment,
    proof: {},
    remoteAddress: '10.0.0.1',
    registration: assignment && {
      registrationId: asRegistrationId(id),
      attestationType: 'symmetricKey',
      status: 'assigned',
      assignment,
      ...written,
    },
    trail: { note: () => {}, end: () => {} },
  }
}

function answering(answer: (request: { linkedHubs: readonly string[] }) => Json) {
  return customAllocation({
    codeAt: () => ({
      asked: 'code',
      ask: async ({ linkedHubs: asked }) => answer({ linkedHubs: Array.isArray(asked) ? asked.map(String) : [] }),
    }),
    describe: () => ({}),
    readTwin: (twin) => {
      if (JSON.stringify(twin).includes('$')) throw new Refusal('MemberInvalid', 'a name has a $')
      return twin
    },
    monotonic: () => 0,
  })
}
