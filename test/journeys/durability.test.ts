import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { after, before, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { newKey } from '../fixtures/enrollments.ts'
import { derivedKey, sasToken } from '../fixtures/sas.ts'
import { connectionMembers, startService, type Service } from '../fixtures/service.ts'

const rounds = 5
const streams = 6
const groupKey = newKey()

let service: Service

before(async () => {
  service = await startService({ network: '127.60.3' })
  const symmetricKey = { primaryKey: groupKey, secondaryKey: newKey() }
  const attestation = { type: 'symmetricKey', symmetricKey }
  await service.operate('PUT', '/enrollmentGroups/fleet', { enrollmentGroupId: 'fleet', attestation })
})

after(() => service[Symbol.asyncDispose]())

test('kill -9 at a random moment loses nothing that was acknowledged, and the next start needs no repair', async (context) => {
  const enrollments = new Map<string, string>()
  const assignments = new Map<string, string>()
  for (let round = 0; round < rounds; round++) {
    const killed = new AbortController()
    const work = Array.from({ length: streams }, (_, stream) =>
      stream % 2 === 0
        ? repeat(killed.signal, (turn) => enroll(`enrolled-${round}-${stream}-${turn}`, enrollments))
        : repeat(killed.signal, (turn) => register(`registered-${round}-${stream}-${turn}`, assignments)),
    )
    await wait(randomInt(150, 700))
    await service.kill9()
    killed.abort()
    await Promise.all(work)
    await service.restart()
  }

  for (const [registrationId, etag] of enrollments) {
    const found = (await service.operate('GET', `/enrollments/${registrationId}`)).json()
    assert.equal(found['etag'], etag, `${registrationId} was acknowledged`)
  }
  for (const [registrationId, hub] of assignments) {
    const found = (await service.operate('GET', `/registrations/${registrationId}`)).json()
    assert.equal(found['assignedHub'], hub, `${registrationId} was acknowledged`)
    const at = service.hubConnectionStrings.findIndex((text) => connectionMembers(text)['HostName'] === hub)
    const identity = (await service.askHub(at, 'GET', `/devices/${registrationId}`)).json()
    assert.equal(identity['deviceId'], registrationId)
  }
  assert.ok(enrollments.size > rounds && assignments.size > rounds, 'both streams were acknowledged in every round')
  context.diagnostic(
    `${rounds} kills: ${enrollments.size} enrollments and ${assignments.size} registrations were acknowledged, all are there`,
  )
})

/** Again and again until the service is killed; a call that it did not live to answer promises nothing. */
async function repeat(killed: AbortSignal, run: (turn: number) => Promise<void>): Promise<void> {
  for (let turn = 0; !killed.aborted; turn++) {
    try {
      await run(turn)
    } catch {
      await wait(5)
    }
  }
}

async function enroll(registrationId: string, acknowledged: Map<string, string>): Promise<void> {
  const body = { registrationId, attestation: { type: 'symmetricKey' } }
  const answer = await service.operate('PUT', `/enrollments/${registrationId}`, body)
  acknowledged.set(registrationId, String(answer.json()['etag']))
}

async function register(registrationId: string, acknowledged: Map<string, string>): Promise<void> {
  const { idScope } = service
  const resource = `${idScope}/registrations/${registrationId}`
  const authorization = sasToken(resource, derivedKey(groupKey, registrationId), { keyName: 'registration' })
  const path = `/${resource}/register?api-version=2019-03-31`
  const answer = await service.https({ method: 'PUT', path, body: { registrationId }, headers: { authorization } })
  assert.equal(answer.status, 202)
  const { status, registrationState } = answer.json() as { status: string; registrationState?: { assignedHub: string } }
  if (status === 'assigned' && registrationState) acknowledged.set(registrationId, registrationState.assignedHub)
}
