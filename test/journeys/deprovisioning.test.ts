import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { promisify } from 'node:util'
import { openNodeRunner } from '../../sdk/runner.ts'
import { symmetricGroup, symmetricIndividual, x509Individual, type Enrolled } from '../fixtures/enrollments.ts'
import { sha256Thumbprint } from '../fixtures/certificates.ts'
import { deviceAt, eventually, hubsWith } from './hub-devices.ts'
import { openWithThirdHub } from './third-hub.ts'

const network = '127.70.10'
const [a, far] = [`${network}.2`, `${network}.9`]
const three = await openWithThirdHub(network, ['--hub-patience', '1000', '--hub-probe', '1'])
const { plane, fake } = three
const { service } = plane
await three.link()
const runner = await openNodeRunner({ caFile: service.caFile })
after(async () => {
  await runner[Symbol.asyncDispose]()
  await three[Symbol.asyncDispose]()
})

const effects: readonly [name: string, act: (id: string, path: string) => Promise<unknown>, again: boolean][] = [
  ['disabling the enrollment', (_, path) => change(path, { provisioningStatus: 'disabled' }), false],
  ['deleting the enrollment', (_, path) => service.operate('DELETE', path), false],
  ['deleting the registration', (id) => service.operate('DELETE', `/registrations/${id}`), true],
]
for (const [name, act, again] of effects) {
  test(`${name} leaves the hub’s identity as it is, and the device is ${again ? 'assigned' : 'refused'} when it asks again`, async () => {
    const { id, enrolled } = await provisioned(symmetricIndividual)
    const before = (await deviceAt(service, 0, id))?.identity
    await act(id, enrolled.path)
    assert.deepEqual((await deviceAt(service, 0, id))?.identity, before)
    assert.equal((await provision(id, enrolled)).ok, again)
  })
}

test('deprovisioning disables the enrollment, forgets the registration and removes the identity', async () => {
  const { id, enrolled } = await provisioned(symmetricIndividual)
  assert.deepEqual(await deprovision(id), {
    enrollment: 'disabled',
    registration: 'deleted',
    identity: 'removed',
    assignedHub: a,
  })
  assert.deepEqual(await hubsWith(service, id), [])
  await service.operate('GET', `/registrations/${id}`, undefined, { expect: 404 })
  assert.equal((await provision(id, enrolled)).ok, false, 'and it cannot come back')
  assert.deepEqual(await hubsWith(service, id), [])
})

test('deprovisioning does as much as it is asked for', async () => {
  const { id, enrolled } = await provisioned(symmetricIndividual)
  const done = await deprovision(id, { enrollment: 'delete', identity: 'disable' })
  assert.deepEqual([done['enrollment'], done['identity']], ['deleted', 'disabled'])
  assert.equal((await deviceAt(service, 0, id))?.identity['status'], 'disabled')
  await service.operate('GET', enrolled.path, undefined, { expect: 404 })
  assert.deepEqual(await deprovision(id), { enrollment: 'absent', registration: 'absent', identity: 'kept' })
})

test('a device at a hub that is down is deprovisioned, and its identity goes when the hub is back', async () => {
  const { id } = await provisioned(symmetricIndividual, far)
  fake.beDown(true)
  assert.equal((await deprovision(id))['identity'], 'later')
  await service.kill9()
  await service.restart()
  assert.ok(fake.devices.has(id))
  fake.beDown(false)
  assert.ok(await eventually(async () => !fake.devices.has(id), 30_000), 'also across a kill')
})

test('reconciling finds what is missing, disabled and foreign, and repairs what it is asked to', async () => {
  const missing = await provisioned(symmetricGroup)
  const disabled = await provisioned(symmetricIndividual)
  const foreign = await provisioned(x509Individual)
  const well = await provisioned(symmetricGroup)
  await service.askHub(0, 'DELETE', `/devices/${missing.id}`)
  const stored = (await service.askHub(0, 'GET', `/devices/${disabled.id}`)).json()
  await tamper(disabled.id, { ...stored, status: 'disabled' })
  const other = (await service.askHub(0, 'GET', `/devices/${foreign.id}`)).json()
  await tamper(foreign.id, { ...other, authentication: { type: 'sas' } })

  const found = await reconcile([])
  const drift = (kind: string, { id }: { id: string }, repair: string) => ({
    registrationId: id,
    deviceId: id,
    kind,
    repair,
  })
  const expected = (repair: string) => [
    drift('missing', missing, repair),
    drift('disabled', disabled, repair),
    drift('foreignKey', foreign, repair),
  ]
  assert.deepEqual(found.drifts, expected('none'))
  assert.ok(found.checked >= 4)
  assert.equal(await deviceAt(service, 0, missing.id), undefined, 'reporting changes nothing')

  assert.deepEqual((await reconcile(['missing', 'disabled', 'foreignKey'])).drifts, expected('done'))
  assert.deepEqual((await reconcile([])).drifts, [])
  assert.equal((await deviceAt(service, 0, disabled.id))?.identity['status'], 'enabled')
  const { certificate } = foreign.enrolled.credential as { certificate: string }
  const repaired = (await deviceAt(service, 0, foreign.id))?.identity['authentication'] ?? {}
  const { x509Thumbprint } = repaired as { x509Thumbprint?: { primaryThumbprint: string } }
  assert.equal(x509Thumbprint?.primaryThumbprint, sha256Thumbprint(certificate))
  for (const { id, enrolled } of [missing, well]) assert.equal((await connected(id, enrolled)).ok, true)
})

test('the command reconciles, deprovisions and shows the links', async () => {
  const { id } = await provisioned(symmetricIndividual)
  await service.askHub(0, 'DELETE', `/devices/${id}`)
  const drift = { registrationId: id, deviceId: id, kind: 'missing', repair: 'done' }
  assert.deepEqual(await hubward('hub', 'reconcile', '--hub', a, '--repair', 'missing'), [drift])
  const done = (await hubward('hub', 'deprovision', '--registration-id', id)) as Record<string, unknown>
  assert.deepEqual([done['enrollment'], done['registration'], done['identity']], ['disabled', 'deleted', 'removed'])
  const links = (await hubward('hub', 'list')) as { hostName: string }[]
  assert.equal(links.length, 3)
})

test('the control plane shows the health of every link', async () => {
  const { value } = (await plane.call('GET', plane.path('hubward', '/links'))).json() as {
    value: Record<string, unknown>[]
  }
  const link = value.find(({ hostName }) => hostName === a)
  assert.equal(link?.['state'], 'healthy')
  assert.ok(Number(link?.['latency']) > 0)
  assert.equal(value.length, 3)
})

let devices = 0

async function provisioned(prepare: (id: string) => Promise<Enrolled>, hub = a) {
  const id = `deprovisioned-${++devices}`
  const enrolled = await prepare(id)
  await service.operate('PUT', enrolled.path, { ...enrolled.body, allocationPolicy: 'hashed', iotHubs: [hub] })
  const { ok, error } = await provision(id, enrolled)
  assert.ok(ok, error?.message)
  return { id, enrolled }
}

function provision(id: string, { credential }: Enrolled, connect = false) {
  const { deviceHost: host, idScope } = service
  return runner.run({ host, idScope, registrationId: id, transport: 'mqtt', attestation: credential, connect })
}

function connected(id: string, enrolled: Enrolled) {
  return provision(id, enrolled, true)
}

async function deprovision(id: string, body: object = {}) {
  return (await plane.call('POST', plane.path('hubward', `/registrations/${id}/deprovision`), { body })).json()
}

async function reconcile(repair: readonly string[]) {
  const path = plane.path('hubward', `/links/${a}/reconcile`)
  return (await plane.call('POST', path, { body: { repair } })).json() as { checked: number; drifts: object[] }
}

async function change(path: string, entry: object): Promise<void> {
  const stored = (await service.operate('GET', path)).json()
  await service.operate('PUT', path, { ...stored, ...entry }, { headers: { 'if-match': '*' } })
}

/** What the command prints, as JSON. */
async function hubward(...args: readonly string[]): Promise<unknown> {
  const program = join(import.meta.dirname, '..', '..', 'bin', 'hubward.js')
  const { stdout } = await promisify(execFile)(process.execPath, [
    program,
    '--data',
    service.dataFolder,
    '--token',
    plane.token,
    ...args,
  ])
  return JSON.parse(stdout)
}

/** As somebody at the hub would, past the provisioning service: its identity with another content. */
async function tamper(id: string, identity: object): Promise<void> {
  await service.askHub(0, 'DELETE', `/devices/${id}`)
  await service.askHub(0, 'PUT', `/devices/${id}`, { ...identity, etag: undefined })
}
