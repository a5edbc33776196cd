import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { symmetricGroup } from '../fixtures/enrollments.ts'
import { sasToken, type TokenOptions } from '../fixtures/sas.ts'
import { assertAssigned, deviceWithKey, enrollDevice, type Device } from './device.ts'
import { assertError, deviceApi, version } from './https-client.ts'
import { serviceUnderTest } from './subject.ts'

const service = await serviceUnderTest('127.30.17')
let devices = 0
const newDevice = (entry: object = {}): Promise<Device> => enrollDevice(service, `token-${++devices}`, entry)
const { register, poll, registerToTheEnd } = deviceApi(service)

describe('HTTPS with SAS tokens [device-wire §2.5, §6]', { concurrency: 8 }, () => {
  const spellings: readonly [string, TokenOptions][] = [
    ['Node', { encoding: 'none', keyName: 'registration', order: ['sr', 'sig', 'skn', 'se'] }],
    ['C', { encoding: 'lower', keyName: 'registration' }],
    ['C#', { encoding: 'upper', keyName: 'registration' }],
    ['Java', { encoding: 'none', keyName: '' }],
    ['the documented script', { encoding: 'upper', keyName: 'registration', order: ['sig', 'se', 'skn', 'sr'] }],
  ]
  for (const [client, options] of spellings) {
    test(`the token of ${client} is accepted on register and poll`, async () => {
      const device = await newDevice()
      const spelled = { ...device, token: () => device.token(options) }
      assertAssigned((await registerToTheEnd(spelled)).body, device.registrationId)
    })
  }

  test('a signature that is not percent-encoded is accepted [§6.1]', async () => {
    const device = await newDevice()
    const authorization = device.token().replace(/sig=([^&]*)/, (_, sig: string) => `sig=${decodeURIComponent(sig)}`)
    assert.equal((await register(device, { headers: { authorization } })).status, 202)
  })

  const refusedTokens: readonly [string, (device: Device) => string | undefined][] = [
    ['no Authorization', () => undefined],
    ['a token signed with another key', ({ resource }) => sasToken(resource, Buffer.alloc(32, 1).toString('base64'))],
    ['a token that has expired', (device) => device.token({ expiry: Math.floor(Date.now() / 1000) - 3600 })],
    ['a token for another device', ({ key }) => sasToken(`${service.idScope}/registrations/somebody-else`, key)],
    ['a token for the host', ({ key }) => sasToken(service.deviceHost, key)],
    ['a token of another scheme', (device) => device.token().replace('SharedAccessSignature', 'Bearer')],
    ['a token without a signature', ({ resource }) => `SharedAccessSignature sr=${resource}&se=1900000000`],
    ['a token whose expiry is no number', (device) => device.token().replace(/se=\d+/, 'se=soon')],
  ]
  for (const [what, token] of refusedTokens) {
    test(`${what} is 401002, on register, poll and lookup`, async () => {
      const device = await newDevice()
      const { body } = await registerToTheEnd(device)
      const headers = { authorization: token(device) }
      assertError(await register(device, { headers }), 401002)
      assertError(await poll(device, String(body['operationId']), { headers }), 401002)
      assertError(await register(device, { method: 'POST', path: `${device.path}?${version}`, headers }), 401002)
    })
  }

  test('nobody can tell an unknown device, an unknown ID scope and a wrong key apart [§1.6]', async () => {
    const device = await newDevice()
    const key = Buffer.alloc(64, 3).toString('base64')
    const strangers = [
      deviceWithKey(service, device.registrationId, key),
      deviceWithKey(service, 'never-enrolled', key),
      deviceWithKey({ ...service, idScope: '0neFFFFFFFF' }, device.registrationId, device.key),
    ]
    const answers = await Promise.all(strangers.map((stranger) => register(stranger)))
    for (const answer of answers) assertError(answer, 401002)
    assert.equal(new Set(answers.map((answer) => answer.json()['message'])).size, 1)
  })

  test('the key of a group is not the key of its devices [§6.2]', async () => {
    const registrationId = `token-${++devices}`
    const { path, body } = await symmetricGroup(registrationId)
    const primaryKey = Buffer.alloc(64, 9).toString('base64')
    const symmetricKey = { primaryKey, secondaryKey: Buffer.alloc(64, 8).toString('base64') }
    await service.operate('PUT', path, { ...body, attestation: { type: 'symmetricKey', symmetricKey } })
    assertError(await register(deviceWithKey(service, registrationId, primaryKey)), 401002)
  })
})
