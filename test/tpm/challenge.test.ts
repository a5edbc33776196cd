import assert from 'node:assert/strict'
import { createPublicKey, generateKeyPairSync } from 'node:crypto'
import { after, before, test } from 'node:test'
import { connectionMembers, startService, type Service } from '../fixtures/service.ts'
import { startSoftwareTpm } from './software-tpm.ts'
import { openTpmDevice, type TpmDevice } from './tpm-device.ts'

const opened = new AsyncDisposableStack()
after(() => opened.disposeAsync())

let service: Service
let device: TpmDevice

before(async () => {
  service = opened.use(await startService({ network: '127.40.11' }))
  device = opened.use(await openTpmDevice(opened.use(await startSoftwareTpm('127.40.1.4'))))
})

test('the challenge is a 401 with a wrapped key, its name and no status; the signed answer is assigned with the hub key', async () => {
  await enroll('whole')
  const challenge = await register('whole', keysOf(device))
  assert.equal(challenge.status, 401)
  const { authenticationKey, keyName, message, status, unencryptedAuthenticationKey } = challenge.json()
  assert.equal(keyName, 'registration')
  assert.equal(typeof message, 'string')
  assert.equal(status, undefined, 'the C client takes a body with a status for an answer')
  assert.equal(unencryptedAuthenticationKey ?? null, null)
  await device.activate(Buffer.from(String(authenticationKey), 'base64'))

  const answer = await register('whole', keysOf(device), await token('whole'))
  assert.equal(answer.status, 202)
  const operation = answer.json()
  assert.equal(operation['status'], 'assigned')
  const state = operation['registrationState'] as { tpm: { authenticationKey: string }; assignedHub: string }
  await device.activate(Buffer.from(state.tpm.authenticationKey, 'base64'))
  const hub = service.hubConnectionStrings.findIndex(
    (text) => connectionMembers(text)['HostName'] === state.assignedHub,
  )
  const { authentication } = (await service.askHub(hub, 'GET', '/devices/whole')).json()
  assert.equal((authentication as { type: string }).type, 'sas')
})

test('an unknown registration and a foreign endorsement key are not found, and are not challenged', async () => {
  const unknown = await register('nobody', keysOf(device))
  assert.equal(unknown.status, 404)
  assert.equal(unknown.json()['errorCode'], 404201)
  await enroll('foreign', storageKey())
  const foreign = await register('foreign', keysOf(device))
  assert.equal(foreign.status, 404)
  assert.equal(foreign.json()['errorCode'], 404201)
  assert.equal(foreign.json()['authenticationKey'], undefined)
})

test('keys that are truncated, of another type or absurdly long get a clear 400', async () => {
  await enroll('malformed')
  const { endorsementKey, storageRootKey } = keysOf(device)
  const ecc = Buffer.from(device.endorsementKey)
  ecc[3] = 0x23
  const broken = [ecc, device.endorsementKey.subarray(0, 100), Buffer.alloc(0), Buffer.alloc(60_000)]
  for (const bytes of broken.map((key) => key.toString('base64'))) {
    for (const keys of [
      { endorsementKey: bytes, storageRootKey },
      { endorsementKey, storageRootKey: bytes },
    ]) {
      const { status, json } = await register('malformed', keys)
      assert.equal(status, 400)
      assert.match(String(json()['message']), /key/)
    }
  }
  for (const keys of [
    { endorsementKey: 7, storageRootKey },
    { endorsementKey },
    { endorsementKey: '?!', storageRootKey },
  ]) {
    assert.equal((await register('malformed', keys)).status, 400)
  }
})

test('a disabled enrollment is told so before its device would lose its key to a challenge', async () => {
  await enroll('disabled', device.endorsementKey, { provisioningStatus: 'disabled' })
  const { status, json } = await register('disabled', keysOf(device))
  assert.equal(status, 202)
  assert.equal(json()['status'], 'disabled')
  assert.equal(json()['authenticationKey'], undefined)
})

test('a device for which there is no hub is refused before its challenge', async () => {
  await enroll('homeless', device.endorsementKey, { allocationPolicy: 'static' })
  const { status, json } = await register('homeless', keysOf(device))
  assert.equal(status, 400)
  assert.equal(json()['errorCode'], 400208)
  assert.equal(json()['authenticationKey'], undefined)
})

test('a token that its nonce did not sign is refused with an error, not with another challenge', async () => {
  await enroll('forged')
  const challenge = await register('forged', keysOf(device))
  await device.activate(Buffer.from(String(challenge.json()['authenticationKey']), 'base64'))
  const good = await token('forged')
  const forged = good.replace(/sig=[^&]*/, `sig=${encodeURIComponent(Buffer.alloc(32, 1).toString('base64'))}`)
  const { status, json } = await register('forged', keysOf(device), forged)
  assert.equal(status, 401)
  assert.equal(json()['errorCode'], 401002)
  assert.equal(json()['authenticationKey'], undefined)
  assert.equal((await register('forged', keysOf(device), good)).status, 202)
})

test('a nonce for one registration is not good for another of the same TPM', async () => {
  await Promise.all([enroll('mine'), enroll('also-mine')])
  const challenge = await register('mine', keysOf(device))
  await device.activate(Buffer.from(String(challenge.json()['authenticationKey']), 'base64'))
  const { status } = await register('also-mine', keysOf(device), await token('also-mine'))
  assert.equal(status, 401)
})

test('a challenge from before a restart is still good after it', async () => {
  await enroll('restarted')
  const challenge = await register('restarted', keysOf(device))
  await service.stop()
  await service.restart()
  await device.activate(Buffer.from(String(challenge.json()['authenticationKey']), 'base64'))
  assert.equal((await register('restarted', keysOf(device), await token('restarted'))).status, 202)
})

test('a device that does not repeat its keys with the token, as IoT Edge, gets its hub key, also after a restart', async () => {
  await enroll('edge')
  const challenge = await register('edge', keysOf(device))
  assert.equal(challenge.status, 401)
  await service.kill9()
  await service.restart()
  await device.activate(Buffer.from(String(challenge.json()['authenticationKey']), 'base64'))
  // IoT Edge signs the resource in lower case.
  const signed = await token('edge', service.idScope.toLowerCase())
  const answer = await register('edge', undefined, signed)
  assert.equal(answer.status, 202)
  const operation = answer.json()
  assert.equal(operation['status'], 'assigned', answer.text)
  const state = operation['registrationState'] as { tpm: { authenticationKey: string } }
  await device.activate(Buffer.from(state.tpm.authenticationKey, 'base64'))
  const poll = await service.https({
    method: 'GET',
    path: `/${service.idScope}/registrations/edge/operations/${operation['operationId']}?api-version=2018-11-01`,
    headers: { authorization: signed },
  })
  assert.equal(poll.status, 200)
})

test('a TPM is challenged whose key was enrolled as PEM, and the service API shows what SDKs send', async () => {
  const n = device.endorsementKey.subarray(-256).toString('base64url')
  const key = createPublicKey({ key: { kty: 'RSA', n, e: 'AQAB' }, format: 'jwk' })
  const pem = key.export({ type: 'spki', format: 'pem' })
  const attestation = { type: 'tpm', tpm: { endorsementKey: pem } }
  const enrolled = await service.operate('PUT', '/enrollments/from-pem', { registrationId: 'from-pem', attestation })
  const { tpm } = enrolled.json()['attestation'] as { tpm: { endorsementKey: string } }
  assert.equal(tpm.endorsementKey, keysOf(device).endorsementKey)
  assert.equal((await register('from-pem', keysOf(device))).status, 401)
})

test('nothing of all this was a fault', () => {
  assert.doesNotMatch(service.log(), /fault/i)
})

function keysOf({ endorsementKey, storageRootKey }: TpmDevice) {
  return {
    endorsementKey: endorsementKey.toString('base64'),
    storageRootKey: storageRootKey.toString('base64'),
  }
}

function register(registrationId: string, tpm: object | undefined, authorization?: string) {
  return service.https({
    method: 'PUT',
    path: `/${service.idScope}/registrations/${registrationId}/register?api-version=2019-03-31`,
    body: { registrationId, tpm },
    headers: { authorization },
  })
}

/** Signed inside the TPM, with the key that was activated last. */
async function token(registrationId: string, idScope = service.idScope): Promise<string> {
  const resource = encodeURIComponent(`${idScope}/registrations/${registrationId}`)
  const expiry = Math.floor(Date.now() / 1000) + 3600
  const signature = (await device.sign(`${resource}\n${expiry}`)).toString('base64')
  return `SharedAccessSignature sr=${resource}&sig=${encodeURIComponent(signature)}&se=${expiry}&skn=registration`
}

async function enroll(
  registrationId: string,
  endorsementKey = device.endorsementKey,
  entry: object = {},
): Promise<void> {
  const attestation = { type: 'tpm', tpm: { endorsementKey: endorsementKey.toString('base64') } }
  await service.operate('PUT', `/enrollments/${registrationId}`, { registrationId, attestation, ...entry })
}

/** A storage key of no TPM. */
function storageKey(): Buffer {
  const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const modulus = Buffer.from(publicKey.export({ format: 'jwk' }).n ?? '', 'base64url')
  return Buffer.concat([Buffer.from('011a0001000b00030472000000060080004300100800000000000100', 'hex'), modulus])
}
