import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { openNodeRunner, type DeviceRunner } from '../../sdk/runner.ts'
import { createRoot, type Authority, type Leaf } from '../fixtures/certificates.ts'
import { derivedKey, sasToken } from '../fixtures/sas.ts'
import { askHttps } from '../fixtures/https.ts'
import { openControlPlane, type ControlPlane } from './control-plane.ts'
import { underLoad } from './load.ts'

let plane: ControlPlane
let devices: DeviceRunner
before(async () => {
  plane = await openControlPlane('127.80.7')
  devices = await openNodeRunner({ caFile: plane.service.caFile })
})
after(async () => {
  await devices[Symbol.asyncDispose]()
  await plane[Symbol.asyncDispose]()
})

const at = (rest: string) => plane.path('hubward', rest)

async function register(registrationId: string, { chain, key }: Leaf): Promise<number> {
  const path = `/${plane.service.idScope}/registrations/${registrationId}/register?api-version=2021-06-01`
  const answer = await plane.service.https({ method: 'PUT', path, body: { registrationId }, cert: chain, key })
  return answer.status
}

/** Upload a root and prove possession of its key, as an operator does. */
async function uploadVerified(name: string, root: Authority): Promise<void> {
  const body = { properties: { certificate: root.certificate } }
  const uploaded = (await plane.call('PUT', at(`/certificates/${name}`), { body })).json()
  const coded = (
    await plane.call('POST', at(`/certificates/${name}/generateVerificationCode`), {
      ifMatch: String(uploaded['etag']),
    })
  ).json()
  const { verificationCode } = coded['properties'] as Record<string, string>
  const { certificate } = await root.issueLeaf(verificationCode!)
  const options = { body: { certificate }, ifMatch: String(coded['etag']) }
  await plane.call('POST', at(`/certificates/${name}/verify`), options)
}

test('a fleet rolls over from an old root to a new one, registering all the while, and no device is refused', async () => {
  const [oldRoot, newRoot] = await Promise.all([createRoot('Fleet root 2020'), createRoot('Fleet root 2030')])
  const names = Array.from({ length: 8 }, (_, index) => `fleet-${index}`)
  const issue = (from: Authority) => Promise.all(names.map((name) => from.issueLeaf(name)))
  const carried = await issue(oldRoot)
  const renewed = await issue(newRoot)
  const refers = async (caReferences: object, etag?: string) => {
    const body = { enrollmentGroupId: 'fleet', attestation: { type: 'x509', x509: { caReferences } } }
    const headers = etag === undefined ? undefined : { 'if-match': etag }
    await plane.service.operate('PUT', '/enrollmentGroups/fleet', body, { headers })
  }
  await uploadVerified('root-2020', oldRoot)
  await refers({ primary: 'root-2020' })

  const answers = new Map<number, number>()
  const fleet = underLoad(names.length, async (index) => {
    const status = await register(names[index]!, carried[index]!)
    answers.set(status, (answers.get(status) ?? 0) + 1)
  })
  await fleet.turn()

  await uploadVerified('root-2030', newRoot)
  await refers({ primary: 'root-2020', secondary: 'root-2030' }, '*')
  for (const index of names.keys()) {
    // Each device gets its new certificate at its own time, while its neighbours still have their old ones.
    carried[index] = renewed[index]!
    await fleet.turn()
  }
  await refers({ primary: 'root-2030' }, '*')
  await plane.call('DELETE', at('/certificates/root-2020'), { ifMatch: '*' })
  await fleet.turn()
  await fleet.stop()

  assert.deepEqual([...answers.keys()], [202], `answers: ${JSON.stringify([...answers])}`)
  assert.equal(await register(names[0]!, (await issue(oldRoot))[0]!), 401, 'the old root admits nobody any more')
})

test('a lost device is revoked: the SDK is refused, and its credential no longer opens the hub', async () => {
  const { service } = plane
  const body = { registrationId: 'van-3', attestation: { type: 'symmetricKey' } }
  const { attestation } = (await service.operate('PUT', '/enrollments/van-3', body)).json()
  const { primaryKey } = (attestation as { symmetricKey: { primaryKey: string } }).symmetricKey
  const provision = () =>
    devices.run({
      host: `${service.deviceHost}:${service.ports.mqtt}`,
      idScope: service.idScope,
      registrationId: 'van-3',
      transport: 'mqtt',
      attestation: { symmetricKey: primaryKey },
      connect: true,
    })
  const found = await provision()
  assert.ok(found.ok, 'it registers and reads its twin')
  const hub = String(found.assignedHub)
  const send = () =>
    askHttps(hub, service.ports.https, service.ca, {
      method: 'POST',
      path: '/devices/van-3/messages/events?api-version=2021-04-12',
      body: { temperature: 20 },
      headers: { authorization: sasToken(`${hub}/devices/van-3`, primaryKey) },
    })
  assert.equal((await send()).status, 204)

  await plane.call('POST', at('/revoke'), { body: { registrationId: 'van-3', reason: 'the van was stolen' } })
  assert.equal((await send()).status, 401, 'the hub no longer takes its messages')
  const lost = await provision()
  assert.equal(lost.ok, false)
  const { value } = (await plane.call('GET', at('/decisions?registrationId=van-3&limit=1'))).json()
  assert.match(JSON.stringify(value), /RegistrationRevoked.*the van was stolen/)
})

test('the keys of a policy are renewed under load, one after the other, and no call fails', async () => {
  const tenant = await plane.createInstance('busy')
  const keyName = 'provisioningserviceowner'
  const keys = plane.path('busy', `/keys/${keyName}`)
  const shown = (await plane.call('POST', `${keys}/listkeys`)).json()
  let inUse = String(shown['secondaryKey'])
  const load = underLoad(4, async () => {
    const authorization = sasToken(tenant.hostName, inUse, { keyName })
    const body = { query: 'SELECT * FROM enrollments' }
    await plane.operate(tenant, 'POST', '/enrollments/query', { authorization, body })
  })
  for (let round = 0; round < 3; round++) {
    for (const keyType of ['primary', 'secondary'] as const) {
      const renewed = (await plane.call('POST', `${keys}/regenerate`, { body: { keyType } })).json()
      inUse = String(renewed[`${keyType}Key`])
      // Calls that were signed with the other key are answered before that is renewed in turn.
      await load.turn()
    }
  }
  await load.stop()
  const first = sasToken(tenant.hostName, String(shown['primaryKey']), { keyName })
  await plane.operate(tenant, 'GET', '/enrollments/x', { authorization: first, expect: 401 })
})

test('the keys of a group are renewed while its devices register, and no device is refused', async () => {
  const at = '/enrollmentGroups/rolling'
  const read = async () => {
    const answer = await plane.service.operate('POST', `${at}/attestationmechanism`)
    return (answer.json() as { symmetricKey: Record<'primaryKey' | 'secondaryKey', string> }).symmetricKey
  }
  const body = { enrollmentGroupId: 'rolling', attestation: { type: 'symmetricKey' } }
  await plane.service.operate('PUT', at, body)
  let inUse = (await read()).secondaryKey
  const { idScope, https } = plane.service
  const load = underLoad(4, async (worker) => {
    const registrationId = `rolling-${worker}`
    const key = derivedKey(inUse, registrationId)
    const authorization = sasToken(`${idScope}/registrations/${registrationId}`, key, { keyName: 'registration' })
    const path = `/${idScope}/registrations/${registrationId}/register?api-version=2021-06-01`
    const { status, text } = await https({ method: 'PUT', path, body: { registrationId }, headers: { authorization } })
    assert.equal(status, 202, text)
  })
  for (const renewed of ['primaryKey', 'secondaryKey', 'primaryKey'] as const) {
    const symmetricKey = { ...(await read()), [renewed]: Buffer.alloc(64, Math.random() * 256).toString('base64') }
    await plane.service.operate(
      'PUT',
      at,
      { ...body, attestation: { type: 'symmetricKey', symmetricKey } },
      { headers: { 'if-match': '*' } },
    )
    inUse = symmetricKey[renewed]
    await load.turn()
  }
  assert.ok((await load.stop()) >= 24)
})
