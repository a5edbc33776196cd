import assert from 'node:assert/strict'
import { once } from 'node:events'
import { after, describe, test } from 'node:test'
import { createRoot, createSelfSigned, type Leaf } from '../fixtures/certificates.ts'
import { derivedKey, sasToken } from '../fixtures/sas.ts'
import { startService } from '../fixtures/service.ts'
import { newChip } from '../fixtures/tpm-chip.ts'
import { ask as askAmqp, attach, openAmqp, register as registerOperation } from '../wire/amqp-client.ts'
import { ask as askMqtt, mqttPort, registerTopic, subscribePacket } from '../wire/device.ts'
import { connectPacket, openMqtt } from '../wire/mqtt-client.ts'
import { other } from './world.ts'

const service = await startService({ network: '127.90.32', args: ['--answer-delay', '0'] })
after(() => service[Symbol.asyncDispose]())

const key = Buffer.alloc(64, 3).toString('base64')
const groupKey = Buffer.alloc(64, 4).toString('base64')
const symmetric = { type: 'symmetricKey', symmetricKey: { primaryKey: key, secondaryKey: key } }
const chip = { type: 'tpm', tpm: { endorsementKey: newChip().endorsementKey.toString('base64') } }
const pinned = (certificate: string) => ({ type: 'x509', x509: { clientCertificates: { primary: { certificate } } } })
const root = await createRoot('Root of the operator')

/** What may stand under a name that a stranger guesses, and how it comes to stand there. */
const states: Readonly<Record<string, (registrationId: string) => Promise<unknown>>> = {
  nothing: async () => undefined,
  'symmetric key': (id) => enroll(id, symmetric),
  'symmetric key, disabled': (id) => enroll(id, symmetric, 'disabled'),
  certificate: async (id) => enroll(id, pinned((await createSelfSigned(id)).certificate)),
  'certificate, disabled': async (id) => enroll(id, pinned((await createSelfSigned(id)).certificate), 'disabled'),
  tpm: (id) => enroll(id, chip),
  'tpm, disabled': (id) => enroll(id, chip, 'disabled'),
  'registered by a group': async (id) => {
    const authorization = sasToken(resourceOf(id), derivedKey(groupKey, id))
    assert.equal((await put(id, { headers: { authorization } })).status, 202)
  },
}
const idOf = (kind: string, state: string) => `${kind} ${state}`.replaceAll(/\W+/g, '-').toLowerCase()

await service.operate('PUT', '/enrollmentGroups/by-key', {
  enrollmentGroupId: 'by-key',
  attestation: { type: 'symmetricKey', symmetricKey: { primaryKey: groupKey, secondaryKey: groupKey } },
})
await service.operate('PUT', '/enrollmentGroups/by-certificate', {
  enrollmentGroupId: 'by-certificate',
  attestation: { type: 'x509', x509: { signingCertificates: { primary: { certificate: root.certificate } } } },
})

/** What a stranger may try, by wire and kind of credential; each gives all that it can see of the answer. */
const attempts: Readonly<Record<string, (registrationId: string) => Promise<string>>> = {
  'HTTPS, a token': (id) => overHttps(id, { headers: { authorization: guessed(id) } }),
  'HTTPS, a token and TPM keys': (id) => {
    return overHttps(id, { headers: { authorization: guessed(id) }, body: { registrationId: id, tpm: tpmKeys() } })
  },
  'HTTPS, a token, to look up': (id) => {
    return overHttps(id, { method: 'POST', headers: { authorization: guessed(id) } }, '')
  },
  'HTTPS, a token, to poll': (id) => {
    return overHttps(id, { method: 'GET', headers: { authorization: guessed(id) } }, '/operations/5.a.b')
  },
  'HTTPS, TPM keys': (id) => overHttps(id, { body: { registrationId: id, tpm: tpmKeys() } }),
  'HTTPS, malformed TPM keys': (id) => {
    return overHttps(id, { body: { registrationId: id, tpm: { endorsementKey: 'AAAA', storageRootKey: 'AAAA' } } })
  },
  'HTTPS, a certificate': async (id) => {
    const { certificate: cert, key } = await createSelfSigned(id)
    return overHttps(id, { cert, key })
  },
  'MQTT, a token': (id) => overMqtt(id, guessed(id)),
  'MQTT, a certificate': async (id) => overMqtt(id, undefined, await createSelfSigned(id)),
  'AMQP, a token': async (id) => {
    const connection = openAmqp(service, { username: resourceOf(id), password: guessed(id) })
    const [{ error }] = (await once(connection, 'connection_error').catch((thrown: unknown) => [
      { error: thrown },
    ])) as [{ error?: unknown }]
    connection.close()
    return `${String(error ?? connection.error)}`
  },
  'AMQP, a certificate': async (id) => {
    const { certificate: cert, key } = await createSelfSigned(id)
    const connection = openAmqp(service, { cert, key })
    const answer = await askAmqp(await attach(connection, resourceOf(id)), registerOperation, '{}')
    connection.close()
    return `${answer.is} ${'condition' in answer ? answer.condition : ''} ${unnamed(JSON.stringify(answer.body))}`
  },
}

describe('a stranger who guesses a name sees the same, whatever is enrolled under it', () => {
  for (const [attempted, attempt] of Object.entries(attempts)) {
    test(attempted, async () => {
      const seen = new Map<string, string>()
      for (const [state, come] of Object.entries(states)) {
        const id = idOf(attempted, state)
        await come(id)
        seen.set(state, await attempt(id))
      }
      assert.equal(new Set(seen.values()).size, 1, JSON.stringify([...seen], undefined, 1))
      assert.doesNotMatch(seen.get('nothing') ?? '', /assigned/)
    })
  }
})

test('an ID scope that nobody has is answered as one that somebody has', async () => {
  for (const [attempted, change] of Object.entries({
    token: { headers: { authorization: guessed('nobody') } },
    'TPM keys': { body: { registrationId: 'nobody', tpm: tpmKeys() } },
    certificate: await createSelfSigned('nobody').then(({ certificate: cert, key }) => ({ cert, key })),
  })) {
    const there = await put('nobody', change)
    const nowhere = await put('nobody', change, '/register', '0ne0000DEAD')
    assert.equal(unnamed(nowhere.text), unnamed(there.text), attempted)
  }
})

function overHttps(id: string, change: object, action = '/register'): Promise<string> {
  return put(id, change, action).then(({ status, rawHeaders, text }) => {
    const headers = rawHeaders.map((value, at) => (at % 2 === 1 && isOwn(rawHeaders[at - 1]) ? '…' : value))
    return `${status} ${headers.join(' ')} ${unnamed(text)}`
  })
}

function put(id: string, change: object, action = '/register', idScope = service.idScope) {
  const path = `/${idScope}/registrations/${id}${action}?api-version=2019-03-31`
  return service.https({ method: 'PUT', path, body: { registrationId: id }, ...change })
}

async function overMqtt(id: string, password: string | undefined, leaf?: Leaf): Promise<string> {
  await using connection = await openMqtt({
    ...mqttPort(service),
    ...(leaf && { cert: leaf.certificate, key: leaf.key }),
  })
  connection.send(connectPacket(id, `${resourceOf(id)}/api-version=2019-03-31`, password))
  const { returnCode } = await connection.receive('connack')
  connection.send(subscribePacket())
  await connection.receive('suback')
  const { status, body } = await askMqtt(connection, registerTopic('1'), '{}')
  return `${returnCode} ${status} ${unnamed(JSON.stringify(body))}`
}

/** What is each answer's own: its time, and the name by which the operator finds it. */
function unnamed(text: string): string {
  return text.replaceAll(/"(trackingId|timestampUtc)":"[^"]*"/g, '"$1":"…"')
}

function isOwn(header: string | undefined): boolean {
  return ['date', 'x-ms-request-id'].includes(header?.toLowerCase() ?? '')
}

function enroll(registrationId: string, attestation: object, provisioningStatus = 'enabled') {
  return service.operate('PUT', `/enrollments/${registrationId}`, { registrationId, attestation, provisioningStatus })
}

function resourceOf(registrationId: string): string {
  return `${service.idScope}/registrations/${registrationId}`
}

function guessed(registrationId: string): string {
  return sasToken(resourceOf(registrationId), other)
}

function tpmKeys() {
  const { endorsementKey, storageRootKey } = newChip()
  return { endorsementKey: endorsementKey.toString('base64'), storageRootKey: storageRootKey.toString('base64') }
}
