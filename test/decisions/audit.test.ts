import assert from 'node:assert/strict'
import { readFile, rename, rm, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { openControlPlane, type ControlPlane } from '../management/control-plane.ts'

const attestation = { type: 'symmetricKey' }

/** From now on writing to the audit log fails as on a full disk, until what this gives is called. */
async function fillDisk({ service }: ControlPlane): Promise<() => Promise<void>> {
  const path = join(service.dataFolder, 'audit.log')
  await rename(path, `${path}.aside`)
  await symlink('/dev/full', path)
  return async () => {
    await rm(path)
    await rename(`${path}.aside`, path)
  }
}

async function untilLogged({ service }: ControlPlane, line: RegExp): Promise<void> {
  for (let tries = 0; !line.test(service.log()); tries++) {
    assert.ok(tries < 200, `${line} in ${service.log()}`)
    await wait(50)
  }
}

test('a change whose audit line cannot be written is answered; it is said, and the line is written later, in order', async () => {
  await using plane = await openControlPlane('127.91.4')
  const { service } = plane
  const put = (registrationId: string) =>
    service.operate('PUT', `/enrollments/${registrationId}`, { registrationId, attestation }, { expect: 200 })
  await put('before')
  const makeRoom = await fillDisk(plane)
  await put('while-1')
  await plane.call('PUT', plane.path('hubward', '/limits'), { body: {}, expect: 200 })
  await put('while-2')
  await untilLogged(plane, /ERROR: the audit log in \S+ cannot be written[^\n]*ENOSPC/)
  const { text } = await plane.call('GET', '/metrics')
  assert.ok(text.includes('\ndps_audit_lines_waiting 3\n'))
  await makeRoom()
  await untilLogged(plane, /WARN: the audit log is written again: 3 lines caught up\n/)
  await put('after')
  const lines = (await readFile(join(service.dataFolder, 'audit.log'), 'utf8')).trim().split('\n')
  const told = lines.map((line) => {
    const { operationName, properties } = JSON.parse(line) as { operationName: string; properties?: { id: string } }
    return properties?.id ?? operationName
  })
  assert.deepEqual(told, ['before', 'while-1', 'PutLimits', 'while-2', 'after'])
})

test('where the audit log is required, nothing is changed that it cannot tell of, and reading goes on', async () => {
  await using plane = await openControlPlane('127.91.5', ['--audit', 'required'])
  const { service } = plane
  const put = (registrationId: string, expect: number) =>
    service.operate('PUT', `/enrollments/${registrationId}`, { registrationId, attestation }, { expect })
  await put('before', 200)
  const makeRoom = await fillDisk(plane)
  const refused = await put('first', 503)
  assert.equal(refused.json()['errorCode'], 503000)
  assert.equal(refused.headers['retry-after'], '30')
  const answer = await plane.call('PUT', plane.path('hubward', '/limits'), { body: {}, expect: 503 })
  assert.equal(answer.headers['retry-after'], '30')
  await service.operate('GET', '/enrollments/before', undefined, { expect: 200 })
  await service.operate('GET', '/enrollments/first', undefined, { expect: 404 })
  await makeRoom()
  await put('first', 200)
  const path = plane.path('hubward', '/limits')
  await plane.call('PUT', path, { body: {}, expect: 200 })
  const lines = (await readFile(join(service.dataFolder, 'audit.log'), 'utf8')).trim().split('\n')
  const told = lines.map((line) => {
    const { operationName, resultType, correlationId } = JSON.parse(line) as Record<string, string>
    return { operationName, resultType, correlationId }
  })
  for (const [at, operationName] of [
    [0, 'Upsert'],
    [-4, 'Upsert'],
    [-2, 'PutLimits'],
  ] as const) {
    const [begun, ended] = [told.at(at), told.at(at + 1)]
    assert.deepEqual([begun?.operationName, begun?.resultType, ended?.resultType], [operationName, 'Begun', 'Success'])
    assert.equal(begun?.correlationId, ended?.correlationId)
  }
})
