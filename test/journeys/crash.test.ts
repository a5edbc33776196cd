import assert from 'node:assert/strict'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import { startService } from '../fixtures/service.ts'
import { enrollDevice, type Device } from '../wire/device.ts'
import { deviceApi } from '../wire/https-client.ts'
import { deviceAt, eventually, hubsWith } from './hub-devices.ts'

const network = '127.70.3'
const hubs = [`${network}.2`, `${network}.3`]
const program = join(import.meta.dirname, 'crashing-service.ts')
const service = await startService({ network, program, args: ['--short-wait', '20000'] })
const api = deviceApi(service)
const order = join(service.dataFolder, 'crash-at')
const held = new Map<string, number>()
after(() => service[Symbol.asyncDispose]())

/** What a device goes through when the process dies, and what must be true of it ever after. */
interface Journey {
  readonly name: string
  /** Every step of it, in order: between any two the process dies once. */
  readonly steps: readonly string[]
  /** The policy of the entry at the second registration. */
  readonly entry: object
  /** The device has registered before, at the first hub. */
  readonly registered: boolean
  /** The index of the hub that has the device in the end. */
  readonly hub: number
  readonly twin: { readonly desired: object; readonly reported: object; readonly tags: object }
}

const initialTwin = { tags: { line: 'initial' }, properties: { desired: { mode: 'initial' } } }
const initial = { tags: { line: 'initial' }, desired: { mode: 'initial' }, reported: {} }
const changed = { tags: { line: 'changed' }, desired: { mode: 'changed' }, reported: { firmware: '1.2' } }
const migrate = { updateHubAssignment: true, migrateDeviceData: true }
const reset = { updateHubAssignment: true, migrateDeviceData: false }
const moving = ['begun', 'read', 'journaled', 'created', 'made', 'committed', 'removed', 'placed', 'ended']
const custom = {
  allocationPolicy: 'custom',
  customAllocationDefinition: { webhookUrl: 'https://in-process/to-and-fro', apiVersion: '2021-10-01' },
}

const journeys: readonly Journey[] = [
  {
    name: 'a move with its data',
    steps: moving,
    entry: { iotHubs: [hubs[1]], reprovisionPolicy: migrate },
    registered: true,
    hub: 1,
    twin: changed,
  },
  {
    name: 'a move that resets',
    steps: moving,
    entry: { iotHubs: [hubs[1]], reprovisionPolicy: reset },
    registered: true,
    hub: 1,
    twin: initial,
  },
  {
    name: 'a reset where the device is',
    steps: ['begun', 'journaled', 'emptied', 'created', 'made', 'placed', 'ended'],
    entry: { iotHubs: [hubs[0]], reprovisionPolicy: reset },
    registered: true,
    hub: 0,
    twin: initial,
  },
  {
    name: 'a device that stays',
    steps: ['begun', 'placed', 'ended'],
    entry: { iotHubs: [hubs[0]], reprovisionPolicy: migrate },
    registered: true,
    hub: 0,
    twin: changed,
  },
  {
    name: 'a first assignment by hash',
    steps: ['begun', 'made', 'placed', 'ended'],
    entry: { iotHubs: [hubs[0]] },
    registered: false,
    hub: 0,
    twin: initial,
  },
  {
    // Its policy changes its mind each time it is asked, so only what was written down tells where the device is.
    name: 'a first assignment by a policy that wavers',
    steps: ['journaled', 'made', 'placed', 'ended'],
    entry: { ...custom, reprovisionPolicy: { updateHubAssignment: false, migrateDeviceData: true } },
    registered: false,
    hub: -1,
    twin: initial,
  },
]

mkdirSync(join(service.dataFolder, 'policies'), { recursive: true })
writeFileSync(
  join(service.dataFolder, 'policies', 'to-and-fro.ts'),
  `import { appendFileSync, statSync } from 'node:fs'
   const asked = ${JSON.stringify(join(service.dataFolder, 'asked'))}
   export default ({ linkedHubs }: { linkedHubs: string[] }) => {
     appendFileSync(asked, '.')
     return { iotHubHostName: linkedHubs[statSync(asked).size % linkedHubs.length] }
   }`,
)

for (const [number, journey] of journeys.entries()) {
  for (const [at, step] of journey.steps.entries()) {
    test(`${journey.name}: killed at “${step}”, exactly one hub has the device, with the right twin`, async () => {
      const device = await prepared(`crash-${number}-${at}`, journey)
      writeFileSync(order, step)
      await assert.rejects(api.register(device), 'the connection ends with the process')
      assert.ok(await eventually(async () => !service.running()))
      assert.ok(!existsSync(order), `the step ${step} was reached`)
      await service.restart()

      const begun = at >= journey.steps.indexOf('journaled') && journey.steps.includes('journaled')
      if (begun) await assertSettled(device, journey)
      const { body } = await api.registerToTheEnd(device)
      assert.equal(body['status'], 'assigned', JSON.stringify(body))
      const { assignedHub } = body['registrationState'] as { assignedHub: string }
      await assertSettled(device, journey)
      assert.deepEqual(
        (await hubsWith(service, device.registrationId)).map((hub) => hubs[hub]),
        [assignedHub],
      )
      held.set(journey.name, (held.get(journey.name) ?? 0) + 1)
    })
  }
}

after(() => {
  const total = journeys.reduce((sum, { steps }) => sum + steps.length, 0)
  const rows = journeys.map(
    ({ name, steps }) => `${name.padEnd(46)}${held.get(name) ?? 0} of ${steps.length}   ${steps.join(', ')}`,
  )
  const good = [...held.values()].reduce((sum, count) => sum + count, 0)
  process.stdout.write(`${rows.join('\n')}\ncrash matrix: ${good} of ${total} kill -9 boundaries hold\n`)
})

/** Whether the device comes back or not: after a while it is in one place, whole, and stays so. */
async function assertSettled({ registrationId }: Device, { hub, twin }: Journey): Promise<void> {
  const found = async () => {
    const where = await hubsWith(service, registrationId)
    const device = where.length === 1 ? await deviceAt(service, where[0]!, registrationId) : undefined
    return { where, twin: { tags: device?.tags, desired: device?.desired, reported: device?.reported } }
  }
  // What was cut off is taken up again meanwhile: a reset removes the device once more before it makes it.
  await eventually(async () => {
    const now = await found()
    return now.where.length === 1 && (hub < 0 || now.where[0] === hub) && isDeepStrictEqual(now.twin, twin)
  })
  const settled = await found()
  assert.equal(settled.where.length, 1, `the device is at the hubs ${settled.where}`)
  if (hub >= 0) assert.deepEqual(settled.where, [hub])
  assert.deepEqual(settled.twin, twin)
}

async function prepared(registrationId: string, { registered, entry }: Journey): Promise<Device> {
  if (!registered) return enrollDevice(service, registrationId, { initialTwin, ...entry })
  // Reported properties are the device's to write; only a bulk import can put them there.
  const identity = { id: registrationId, importMode: 'create', status: 'enabled', authentication: { type: 'sas' } }
  const properties = { desired: {}, reported: { firmware: '1.2' } }
  await service.askHub(0, 'POST', '/devices', [{ ...identity, tags: {}, properties }])
  const device = await enrollDevice(service, registrationId, { initialTwin, iotHubs: [hubs[0]] })
  const { body } = await api.registerToTheEnd(device)
  assert.equal(body['status'], 'assigned', JSON.stringify(body))
  const { tags, desired } = changed
  await service.askHub(0, 'PATCH', `/twins/${registrationId}`, { tags, properties: { desired } })
  const path = `/enrollments/${registrationId}`
  const stored = (await service.operate('GET', path)).json() as object
  await service.operate('PUT', path, { ...stored, iotHubs: undefined, ...entry }, { headers: { 'if-match': '*' } })
  return device
}
