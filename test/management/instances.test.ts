import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { connect } from 'node:tls'
import { derivedKey, sasToken } from '../fixtures/sas.ts'
import { openControlPlane, type ControlPlane, type Tenant } from './control-plane.ts'

let plane: ControlPlane
let red: Tenant
let blue: Tenant
before(async () => {
  plane = await openControlPlane('127.80.3')
  red = await plane.createInstance('red')
  blue = await plane.createInstance('blue')
})
after(() => plane[Symbol.asyncDispose]())

const groupKey = { red: Buffer.alloc(64, 1).toString('base64'), blue: Buffer.alloc(64, 2).toString('base64') }

async function register(idScope: string, registrationId: string, key: string) {
  const authorization = sasToken(`${idScope}/registrations/${registrationId}`, key, { keyName: 'registration' })
  const path = `/${idScope}/registrations/${registrationId}/register?api-version=2021-06-01`
  return plane.service.https({ method: 'PUT', path, body: { registrationId }, headers: { authorization } })
}

function symmetric(primaryKey: string) {
  return { attestation: { type: 'symmetricKey', symmetricKey: { primaryKey, secondaryKey: primaryKey } } }
}

test('two tenants use the same names, and each finds its own records only', async () => {
  for (const tenant of [red, blue]) {
    const key = tenant === red ? groupKey.red : groupKey.blue
    const body = { enrollmentGroupId: 'line', ...symmetric(key) }
    await plane.operate(tenant, 'PUT', '/enrollmentGroups/line', { body })
    await plane.operate(tenant, 'PUT', '/enrollments/unit', {
      body: { registrationId: 'unit', deviceId: `of-${tenant.name}`, ...symmetric(key) },
    })
  }
  assert.equal((await plane.operate(red, 'GET', '/enrollments/unit')).json()['deviceId'], 'of-red')
  assert.equal((await plane.operate(blue, 'GET', '/enrollments/unit')).json()['deviceId'], 'of-blue')
  await plane.operate(red, 'DELETE', '/enrollments/unit')
  await plane.operate(blue, 'GET', '/enrollments/unit')
  await plane.operate(red, 'GET', '/enrollments/unit', { expect: 404 })
})

test("a key of one tenant opens nothing of another's service API, whatever host the request or the token names", async () => {
  const keyName = 'provisioningserviceowner'
  const own = sasToken(red.hostName, red.key, { keyName })
  const forged = sasToken(blue.hostName, red.key, { keyName })
  await plane.operate(blue, 'GET', '/enrollments/unit', { authorization: own, expect: 401 })
  await plane.operate(blue, 'GET', '/enrollments/unit', { authorization: forged, expect: 401 })
  await plane.operate(red, 'GET', '/enrollmentGroups/line', { authorization: forged, expect: 401 })
  const absent = await plane.operate(blue, 'GET', '/enrollments/none', { authorization: own, expect: 401 })
  const there = await plane.operate(blue, 'GET', '/enrollments/unit', { authorization: own, expect: 401 })
  assert.equal(absent.json()['message'], there.json()['message'], 'nothing tells what exists')
})

test("a device of one tenant is refused by another's ID scope as by one that does not exist", async () => {
  const key = derivedKey(groupKey.red, 'pump')
  const wrongTenant = await register(blue.idScope, 'pump', key)
  const noTenant = await register('0ne00000000', 'pump', key)
  assert.deepEqual([wrongTenant.status, noTenant.status], [401, 401])
  const shown = ({ errorCode, message }: Record<string, unknown>) => ({ errorCode, message })
  assert.deepEqual(shown(wrongTenant.json()), shown(noTenant.json()))
})

test('an operation of one tenant cannot be polled through another', async () => {
  const begun = (await register(red.idScope, 'pump', derivedKey(groupKey.red, 'pump'))).json()
  const poll = async (idScope: string, key: string) => {
    const authorization = sasToken(`${idScope}/registrations/pump`, derivedKey(key, 'pump'), {
      keyName: 'registration',
    })
    const path = `/${idScope}/registrations/pump/operations/${String(begun['operationId'])}?api-version=2021-06-01`
    return (await plane.service.https({ method: 'GET', path, headers: { authorization } })).status
  }
  assert.equal(await poll(red.idScope, groupKey.red), 200)
  assert.equal(await poll(blue.idScope, groupKey.blue), 404)
})

test('a page of one tenant cannot be continued in another', async () => {
  for (const id of ['a', 'b', 'c']) {
    await plane.operate(red, 'PUT', `/enrollments/${id}`, { body: { registrationId: id, ...symmetric(groupKey.red) } })
  }
  const query = { body: { query: 'SELECT * FROM enrollments' }, headers: { 'x-ms-max-item-count': '1' } }
  const first = await plane.operate(red, 'POST', '/enrollments/query', query)
  const continuation = String(first.headers['x-ms-continuation'])
  const headers = { ...query.headers, 'x-ms-continuation': continuation }
  await plane.operate(red, 'POST', '/enrollments/query', { ...query, headers })
  await plane.operate(blue, 'POST', '/enrollments/query', { ...query, headers, expect: 400 })
})

test('a token for one instance manages that one, sees no other and learns of none', async () => {
  const { token, id } = (
    await plane.call('POST', '/admin/v1/tokens', {
      body: { description: 'red team', assignments: [{ role: 'Contributor', scope: 'red' }] },
    })
  ).json()
  const as = { token: String(token) }
  await plane.call('GET', plane.path('red'), as)
  await plane.call('POST', plane.path('red', '/listkeys'), as)
  const list = (await plane.call('GET', plane.path('x').replace(/\/x$/, ''), as)).json()['value'] as { name: string }[]
  assert.deepEqual(
    list.map(({ name }) => name),
    ['red'],
  )
  const other = (await plane.call('GET', plane.path('blue'), { ...as, expect: 403 })).json()
  const none = (await plane.call('GET', plane.path('none'), { ...as, expect: 403 })).json()
  assert.equal(other['message'], none['message'])
  for (const [method, path] of [
    ['PUT', plane.path('green')],
    ['DELETE', plane.path('blue')],
    ['POST', plane.path('blue', '/listkeys')],
    ['POST', `/subscriptions/any/providers/Microsoft.Devices/checkProvisioningServiceNameAvailability`],
    ['PUT', plane.path('red', '/limits')],
    ['GET', '/admin/v1/tokens'],
    ['POST', '/admin/v1/tokens'],
    ['PUT', '/admin/v1/issuers/mine'],
  ] as const) {
    await plane.call(method, path, { ...as, body: {}, expect: 403 })
  }
  const hostNames = { ...as, body: { properties: { hostNames: ['elsewhere.example'] } }, expect: 403 }
  await plane.call('PUT', plane.path('red'), hostNames)
  await plane.call('PUT', plane.path('red'), { ...as, body: { properties: { hostNames: [red.hostName] } } })
  await plane.operate(red, 'GET', '/enrollmentGroups/line', { authorization: `Bearer ${String(token)}` })
  await plane.operate(blue, 'GET', '/enrollmentGroups/line', { authorization: `Bearer ${String(token)}`, expect: 401 })

  await plane.call('DELETE', `/admin/v1/tokens/${String(id)}`)
  await plane.call('DELETE', `/admin/v1/tokens/${plane.token.split('_')[1]}`, { expect: 409 })
  await plane.call('GET', plane.path('red'), { ...as, expect: 401 })
  await plane.operate(red, 'GET', '/enrollmentGroups/line', { authorization: `Bearer ${String(token)}`, expect: 401 })
})

test('each role allows what it says and no more', async () => {
  const tokenFor = async (role: string) => {
    const body = { assignments: [{ role, scope: 'red' }] }
    return String((await plane.call('POST', '/admin/v1/tokens', { body })).json()['token'])
  }
  const allowed = async (role: string) => {
    const token = await tokenFor(role)
    const answers = [
      (await plane.call('GET', plane.path('red'), { token }).catch(() => undefined))?.status,
      (await plane.call('POST', plane.path('red', '/listkeys'), { token }).catch(() => undefined))?.status,
      (await plane.call('PATCH', plane.path('red'), { token, body: { tags: {} } }).catch(() => undefined))?.status,
    ]
    const authorization = `Bearer ${token}`
    const body = { registrationId: 'role', ...symmetric(groupKey.red) }
    const headers = { 'if-match': '*' }
    await plane.operate(red, 'PUT', '/enrollments/role', { body }).catch(() => undefined)
    const data = [
      (await plane.operate(red, 'GET', '/enrollments/role', { authorization }).catch(() => undefined))?.status,
      (await plane.operate(red, 'PUT', '/enrollments/role', { authorization, body, headers }).catch(() => undefined))
        ?.status,
      (
        await plane
          .operate(red, 'POST', '/enrollments/role/attestationmechanism', { authorization })
          .catch(() => undefined)
      )?.status,
    ]
    return [...answers, ...data].map((status) => status !== undefined)
  }
  // get, list keys, tag; read an enrollment, write it, show its keys
  assert.deepEqual(await allowed('Owner'), [true, true, true, true, true, true])
  assert.deepEqual(await allowed('Contributor'), [true, true, true, true, true, true])
  assert.deepEqual(await allowed('Reader'), [true, false, false, false, false, false])
  assert.deepEqual(await allowed('DataContributor'), [false, false, false, true, true, true])
  assert.deepEqual(await allowed('DataReader'), [false, false, false, true, false, false])
})

test('shared keys can be switched off, and then only bearer tokens are believed', async () => {
  const grey = await plane.createInstance('grey', { disableLocalAuth: true })
  await plane.operate(grey, 'GET', '/enrollments/none', { expect: 401 })
  await plane.operate(grey, 'GET', '/enrollments/none', { authorization: `Bearer ${plane.token}`, expect: 404 })
  await plane.call('PUT', plane.path('grey'), { body: { properties: { disableLocalAuth: false } } })
  await plane.operate(grey, 'GET', '/enrollments/none', { expect: 404 })
})

test('IP filters keep addresses from the endpoint that they are for', async () => {
  const guarded = await plane.createInstance('guarded')
  const set = (target: string, action = 'Reject') =>
    plane.call('PUT', plane.path('guarded'), {
      body: { properties: { ipFilterRules: [{ filterName: 'all', action, ipMask: '127.0.0.0/8', target }] } },
    })
  const body = { enrollmentGroupId: 'g', ...symmetric(groupKey.red) }
  await plane.operate(guarded, 'PUT', '/enrollmentGroups/g', { body })
  const device = async () => (await register(guarded.idScope, 'd', derivedKey(groupKey.red, 'd'))).status
  await set('deviceApi')
  assert.equal(await device(), 401)
  await plane.operate(guarded, 'GET', '/enrollmentGroups/g')
  await set('serviceApi')
  assert.equal(await device(), 202)
  await plane.operate(guarded, 'GET', '/enrollmentGroups/g', { expect: 401 })
  await set('all')
  assert.equal(await device(), 401)
  await set('all', 'Accept')
  assert.equal(await device(), 202)
})

test('a masked connection string keeps the key of that hub, and of no other', async () => {
  const key = Buffer.alloc(32, 9).toString('base64')
  const hub = (hostName: string, written: string) => ({
    location: 'here',
    connectionString: `HostName=${hostName};SharedAccessKeyName=owner;SharedAccessKey=${written}`,
  })
  await plane.createInstance('masked', { iotHubs: [hub('a.example', key)] })
  const put = (iotHubs: unknown[], expect?: number) =>
    plane.call('PUT', plane.path('masked'), { body: { properties: { iotHubs } }, expect })
  const shown = (await put([hub('A.example', '****'), hub('b.example', key)])).json()['properties'] as {
    iotHubs: { name: string }[]
  }
  assert.deepEqual(
    shown.iotHubs.map(({ name }) => name),
    ['a.example', 'b.example'],
  )
  await put([hub('c.example', '****')], 400)
  await put([{ ...hub('a.example', '****'), allocationWeight: 1001 }], 400)
  await put([hub('a.example', '****'), hub('a.example', key)], 400)
})

test('of many changes that were made from the same reading exactly one is taken', async () => {
  await plane.createInstance('contended')
  const { etag } = (await plane.call('GET', plane.path('contended'))).json()
  const change = (allocationPolicy: string) =>
    plane.call('PUT', plane.path('contended'), {
      body: { properties: { allocationPolicy } },
      ifMatch: String(etag),
    })
  const outcomes = await Promise.allSettled(Array.from({ length: 8 }, () => change('Static')))
  assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1)
  const made = await Promise.allSettled(Array.from({ length: 4 }, () => plane.createInstance('made-once')))
  const scopes = new Set(made.flatMap((one) => (one.status === 'fulfilled' ? [one.value.idScope] : [])))
  assert.equal(scopes.size, 1, 'whoever came later has changed what was there')
})

test('keys are regenerated one at a time, and given ones are kept', async () => {
  const keyed = await plane.createInstance('keyed')
  const at = plane.path('keyed', '/keys/provisioningserviceowner')
  const before = (await plane.call('POST', `${at}/listkeys`)).json()
  const after = (await plane.call('POST', `${at}/regenerate`, { body: { keyType: 'primary' } })).json()
  assert.notEqual(after['primaryKey'], before['primaryKey'])
  assert.equal(after['secondaryKey'], before['secondaryKey'])
  await plane.operate(keyed, 'GET', '/enrollments/x', { expect: 401 })
  const keyName = 'provisioningserviceowner'
  const authorization = sasToken(keyed.hostName, String(after['secondaryKey']), { keyName })
  await plane.operate(keyed, 'GET', '/enrollments/x', { authorization, expect: 404 })
})

test('a key of null is made anew and the others stay, an empty one is refused: no 200 for what was not done', async () => {
  await plane.createInstance('nulled')
  const keys = async () =>
    (await plane.call('POST', plane.path('nulled', '/keys/provisioningserviceowner/listkeys'))).json()
  const put = (policy: object, expect?: number) => {
    const owner = { keyName: 'provisioningserviceowner', rights: 'ServiceConfig, EnrollmentWrite', ...policy }
    const body = { properties: { authorizationPolicies: [owner] } }
    return plane.call('PUT', plane.path('nulled'), { body, expect })
  }
  const before = await keys()
  await put({ primaryKey: null })
  const after = await keys()
  assert.notEqual(after['primaryKey'], before['primaryKey'])
  assert.equal(after['secondaryKey'], before['secondaryKey'])
  assert.match((await put({ secondaryKey: '' }, 400)).text, /secondaryKey/)
  await put({})
  assert.deepEqual(await keys(), after)
})

test('an empty If-Match is none: Terraform creates and updates with it; a stale one is refused', async () => {
  const body = { location: 'here', properties: { allocationPolicy: 'Static' } }
  await plane.call('PUT', plane.path('terraformed'), { body, ifMatch: '' })
  await plane.call('PUT', plane.path('terraformed'), { body, ifMatch: '""' })
  await plane.call('PUT', plane.path('terraformed'), { body, ifMatch: '*' })
  await plane.call('PUT', plane.path('terraformed'), { body, ifMatch: 'AAAA', expect: 412 })
})

test('an allocation weight of 0, which Terraform sends for every hub, is accepted', async () => {
  await plane.createInstance('weighted')
  const key = Buffer.alloc(32, 1).toString('base64')
  const connectionString = `HostName=weightless.example;SharedAccessKeyName=k;SharedAccessKey=${key}`
  const put = (allocationWeight: number, expect?: number) =>
    plane.call('PUT', plane.path('weighted'), {
      body: { properties: { iotHubs: [{ location: 'here', connectionString, allocationWeight }] } },
      expect,
    })
  await put(0)
  for (const weight of [-1, 0.5, 1001]) assert.match((await put(weight, 400)).text, /allocationWeight/)
})

test('nothing of the control plane is answered on a device port, and nothing without a token', async () => {
  const authorization = `Bearer ${plane.token}`
  const onDevicePort = await plane.service.https({
    method: 'GET',
    path: `${plane.path('red')}?api-version=2022-12-12`,
    headers: { authorization },
  })
  assert.equal(onDevicePort.status, 404)
  await plane.call('GET', plane.path('red'), { token: null, expect: 401 })
  await plane.call('GET', plane.path('red'), { token: 'hubward_0000000000000000_x', expect: 401 })
  await plane.call('GET', '/admin/v1/nothing', { expect: 404 })
  await plane.call('DELETE', '/providers/Microsoft.Devices/operations', { expect: 405 })
})

test("the server's certificate is good for the host name of an instance as soon as that is there", async () => {
  const named = await plane.createInstance('named')
  const { deviceHost: host, ports, ca } = plane.service
  const authorized = (port: number, servername: string) =>
    new Promise<boolean>((resolve, reject) => {
      const socket = connect({ host, port, ca, servername }, () => {
        resolve(socket.authorized)
        socket.end()
      })
      socket.once('error', (error) =>
        'code' in error && error.code === 'ERR_TLS_CERT_ALTNAME_INVALID' ? resolve(false) : reject(error),
      )
    })
  assert.equal(await authorized(ports.https, named.hostName), true)
  assert.equal(await authorized(ports.mqtt, named.hostName), true)
  assert.equal(await authorized(ports.https, 'unnamed.localhost'), false)
})

test('deleting an instance ends it for its devices and operators, and its name can be used again', async () => {
  const gone = await plane.createInstance('short-lived')
  await plane.operate(gone, 'PUT', '/enrollmentGroups/g', {
    body: { enrollmentGroupId: 'g', ...symmetric(groupKey.red) },
  })
  assert.equal((await register(gone.idScope, 'd', derivedKey(groupKey.red, 'd'))).status, 202)
  await plane.call('DELETE', plane.path('short-lived'))
  assert.equal((await register(gone.idScope, 'd', derivedKey(groupKey.red, 'd'))).status, 401)
  await plane.operate(gone, 'GET', '/enrollmentGroups/g', { expect: 401 })
  await plane.call('DELETE', plane.path('short-lived'), { expect: 204 })
  await plane.call('DELETE', plane.path('hubward'), { expect: 409 })
  const again = await plane.createInstance('short-lived')
  assert.notEqual(again.idScope, gone.idScope)
  await plane.operate(again, 'GET', '/enrollmentGroups/g', { expect: 404 })
})

test('names that are taken or cannot be are told apart', async () => {
  const path = '/subscriptions/any/providers/Microsoft.Devices/checkProvisioningServiceNameAvailability'
  const check = async (name: string) => (await plane.call('POST', path, { body: { name } })).json()['reason']
  assert.deepEqual(
    [await check('RED'), await check('123'), await check('free-one')],
    ['AlreadyExists', 'Invalid', undefined],
  )
  const elsewhere = plane.path('red').replace('hubward', 'elsewhere')
  await plane.call('GET', elsewhere, { expect: 404 })
  await plane.call('PUT', elsewhere, { body: { properties: {} }, expect: 409 })
  await plane.call('PUT', plane.path('other'), { body: { properties: { hostNames: [red.hostName] } }, expect: 409 })
})
