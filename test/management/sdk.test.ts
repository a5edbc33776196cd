import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { createRoot } from '../fixtures/certificates.ts'
import { openControlPlane, openSdk, type ControlPlane, type SdkClient, type SdkGroup } from './control-plane.ts'

let plane: ControlPlane
let sdk: SdkClient
const called = new Set<string>()

before(async () => {
  plane = await openControlPlane('127.80.1')
  sdk = await openSdk(plane)
})
after(() => plane[Symbol.asyncDispose]())

const group = 'hubward'
type Described = Record<string, unknown> & { properties: Record<string, unknown> }

/** Calls an operation of the SDK and notes that it was proven. */
async function ask(of: keyof SdkClient, operation: string, ...given: unknown[]): Promise<Described> {
  called.add(`${of}.${operation}`)
  const operations: SdkGroup = sdk[of]
  return (await operations[operation]!(...given)) as Described
}

async function list(of: keyof SdkClient, operation: string, ...given: unknown[]): Promise<Described[]> {
  called.add(`${of}.${operation}`)
  return Array.fromAsync(sdk[of][operation]!(...given) as AsyncIterable<Described>)
}

const hub = (hostName: string, key: string) => ({
  connectionString: `HostName=${hostName};SharedAccessKeyName=iothubowner;SharedAccessKey=${key}`,
  location: 'here',
  allocationWeight: 5,
})
const key = Buffer.alloc(32, 7).toString('base64')

test('the management SDK creates, reads, changes, lists and deletes an instance', async () => {
  const name = 'plant-one'
  const available = await ask('iotDpsResource', 'checkProvisioningServiceNameAvailability', { name })
  assert.equal(available['nameAvailable'], true)

  const created = await ask('iotDpsResource', 'createOrUpdate', group, name, {
    location: 'here',
    tags: { line: '7' },
    sku: { name: 'S1', capacity: 1 },
    properties: { allocationPolicy: 'Static', iotHubs: [hub('hub-x.example', key)] },
  })
  const { idScope } = created.properties
  assert.match(String(idScope), /^0ne[0-9A-F]{8}$/)
  assert.equal(created.properties['state'], 'Active')

  const read = await ask('iotDpsResource', 'get', group, name)
  const hubs = read.properties['iotHubs'] as Record<string, unknown>[]
  assert.equal(hubs[0]?.['allocationWeight'], 5)
  assert.match(String(hubs[0]?.['connectionString']), /SharedAccessKey=\*\*\*\*$/, 'the key is masked')
  assert.ok(!JSON.stringify(read).includes(key))

  read.properties['allocationPolicy'] = 'Hashed'
  hubs.push(hub('hub-y.example', key))
  const changed = await ask('iotDpsResource', 'createOrUpdate', group, name, read)
  assert.equal(changed.properties['idScope'], idScope, 'the ID scope never changes')
  assert.equal(changed.properties['allocationPolicy'], 'Hashed')
  assert.equal((changed.properties['iotHubs'] as unknown[]).length, 2)

  const tagged = await ask('iotDpsResource', 'update', group, name, { tags: { line: '8' } })
  assert.deepEqual(tagged['tags'], { line: '8' })
  const names = (found: Described[]) => found.map((one) => one['name']).sort()
  assert.deepEqual(names(await list('iotDpsResource', 'listByResourceGroup', group)), ['hubward', name])
  assert.deepEqual(names(await list('iotDpsResource', 'listBySubscription')), ['hubward', name])

  await ask('iotDpsResource', 'delete', group, name)
  await assert.rejects(ask('iotDpsResource', 'get', group, name), { statusCode: 404 })
  const again = await ask('iotDpsResource', 'createOrUpdate', group, name, {
    location: 'here',
    sku: { name: 'S1', capacity: 1 },
    properties: {},
  })
  assert.notEqual(again.properties['idScope'], idScope, 'an ID scope is never given out again')
  await ask('iotDpsResource', 'delete', group, name)
})

test('the management SDK lists policies with their keys, one or all', async () => {
  const [policy] = await list('iotDpsResource', 'listKeys', 'hubward', group)
  assert.equal(policy?.['rights'], 'ServiceConfig, DeviceConnect, EnrollmentWrite')
  assert.match(
    plane.service.serviceConnectionString,
    new RegExp(`SharedAccessKey=${RegExp.escape(String(policy?.['primaryKey']))}$`),
  )
  const one = await ask('iotDpsResource', 'listKeysForKeyName', 'hubward', 'provisioningserviceowner', group)
  assert.equal(one['primaryKey'], policy?.['primaryKey'])
})

test('the management SDK uploads a CA certificate and proves possession of its key', async () => {
  const root = await createRoot('Plant root')
  const bytes = Buffer.from(root.certificate)
  const uploaded = await ask('dpsCertificate', 'createOrUpdate', group, 'hubward', 'root-1', {
    properties: { certificate: bytes },
  })
  assert.equal(uploaded.properties['isVerified'], false)
  assert.equal(uploaded.properties['subject'], 'Plant root')

  const withCode = await ask('dpsCertificate', 'generateVerificationCode', 'root-1', uploaded['etag'], group, 'hubward')
  const proof = await root.issueLeaf(String(withCode.properties['verificationCode']))
  const verified = await ask('dpsCertificate', 'verifyCertificate', 'root-1', withCode['etag'], group, 'hubward', {
    certificate: proof.certificate,
  })
  assert.equal(verified.properties['isVerified'], true)

  const read = await ask('dpsCertificate', 'get', 'root-1', group, 'hubward')
  assert.equal(read.properties['isVerified'], true)
  assert.ok(read.properties['expiry'] instanceof Date)
  const all = (await ask('dpsCertificate', 'list', group, 'hubward'))['value'] as unknown[]
  assert.equal(all.length, 1)
  await ask('dpsCertificate', 'delete', group, 'hubward', 'root-1', read['etag'])
  assert.deepEqual((await ask('dpsCertificate', 'list', group, 'hubward'))['value'], [])
})

test('the management SDK learns what there is none of: private endpoints', async () => {
  const connection = { properties: { privateLinkServiceConnectionState: { status: 'Approved', description: '' } } }
  const absent = { statusCode: 404 }
  assert.deepEqual(await ask('iotDpsResource', 'listPrivateEndpointConnections', group, 'hubward'), [])
  assert.deepEqual((await ask('iotDpsResource', 'listPrivateLinkResources', group, 'hubward'))['value'], [])
  await assert.rejects(ask('iotDpsResource', 'getPrivateLinkResources', group, 'hubward', 'iotDps'), absent)
  await assert.rejects(ask('iotDpsResource', 'getPrivateEndpointConnection', group, 'hubward', 'x'), absent)
  await assert.rejects(
    ask('iotDpsResource', 'createOrUpdatePrivateEndpointConnection', group, 'hubward', 'x', connection),
    absent,
  )
  await assert.rejects(ask('iotDpsResource', 'deletePrivateEndpointConnection', group, 'hubward', 'x'), absent)
})

test('the management SDK reads the SKUs, the operations of the provider and the result of an operation', async () => {
  assert.equal((await list('iotDpsResource', 'listValidSkus', 'hubward', group))[0]?.['name'], 'S1')
  assert.ok((await list('operations', 'list')).length > 5)
  const result = await ask('iotDpsResource', 'getOperationResult', 'some-id', group, 'hubward', 'true')
  assert.equal(result['status'], 'Succeeded')
})

test('every operation that the management SDK offers was asked of the running service', () => {
  const offered = Object.entries(sdk).flatMap(([of, operations]) =>
    ['iotDpsResource', 'dpsCertificate', 'operations'].includes(of)
      ? Object.keys(operations)
          .filter((operation) => !/^begin|AndWait$/.test(operation))
          .map((operation) => `${of}.${operation}`)
      : [],
  )
  assert.equal(offered.length, 24)
  assert.deepEqual([...called].sort(), offered.sort())
})
