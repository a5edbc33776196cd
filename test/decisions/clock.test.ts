import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { jumps } from '../fixtures/clocks.ts'
import { sasToken } from '../fixtures/sas.ts'
import { startService } from '../fixtures/service.ts'

const service = await startService({
  network: '127.90.31',
  program: join(import.meta.dirname, 'clocked-service.ts'),
  args: ['--limits', 'azure'],
})
after(() => service[Symbol.asyncDispose]())

const key = Buffer.alloc(64, 3).toString('base64')
const device = 'clock-1'
const attestation = { type: 'symmetricKey', symmetricKey: { primaryKey: key, secondaryKey: key } }
await service.operate('PUT', `/enrollments/${device}`, { registrationId: device, attestation })

test('a wall clock that is set, by minutes or by a year, holds nobody up', async () => {
  // Polls of one device are limited too: by time that passed, not by the time of day.
  assert.equal(await registered(0), 'assigned')
  for (const jump of jumps) {
    writeFileSync(join(service.dataFolder, 'clock-set-by'), String(jump))
    assert.equal(await registered(jump), 'assigned', `set by ${jump} ms`)
  }
})

test('the jump is said, once, with what goes by the new time', async () => {
  const said = /the clock was set (forward|back) by \d+ s: .*nothing is deleted by its age for an hour/
  for (let look = 0; look < 100 && !said.test(service.log()); look++) await wait(100)
  assert.match(service.log(), said)
})

/** Registers and, as every SDK does that was told `assigning`, polls; ends with the status. */
async function registered(setBy: number): Promise<unknown> {
  const resource = `${service.idScope}/registrations/${device}`
  const expiry = Math.floor((Date.now() + setBy) / 1000) + 600
  const headers = { authorization: sasToken(resource, key, { expiry }) }
  const ask = (method: string, path: string) =>
    service.https({ method, path: `/${resource}/${path}?api-version=2021-06-01`, headers, body: {} })
  let answer = await ask('PUT', 'register')
  for (let poll = 0; poll < 5 && answer.status === 202; poll++) {
    const { operationId, status } = answer.json() as { operationId: string; status: string }
    if (status !== 'assigning') return status
    await wait(500)
    answer = await ask('GET', `operations/${operationId}`)
  }
  return (answer.json() as { status?: string }).status ?? answer.text
}
