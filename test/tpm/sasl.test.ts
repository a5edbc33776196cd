import assert from 'node:assert/strict'
import { once } from 'node:events'
import { after, before, test } from 'node:test'
import type { EventContext } from 'rhea'
import { startService, type Service } from '../fixtures/service.ts'
import { ask, attach, openAmqp, register } from '../wire/amqp-client.ts'
import { startSoftwareTpm } from './software-tpm.ts'
import { openTpmDevice, type TpmDevice } from './tpm-device.ts'

const opened = new AsyncDisposableStack()
after(() => opened.disposeAsync())

let service: Service
let device: TpmDevice

before(async () => {
  service = opened.use(await startService({ network: '127.40.13' }))
  device = opened.use(await openTpmDevice(opened.use(await startSoftwareTpm('127.40.1.5'))))
})

test('a TPM is challenged in the two segments that Java insists on, and its request without keys is answered with the hub key', async () => {
  await enroll('two-segments')
  const mechanism = saslTpm('two-segments')
  const connection = openAmqp(service, { sasl_mechanisms: { TPM: () => mechanism } })
  const links = await attach(connection, `${service.idScope}/registrations/two-segments`)
  assert.deepEqual(mechanism.controls, [0x00, 0x80, 0xc1])
  assert.ok(mechanism.longest <= 487, `${mechanism.longest} bytes fit a SASL frame of 512`)
  const { body } = await ask(links, register, '')
  assert.equal(body['status'], 'assigned')
  const { tpm } = body['registrationState'] as { tpm: { authenticationKey: string } }
  await device.activate(Buffer.from(tpm.authenticationKey, 'base64'))
  connection.close()
})

test('an unknown registration, a malformed key and a foreign one are refused before the challenge', async () => {
  await enroll('known')
  const cut = device.endorsementKey.subarray(0, 200)
  const foreign = Buffer.from(device.endorsementKey)
  foreign[100]! ^= 1
  for (const mechanism of [saslTpm('nobody'), saslTpm('known', cut), saslTpm('known', foreign)]) {
    const connection = openAmqp(service, { sasl_mechanisms: { TPM: () => mechanism } })
    const [{ error }] = (await once(connection, 'connection_error')) as [EventContext]
    assert.match(String((error as Error).message), /Failed to authenticate: 1$/)
    assert.deepEqual(mechanism.controls, [0x00], 'the storage root key was asked for, and nothing was handed over')
  }
})

test('a token that the TPM did not sign is refused', async () => {
  await enroll('unsigned')
  const mechanism = saslTpm('unsigned', device.endorsementKey, async () => token('unsigned', Buffer.alloc(32)))
  const connection = openAmqp(service, { sasl_mechanisms: { TPM: () => mechanism } })
  const [{ error }] = (await once(connection, 'connection_error')) as [EventContext]
  assert.match(String((error as Error).message), /Failed to authenticate: 1$/)
})

test('a disabled enrollment is told so on the link, and its TPM keeps the key it has', async () => {
  await enroll('disabled', { provisioningStatus: 'disabled' })
  const mechanism = saslTpm('disabled')
  const connection = openAmqp(service, { sasl_mechanisms: { TPM: () => mechanism } })
  const { body } = await ask(await attach(connection, `${service.idScope}/registrations/disabled`), register, '')
  assert.equal(body['status'], 'disabled')
  assert.deepEqual(mechanism.controls, [0x00])
  connection.close()
})

test('nothing of all this was a fault', () => {
  assert.doesNotMatch(service.log(), /fault/i)
})

type Give = (error: unknown, response?: Buffer) => void

/** The device's side of SASL TPM as device-wire §5.3 has it, with the first byte of every challenge noted down. */
function saslTpm(registrationId: string, endorsementKey = device.endorsementKey, makeToken = signedToken) {
  const parts: Buffer[] = []
  const controls: number[] = []
  let longest = 0
  const answer = async (challenge: Buffer): Promise<Buffer> => {
    controls.push(challenge[0]!)
    longest = Math.max(longest, challenge.length)
    if (challenge.length === 1) return device.storageRootKey
    parts.push(challenge.subarray(1))
    if ((challenge[0]! & 0x40) === 0) return Buffer.alloc(0)
    return Buffer.from(await makeToken(registrationId, Buffer.concat(parts)))
  }
  return {
    controls,
    get longest() {
      return longest
    },
    start: (give: Give) => {
      give(undefined, Buffer.concat([Buffer.from(`\0${service.idScope}\0${registrationId}\0`), endorsementKey]))
    },
    step: (challenge: Buffer, give: Give) => {
      answer(challenge).then((content) => give(undefined, Buffer.concat([Buffer.from([0]), content])), give)
    },
  }
}

async function signedToken(registrationId: string, blob: Buffer): Promise<string> {
  await device.activate(blob)
  return token(registrationId)
}

async function token(registrationId: string, signature?: Buffer): Promise<string> {
  const resource = `${service.idScope}/registrations/${registrationId}`
  const expiry = Math.floor(Date.now() / 1000) + 3600
  const signed = signature ?? (await device.sign(`${resource}\n${expiry}`))
  return `SharedAccessSignature sr=${resource}&sig=${encodeURIComponent(signed.toString('base64'))}&se=${expiry}&skn=`
}

async function enroll(registrationId: string, entry: object = {}): Promise<void> {
  const attestation = { type: 'tpm', tpm: { endorsementKey: device.endorsementKey.toString('base64') } }
  await service.operate('PUT', `/enrollments/${registrationId}`, { registrationId, attestation, ...entry })
}
