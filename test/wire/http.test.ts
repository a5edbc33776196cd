import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { HttpsAnswer } from '../fixtures/https.ts'
import { assertAssigned, enrollDevice, readBody, type Body, type Device } from './device.ts'
import { assertError, deviceApi, version } from './https-client.ts'
import { serviceUnderTest } from './subject.ts'

const service = await serviceUnderTest('127.30.12')
let devices = 0
const newDevice = (entry: object = {}): Promise<Device> => enrollDevice(service, `http-${++devices}`, entry)
const { register, poll, registerToTheEnd } = deviceApi(service)

describe('HTTPS register and poll [device-wire §2.1, §2.3]', { concurrency: 8 }, () => {
  test('PUT register answers 202 with the headers that SDKs read', async () => {
    const answer = await register(await newDevice())
    assert.equal(answer.status, 202)
    const { headers } = answer
    assert.equal(headers['content-type'], 'application/json; charset=utf-8')
    assert.match(String(headers['x-ms-request-id']), /^[0-9a-f-]{36}$/)
    assert.equal(headers['content-length'], String(Buffer.byteLength(answer.text)))
    assert.match(String(headers['strict-transport-security']), /^max-age=31536000/)
    for (const absent of ['transfer-encoding', 'content-encoding', 'trailer', 'upgrade'])
      assert.equal(headers[absent], undefined)
    const body = readBody(Buffer.from(answer.text))
    assert.match(String(body['operationId']), /^5\.[0-9a-f]{16}\.[0-9a-f-]{36}$/)
    if (body['status'] === 'assigning') assert.match(String(headers['retry-after']), /^([1-9]|[1-9]\d|[12]\d\d|300)$/)
  })

  test('a poll of an ended operation answers 200 without Retry-After and with the whole state', async () => {
    const device = await newDevice()
    const { answer, body } = await registerToTheEnd(device)
    assert.equal(answer.status, 200)
    assert.equal(answer.headers['retry-after'], undefined)
    assertAssigned(body, device.registrationId)
  })

  test('an operation can be polled again and again and stays what it was [§9.2]', async () => {
    const device = await newDevice()
    const { body } = await registerToTheEnd(device)
    assert.deepEqual((await poll(device, String(body['operationId']))).json(), body)
  })

  test('registering again is a new operation that keeps the hub and the date of the first [§9.1]', async () => {
    const device = await newDevice()
    const { body: first } = await registerToTheEnd(device)
    const { body: again } = await registerToTheEnd(device)
    assertAssigned(again, device.registrationId)
    const [before, now] = [first, again].map((body) => ({ ...(body['registrationState'] as Body) })) as [Body, Body]
    assert.notEqual(again['operationId'], first['operationId'])
    assert.equal(now['assignedHub'], before['assignedHub'])
    assert.equal(now['createdDateTimeUtc'], before['createdDateTimeUtc'])
    assert.notEqual(now['etag'], before['etag'])
  })

  for (const [apiVersion, substatus] of [
    ['2018-09-01-preview', 'initialAssignment'],
    ['2019-03-31', 'initialAssignment'],
    ['2019-04-15', 'reprovisionedToInitialAssignment'],
    ['2021-06-01', 'reprovisionedToInitialAssignment'],
  ] as const) {
    test(`registering again on the same hub is ${substatus} for api-version ${apiVersion} [service-wire §10.4]`, async () => {
      const device = await newDevice()
      await registerToTheEnd(device)
      const { operationId } = (await registerToTheEnd(device)).body
      const path = `${device.path}/operations/${String(operationId)}?api-version=${apiVersion}`
      assertAssigned((await poll(device, '', { path })).json(), device.registrationId, substatus)
    })
  }

  test('many registrations of one device at once are all accepted: never 409 for a duplicate [§9.1]', async () => {
    const device = await newDevice()
    const ended = await Promise.all(Array.from({ length: 8 }, () => registerToTheEnd(device)))
    const hubs = new Set(ended.map(({ body }) => String({ ...(body['registrationState'] as Body) }['assignedHub'])))
    assert.equal(hubs.size, 1)
  })

  test('a disabled device is told so at once: 202, an empty operation ID, no hub [§1.5]', async () => {
    const device = await newDevice({ provisioningStatus: 'disabled' })
    const answer = await register(device)
    assert.equal(answer.status, 202)
    const { operationId, status, registrationState } = readBody(Buffer.from(answer.text))
    assert.deepEqual({ operationId, status }, { operationId: '', status: 'disabled' })
    const state = { ...(registrationState as Body) }
    assert.equal(state['registrationId'], device.registrationId)
    assert.equal(state['status'], 'disabled')
    assert.equal('assignedHub' in state || 'deviceId' in state, false)
  })

  test('POST answers the bare registration state, and 404202 before there is one', async () => {
    const device = await newDevice()
    const lookUp = (): Promise<HttpsAnswer> => register(device, { method: 'POST', path: `${device.path}?${version}` })
    assertError(await lookUp(), 404202)
    const { body } = await registerToTheEnd(device)
    const answer = await lookUp()
    assert.equal(answer.status, 200)
    assert.deepEqual(answer.json(), body['registrationState'])
  })

  test('the operation of another device and one that never was are unknown: 404202', async () => {
    const { body } = await registerToTheEnd(await newDevice())
    const other = await newDevice()
    for (const id of [
      String(body['operationId']),
      '5.0123456789abcdef.6a4f2c30-8d0e-4a7f-9b52-0f3f3a1d2e77',
      'nonsense',
    ]) {
      assertError(await poll(other, id), 404202)
    }
  })

  test('a custom payload of any shape is accepted [§8.1]', async () => {
    const device = await newDevice()
    for (const payload of [{ a: [1, { b: 'é' }] }, '{"a":1}', 17, [], null, '']) {
      const { registrationId } = device
      assert.equal((await register(device, { body: { registrationId, payload } })).status, 202)
    }
  })
})

describe('HTTPS paths and queries [device-wire §2.1, §1.2, §1.3]', { concurrency: 8 }, () => {
  const device = enrollDevice(service, 'Paths.And:Case_1')
  const everyByte = (text: string): string =>
    text.replace(/./g, (c) => '%' + c.charCodeAt(0).toString(16).padStart(2, '0'))
  const spellings: readonly [string, string][] = [
    ['as it was enrolled', 'Paths.And:Case_1'],
    ['in lower case', 'paths.and:case_1'],
    ['in upper case', 'PATHS.AND:CASE_1'],
    ['with %3A', 'Paths.And%3ACase_1'],
    ['with %3a', 'Paths.And%3aCase_1'],
    ['with every character encoded', everyByte('Paths.And:Case_1')],
  ]
  for (const [what, spelled] of spellings) {
    test(`the registration ID ${what} is the same device`, async () => {
      const path = `/${service.idScope}/registrations/${spelled}/register?${version}`
      const answer = await register(await device, { path })
      assert.equal(answer.status, 202, answer.text)
      const { operationId } = answer.json()
      const pollPath = `/${service.idScope}/registrations/${spelled}/operations/${String(operationId)}?${version}`
      assert.ok((await poll(await device, '', { path: pollPath })).status < 300)
    })
  }

  for (const query of [
    'forceRegistration=true&api-version=2019-03-31',
    'api-version=2021-06-01&forceRegistration=false',
    'api-version=2018-11-01',
    'api-version=2021-11-01-preview',
    'api-version=2031-01-01',
    'x=y&api-version=2019-03-31',
  ]) {
    test(`the query ${query} is accepted`, async () => {
      const path = `${(await device).path}/register?${query}`
      assert.equal((await register(await device, { path })).status, 202)
    })
  }

  for (const query of [
    '',
    '?',
    '?api-version=',
    '?api-version=latest',
    '?api-version=2019-3-31',
    '?forceRegistration=true',
  ]) {
    test(`the query "${query}" lacks a good api-version: 400000`, async () => {
      assertError(await register(await device, { path: `${(await device).path}/register${query}` }), 400000)
    })
  }

  for (const registrationId of ['-starts-badly', 'ends-badly.', 'sp%20ace', 'sl%2Fash', 'x'.repeat(129), '%C3%BC']) {
    test(`the registration ID ${registrationId.slice(0, 20)} breaks the grammar: 400004`, async () => {
      const path = `/${service.idScope}/registrations/${registrationId}/register?${version}`
      assertError(await register(await device, { path, body: {} }), 400004)
    })
  }

  test('a path that is not percent-encoding is refused, not a fault', async () => {
    const path = `/${service.idScope}/registrations/%zz/register?${version}`
    const { status } = await register(await device, { path })
    assert.ok(status >= 400 && status < 500, `answered with ${status}`)
  })

  for (const method of ['GET', 'DELETE', 'PATCH', 'POST']) {
    test(`${method} on a register path is 405000`, async () => {
      assertError(await register(await device, { method }), 405000)
    })
  }

  for (const suffix of ['/registr', '/register/again', '/operations', '/']) {
    test(`the unknown path …${suffix} is 404000`, async () => {
      assertError(await register(await device, { path: `${(await device).path}${suffix}?${version}` }), 404000)
    })
  }
})

describe('HTTPS bodies and headers [device-wire §1.4, §2.2]', { concurrency: 8 }, () => {
  const bodies: readonly [string, (id: string) => string][] = [
    ['that is empty', () => ''],
    ['of one blank', () => ' '],
    ['{}', () => '{}'],
    ['with a null payload', (id) => `{"payload":null,"registrationId":"${id}"}`],
    ['of Java, the payload as text', (id) => `{"registrationId":"${id}","payload":"{\\"a\\":1}"}`],
    ['with the registration ID in another letter case', (id) => `{"registrationId":"${id.toUpperCase()}"}`],
    ['with unknown members', (id) => `{"registrationId":"${id}","csr":null,"tpm":null,"x":[1]}`],
  ]
  for (const [what, body] of bodies) {
    test(`a register body ${what} is taken`, async () => {
      const device = await newDevice()
      assertAssigned(
        (await registerToTheEnd(device, { body: body(device.registrationId) })).body,
        device.registrationId,
      )
    })
  }

  test('no body at all is taken as {}', async () => {
    assert.equal((await register(await newDevice(), { body: undefined })).status, 202)
  })

  for (const [what, body] of [
    ['that is cut off', '{"registrationId"'],
    ['that is an array', '[]'],
    ['that is a text', '"x"'],
    ['for another device', '{"registrationId":"somebody-else"}'],
    ['whose registration ID is a number', '{"registrationId":1}'],
  ] as const) {
    test(`a register body ${what} is 400000`, async () => {
      assertError(await register(await newDevice(), { body }), 400000)
    })
  }

  test('a poll may have a body, as Node sends it, and it is ignored', async () => {
    const device = await newDevice()
    const { body } = await registerToTheEnd(device)
    for (const sent of ['{}', ' ', 'not JSON']) {
      assert.equal((await poll(device, String(body['operationId']), { body: sent })).status, 200)
    }
  })

  for (const contentType of [
    'application/json; charset=utf-8',
    'Application/JSON',
    'application/json;charset=UTF-8',
    undefined,
  ]) {
    test(`the content type ${contentType} is accepted`, async () => {
      assert.equal((await register(await newDevice(), { headers: { 'content-type': contentType } })).status, 202)
    })
  }

  for (const contentType of ['text/plain', 'application/xml']) {
    test(`the content type ${contentType} is 415000`, async () => {
      assertError(await register(await newDevice(), { headers: { 'content-type': contentType } }), 415000)
    })
  }

  test('an unknown Content-Encoding is no reason to refuse, because the documentation sends one', async () => {
    assert.equal((await register(await newDevice(), { headers: { 'content-encoding': 'utf-8' } })).status, 202)
  })

  test('a body over 96 KB is 413000, announced or chunked', async () => {
    const device = await newDevice()
    const body = JSON.stringify({ registrationId: device.registrationId, payload: 'x'.repeat(97 * 1024) })
    assertError(await register(device, { body }), 413000)
    const headers = { 'transfer-encoding': 'chunked', 'content-length': undefined }
    assertError(await register(device, { body, headers }), 413000)
  })

  test('a body of 90 KB is taken', async () => {
    const device = await newDevice()
    const body = { registrationId: device.registrationId, payload: { text: 'x'.repeat(90 * 1024) } }
    assert.equal((await register(device, { body })).status, 202)
  })

  test('headers of 12 KB are taken', async () => {
    assert.equal((await register(await newDevice(), { headers: { 'x-long': 'x'.repeat(12 * 1024) } })).status, 202)
  })
})
