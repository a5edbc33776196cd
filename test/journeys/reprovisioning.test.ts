import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { openNodeRunner } from '../../sdk/runner.ts'
import { symmetricIndividual, type Enrolled } from '../fixtures/enrollments.ts'
import { deviceWithKey } from '../wire/device.ts'
import { deviceApi } from '../wire/https-client.ts'
import { deviceAt, eventually, hubsWith } from './hub-devices.ts'
import { openWithThirdHub } from './third-hub.ts'

const network = '127.70.7'
const [a, b, far] = [`${network}.2`, `${network}.3`, `${network}.9`]
const three = await openWithThirdHub(network, ['--hub-patience', '3000', '--hub-probe', '1', '--short-wait', '500'])
const { fake } = three
const { service } = three.plane
const runner = await openNodeRunner({ caFile: service.caFile })
after(async () => {
  await runner[Symbol.asyncDispose]()
  await three[Symbol.asyncDispose]()
})

const policies = {
  migrate: { updateHubAssignment: true, migrateDeviceData: true },
  reset: { updateHubAssignment: true, migrateDeviceData: false },
  never: { updateHubAssignment: false, migrateDeviceData: true },
} as const
type Policy = keyof typeof policies

const initialTwin = { tags: { line: 'initial' }, properties: { desired: { mode: 'initial' } } }
const initial = { tags: { line: 'initial' }, desired: { mode: 'initial' }, reported: {} }
const kept = { tags: { line: 'changed' }, desired: { mode: 'changed' }, reported: { firmware: '1.2' } }

/** What must come of a registration; `at` are the hubs that have the device then. */
interface Expected {
  readonly assignedHub: string
  readonly substatus: string
  readonly twin?: typeof kept | typeof initial
  readonly failed?: true
}

/** What happened between two registrations of a device that was at the hub `from`. */
interface Situation {
  readonly name: string
  readonly from: string
  readonly to: string
  readonly happens?: (id: string) => Promise<unknown>
  readonly outcome: Readonly<Record<Policy, Expected>>
}

const again = 'reprovisionedToInitialAssignment'
const situations: readonly Situation[] = [
  {
    name: 'hub unchanged',
    from: a,
    to: a,
    outcome: {
      migrate: { assignedHub: a, substatus: again, twin: kept },
      reset: { assignedHub: a, substatus: 'deviceDataReset', twin: initial },
      never: { assignedHub: a, substatus: 'initialAssignment', twin: kept },
    },
  },
  {
    name: 'hub changed',
    from: a,
    to: b,
    outcome: {
      migrate: { assignedHub: b, substatus: 'deviceDataMigrated', twin: kept },
      reset: { assignedHub: b, substatus: 'deviceDataReset', twin: initial },
      never: { assignedHub: a, substatus: 'initialAssignment', twin: kept },
    },
  },
  {
    name: 'identity gone, hub unchanged',
    from: a,
    to: a,
    happens: (id) => service.askHub(0, 'DELETE', `/devices/${id}`),
    outcome: {
      migrate: { assignedHub: a, substatus: again, twin: initial },
      reset: { assignedHub: a, substatus: 'deviceDataReset', twin: initial },
      never: { assignedHub: a, substatus: 'initialAssignment', twin: initial },
    },
  },
  {
    name: 'identity gone, hub changed',
    from: a,
    to: b,
    happens: (id) => service.askHub(0, 'DELETE', `/devices/${id}`),
    outcome: {
      migrate: { assignedHub: b, substatus: 'deviceDataReset', twin: initial },
      reset: { assignedHub: b, substatus: 'deviceDataReset', twin: initial },
      never: { assignedHub: a, substatus: 'initialAssignment', twin: initial },
    },
  },
  {
    name: 'old hub unlinked',
    from: far,
    to: b,
    happens: () => three.unlink(),
    outcome: {
      migrate: { assignedHub: b, substatus: 'deviceDataReset', twin: initial },
      reset: { assignedHub: b, substatus: 'deviceDataReset', twin: initial },
      never: { assignedHub: far, substatus: 'initialAssignment' },
    },
  },
  {
    name: 'old hub down',
    from: far,
    to: b,
    happens: async () => fake.beDown(true),
    outcome: {
      migrate: { assignedHub: far, substatus: 'initialAssignment', failed: true },
      reset: { assignedHub: b, substatus: 'deviceDataReset', twin: initial },
      never: { assignedHub: far, substatus: 'initialAssignment', failed: true },
    },
  },
]

const held = new Set<string>()
let devices = 0

for (const situation of situations) {
  describe(situation.name, () => {
    for (const policy of ['migrate', 'reset', 'never'] as const) {
      test(`${policy}: ${situation.name}`, async () => {
        await three.link()
        fake.beDown(false)
        const { id, enrolled } = await registered(situation, policy)
        await situation.happens?.(id)
        await assertOutcome(id, await provision(id, enrolled), situation.outcome[policy])
        held.add(`${situation.name} ${policy}`)
      })
    }
  })
}

test('a hub that was down loses what it should have lost as soon as it is back', async () => {
  await three.link()
  fake.beDown(false)
  const { id, enrolled } = await registered({ from: far, to: b }, 'reset')
  fake.beDown(true)
  assert.equal((await provision(id, enrolled)).assignedHub, b)
  assert.ok(fake.devices.has(id), 'the old hub could not be told')
  fake.beDown(false)
  assert.ok(await eventually(async () => !fake.devices.has(id), 20_000))
  assert.deepEqual(await hubsWith(service, id), [1])
})

test('a hub that is down leaves the operation assigning; it is assigned when the hub is back, also after a kill', async () => {
  await three.link()
  fake.beDown(true)
  const { path, body, credential } = await symmetricIndividual('patient')
  await service.operate('PUT', path, { ...body, iotHubs: [far] })
  assert.ok('symmetricKey' in credential)
  const device = deviceWithKey(service, 'patient', credential.symmetricKey)
  const api = deviceApi(service)
  const { operationId, status } = (await api.register(device)).json()
  assert.equal(status, 'assigning')
  await service.kill9()
  await service.restart()
  fake.beDown(false)
  assert.ok(
    await eventually(async () => (await api.poll(device, String(operationId))).json()['status'] === 'assigned'),
    JSON.stringify((await api.poll(device, String(operationId))).json()),
  )
  assert.ok(fake.devices.has('patient'))
})

test('when time runs out the operation fails with a reason, and nothing is left behind', async () => {
  await three.link()
  fake.beDown(true)
  const { path, body, credential } = await symmetricIndividual('impatient')
  await service.operate('PUT', path, { ...body, iotHubs: [far] })
  const result = await provision('impatient', { path, body, credential, forged: credential })
  assert.equal(result.ok, false)
  const { status, errorCode, errorMessage } = (await service.operate('GET', '/registrations/impatient')).json()
  assert.deepEqual([status, errorCode], ['failed', 503000])
  assert.notEqual(errorMessage, '')
  fake.beDown(false)
  assert.equal(fake.devices.has('impatient'), false)
})

test('a rolled key and a new leaf are at the hub after the next registration', async () => {
  const enrolled = await symmetricIndividual('rolled')
  await service.operate('PUT', enrolled.path, { ...enrolled.body, iotHubs: [a] })
  await provision('rolled', enrolled)
  const next = await symmetricIndividual('rolled')
  await service.operate('PUT', next.path, { ...next.body, iotHubs: [a] }, { headers: { 'if-match': '*' } })
  await provision('rolled', next)
  const identity = (await deviceAt(service, 0, 'rolled'))?.identity
  const { symmetricKey } = (identity?.['authentication'] ?? {}) as { symmetricKey?: { primaryKey: string } }
  assert.ok('symmetricKey' in next.credential)
  assert.equal(symmetricKey?.primaryKey, next.credential.symmetricKey)
})

test('another deviceId counts only after the registration was deleted', async () => {
  const { id, enrolled } = await registered({ from: a, to: a }, 'migrate')
  const stored = (await service.operate('GET', enrolled.path)).json() as object
  await service.operate('PUT', enrolled.path, { ...stored, deviceId: 'another-name' }, { headers: { 'if-match': '*' } })
  assert.equal((await provision(id, enrolled)).deviceId, id)
  await service.operate('DELETE', `/registrations/${id}`)
  assert.equal((await provision(id, enrolled)).deviceId, 'another-name')
})

test('an edge device has the capability, and the bundled hub gives it its modules', async () => {
  const enrolled = await symmetricIndividual('edge')
  await service.operate('PUT', enrolled.path, { ...enrolled.body, capabilities: { iotEdge: true }, iotHubs: [a] })
  await provision('edge', enrolled)
  assert.deepEqual((await deviceAt(service, 0, 'edge'))?.identity['capabilities'], { iotEdge: true })
  const { text } = await service.askHub(0, 'GET', '/devices/edge/modules')
  const modules = JSON.parse(text) as { moduleId: string }[]
  assert.deepEqual(modules.map(({ moduleId }) => moduleId).sort(), ['$edgeAgent', '$edgeHub'])
})

test('registrations of one device at the same moment, over every transport, end in one assignment', async () => {
  const enrolled = await symmetricIndividual('twice')
  await service.operate('PUT', enrolled.path, { ...enrolled.body, iotHubs: [a, b] })
  // Once over MQTT: of two sessions with one client ID the broker ends the first, as the standard asks.
  const transports = ['http', 'mqtt', 'amqp', 'amqp-ws', 'http', 'amqp', 'http'] as const
  const results = await Promise.all(transports.map((transport) => provision('twice', enrolled, transport)))
  const hubs = new Set(results.map(({ assignedHub, error }) => assignedHub ?? JSON.stringify(error)))
  assert.equal(hubs.size, 1, [...hubs].join(', '))
  assert.deepEqual(
    (await hubsWith(service, 'twice')).map((hub) => [a, b][hub]),
    [...hubs],
  )
})

after(() => {
  const columns = Object.keys(policies)
  const rows = situations.map(({ name, outcome }) => {
    const cells = (Object.keys(policies) as Policy[]).map((policy) => {
      const { substatus, failed } = outcome[policy]
      const shown = failed ? 'failed, kept' : substatus
      return `${held.has(`${name} ${policy}`) ? 'ok' : 'FAILED'} ${shown}`.padEnd(38)
    })
    return name.padEnd(32) + cells.join('')
  })
  const head = ' '.repeat(32) + columns.map((name) => name.padEnd(38)).join('')
  process.stdout.write(`${[head, ...rows].join('\n')}\n${held.size} of ${situations.length * 3} cells hold\n`)
})

/** A device that registered at `from`, has changed since, and is now permitted `to` alone. */
async function registered({ from, to }: Pick<Situation, 'from' | 'to'>, policy: Policy) {
  const id = `reprovisioned-${++devices}`
  const enrolled = await symmetricIndividual(id)
  const entry = { ...enrolled.body, initialTwin, reprovisionPolicy: policies[policy] }
  await service.operate('PUT', enrolled.path, { ...entry, iotHubs: [from] })
  const first = await provision(id, enrolled)
  assert.equal(first.assignedHub, from, JSON.stringify(first))
  if (from === a) {
    // Reported properties are the device's to write; only a bulk import can put them there.
    await service.askHub(0, 'DELETE', `/devices/${id}`)
    const { symmetricKey } = enrolled.credential as { symmetricKey: string }
    const authentication = { type: 'sas', symmetricKey: { primaryKey: symmetricKey, secondaryKey: symmetricKey } }
    const { tags, desired, reported } = kept
    const whole = {
      id,
      importMode: 'create',
      status: 'enabled',
      authentication,
      tags,
      properties: { desired, reported },
    }
    await service.askHub(0, 'POST', '/devices', [whole])
  }
  await service.operate('PUT', enrolled.path, { ...entry, iotHubs: [to] }, { headers: { 'if-match': '*' } })
  return { id, enrolled }
}

function provision(
  id: string,
  { credential }: Enrolled,
  transport: 'http' | 'mqtt' | 'mqtt-ws' | 'amqp' | 'amqp-ws' = 'mqtt',
) {
  const { deviceHost: host, idScope } = service
  return runner.run({ host, idScope, registrationId: id, transport, attestation: credential })
}

async function assertOutcome(
  id: string,
  result: { ok: boolean; assignedHub?: string },
  expected: Expected,
): Promise<void> {
  const state = (await service.operate('GET', `/registrations/${id}`)).json()
  if (expected.failed) {
    assert.equal(result.ok, false)
    assert.equal(state['status'], 'failed')
    assert.deepEqual(await hubsWith(service, id), [], 'nothing was left at another hub')
    fake.beDown(false)
    assert.ok(fake.devices.has(expected.assignedHub === far ? id : ''))
    return
  }
  assert.deepEqual([result.assignedHub, state['substatus']], [expected.assignedHub, expected.substatus])
  const where = (await hubsWith(service, id)).map((hub) => [a, b][hub])
  assert.deepEqual(where, expected.assignedHub === far ? [] : [expected.assignedHub])
  if (!expected.twin) return
  const found = await deviceAt(service, expected.assignedHub === a ? 0 : 1, id)
  assert.deepEqual({ tags: found?.tags, desired: found?.desired, reported: found?.reported }, expected.twin)
}
