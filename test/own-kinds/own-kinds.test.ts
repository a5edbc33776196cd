import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { symmetricIndividual } from '../fixtures/enrollments.ts'
import { sasToken } from '../fixtures/sas.ts'
import { startService } from '../fixtures/service.ts'

const network = '127.88.2'
const service = await startService({ network, program: join(import.meta.dirname, 'own-service.ts') })
after(() => service[Symbol.asyncDispose]())

const attestation = { type: 'pairingCode', pairingCode: { code: 'apple-7-river' } }
const ofLine = (line: number) => ({ allocationPolicy: 'byLine', lineDefinition: { line: String(line) } })

test('a device is enrolled with a kind of attestation and an allocation policy that src knows nothing of', async () => {
  for (const line of [1, 2]) {
    const registrationId = `box-${line}`
    const body = { registrationId, attestation, ...ofLine(line) }
    const { attestation: told } = (await service.operate('PUT', `/enrollments/${registrationId}`, body)).json()
    assert.deepEqual(told, attestation, 'whoever writes a secret is shown it')
    const read = (await service.operate('GET', `/enrollments/${registrationId}`)).json()
    assert.deepEqual(read['attestation'], { type: 'pairingCode' }, 'and nobody else')
    assert.deepEqual(read['lineDefinition'], { line: String(line) })
  }
})

test('it registers over HTTPS, at the hub of its line, and is told what its kind tells it', () => registersEverywhere())

test('its secret outlives the service, also where a client writes back what it was shown', async () => {
  const read = (await service.operate('GET', '/enrollments/box-1')).json()
  await service.operate('PUT', '/enrollments/box-1', read, { headers: { 'if-match': '*' } })
  await service.stop()
  await service.restart()
  await registersEverywhere()
  const mechanism = (await service.operate('POST', '/enrollments/box-1/attestationmechanism')).json()
  assert.deepEqual(mechanism, attestation)
})

test('another code is refused like a name that is not enrolled, and no log tells a code', async () => {
  const wrong = await register('box-1', { pairingCode: { code: 'pear-3-lake' } })
  const nobody = await register('box-9', { pairingCode: { code: 'apple-7-river' } })
  assert.deepEqual([wrong.status, wrong.json()['errorCode']], [401, 401002])
  assert.equal(nobody.json()['message'], wrong.json()['message'])
  await service.logged(/the pairing code is not the one that is enrolled/)
  assert.doesNotMatch(service.log(), /apple-7-river|pear-3-lake/)
})

test('what is wrong with an enrollment of these kinds is said by member, and queries may name it', async () => {
  const put = async (entry: object) => {
    const body = { registrationId: 'box-3', attestation, ...entry }
    return (await service.operate('PUT', '/enrollments/box-3', body, { expect: 400 })).text
  }
  assert.match(await put({ attestation: { type: 'pairingCode' } }), /attestation\.pairingCode\.code is required/)
  assert.match(await put({ allocationPolicy: 'byLine' }), /lineDefinition is required by allocationPolicy byLine/)
  assert.match(await put({ lineDefinition: { line: 'x' } }), /lineDefinition\.line must be the number of a line/)
  const query = "SELECT * WHERE lineDefinition.line = '2'"
  const found: unknown = JSON.parse((await service.operate('POST', '/enrollments/query', { query })).text)
  assert.deepEqual(
    (found as { registrationId: string }[]).map(({ registrationId }) => registrationId),
    ['box-2'],
  )
})

test('the kinds that come along are served as before', async () => {
  const { path, body, credential } = await symmetricIndividual('pump')
  await service.operate('PUT', path, body)
  assert.ok('symmetricKey' in credential)
  const resource = `${service.idScope}/registrations/pump`
  const { status } = await register('pump', {}, { authorization: sasToken(resource, credential.symmetricKey) })
  assert.equal(status, 202)
})

async function registersEverywhere(): Promise<void> {
  for (const [line, hub] of [
    [1, `${network}.3`],
    [2, `${network}.2`],
  ]) {
    const answer = await register(`box-${line}`, { pairingCode: { code: 'apple-7-river' } })
    assert.equal(answer.status, 202, answer.text)
    const state = answer.json()['registrationState'] as Record<string, unknown>
    assert.deepEqual(state['pairingCode'], { paired: true })
    assert.deepEqual([state['status'], state['assignedHub']], ['assigned', hub])
  }
}

function register(registrationId: string, said: object, headers: Record<string, string> = {}) {
  const path = `/${service.idScope}/registrations/${registrationId}/register?api-version=2021-06-01`
  return service.https({ method: 'PUT', path, body: { registrationId, ...said }, headers })
}
