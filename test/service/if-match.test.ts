import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import type { DeviceId } from '../../src/model/identifiers.ts'
import { openEndpoint, registrationOf } from './endpoint.ts'
import { asDeviceId, asIdScope } from '../fixtures/identifiers.ts'

const endpoint = await openEndpoint('127.50.2.1')
after(() => endpoint[Symbol.asyncDispose]())
const { call } = endpoint

const spellings: Readonly<Record<string, (etag: string) => string>> = {
  raw: (etag) => etag,
  quoted: (etag) => `"${etag}"`,
  weak: (etag) => `W/"${etag}"`,
  decoded: (etag) => Buffer.from(etag, 'base64').toString(),
  'decoded without quotes': (etag) => Buffer.from(etag, 'base64').toString().replaceAll('"', ''),
}
const stars: Readonly<Record<string, string>> = { star: '*', 'quoted star': '"*"' }
const stale = Buffer.from('"5a007f2c-0000-0800-0000-680000000000"').toString('base64')

const families = [
  { family: 'enrollments', idMember: 'registrationId', exists: 409201, mismatch: 412201, absent: 404201 },
  { family: 'enrollmentGroups', idMember: 'enrollmentGroupId', exists: 409202, mismatch: 412202, absent: 404202 },
] as const

let made = 0

for (const { family, idMember, exists, mismatch, absent } of families) {
  const put = (id: DeviceId, ifMatch?: string) =>
    call('PUT', `/${family}/${id}`, { [idMember]: id, attestation: { type: 'symmetricKey' } }, { 'if-match': ifMatch })
  const create = async () => {
    const id = asDeviceId(`made-${made++}`)
    const answer = await put(id)
    assert.equal(answer.status, 200, answer.text)
    return { id, etag: String(answer.json()['etag']) }
  }

  test(`${family}: PUT without If-Match creates, and is refused with ${exists} where there is one`, async () => {
    const { id } = await create()
    for (const empty of [undefined, '', '""']) {
      const answer = await put(id, empty)
      assert.equal(answer.status, 409)
      assert.equal(answer.json()['errorCode'], exists)
    }
  })

  for (const [name, star] of Object.entries(stars)) {
    test(`${family}: PUT with a ${name} replaces what is there, and only that`, async () => {
      assert.equal((await put((await create()).id, star)).status, 200)
      const answer = await put(asDeviceId('not-there'), star)
      assert.equal(answer.status, 412)
      assert.equal(answer.json()['errorCode'], mismatch)
    })

    test(`${family}: DELETE with a ${name} deletes what is there, and reads 404 where nothing is`, async () => {
      const { id } = await create()
      assert.equal((await call('DELETE', `/${family}/${id}`, undefined, { 'if-match': star })).status, 204)
      const answer = await call('DELETE', `/${family}/${id}`, undefined, { 'if-match': star })
      assert.equal(answer.status, 404)
      assert.equal(answer.json()['errorCode'], absent)
    })
  }

  for (const [name, spell] of Object.entries(spellings)) {
    test(`${family}: PUT with the ${name} etag replaces; a stale or missing one reads ${mismatch}`, async () => {
      const { id, etag } = await create()
      assert.equal((await put(id, spell(etag))).status, 200)
      for (const answer of [
        await put(id, spell(etag)),
        await put(id, spell(stale)),
        await put(asDeviceId('none'), spell(stale)),
      ]) {
        assert.equal(answer.status, 412)
        assert.equal(answer.json()['errorCode'], mismatch)
        assert.equal(answer.json()['message'], 'ETag is invalid.')
      }
    })

    test(`${family}: DELETE with the ${name} etag deletes; a stale one reads ${mismatch}`, async () => {
      const { id, etag } = await create()
      const remove = (ifMatch: string) => call('DELETE', `/${family}/${id}`, undefined, { 'if-match': ifMatch })
      assert.equal((await remove(spell(stale))).json()['errorCode'], mismatch)
      assert.equal((await remove(spell(etag))).status, 204)
      assert.equal((await remove(spell(etag))).status, 404)
    })
  }
}

test('registrations: DELETE with a stale etag reads 412203, with the present one or none it forgets', async () => {
  const put = async (id: DeviceId) => {
    const registration = registrationOf(id)
    await endpoint.store.transact((write) => write.registrations.put(asIdScope(endpoint.idScope), registration))
    return registration.etag
  }
  const remove = (id: DeviceId, ifMatch?: string) =>
    call('DELETE', `/registrations/${id}`, undefined, { 'if-match': ifMatch })
  const etag = await put(asDeviceId('kept'))
  assert.equal((await remove(asDeviceId('kept'), stale)).json()['errorCode'], 412203)
  assert.equal((await remove(asDeviceId('KEPT'), `"${etag}"`)).status, 204)
  assert.equal((await remove(asDeviceId('kept'), `"${etag}"`)).json()['errorCode'], 404201)
  await put(asDeviceId('gone'))
  assert.equal((await remove(asDeviceId('gone'))).status, 204)
})

test('none of this was a fault of ours', () => assert.deepEqual(endpoint.faults, []))
