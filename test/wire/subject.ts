import assert from 'node:assert/strict'
import { after } from 'node:test'
import { startService, type Service } from '../fixtures/service.ts'
import { assertAssigned, enrollDevice, openSession, registerToTheEnd } from './device.ts'

/**
 * The service that one test file speaks to, on a network of its own, started with `args`. When all its tests have ended it must still be the same
 * process, have met no fault, and serve a device that has done nothing wrong.
 */
export async function serviceUnderTest(network: string, args: readonly string[] = []): Promise<Service> {
  const service = await startService({ network, args })
  after(async () => {
    try {
      const device = await enrollDevice(service, 'after-everything')
      await using session = await openSession(service, device)
      assertAssigned(await registerToTheEnd(session), device.registrationId)
      assert.ok(service.running(), 'nothing in this file ended the process')
      assert.doesNotMatch(
        service.log(),
        /\b(?:ERROR|FATAL)\b|"level":[56]0|^ +at .+:\d+:\d+\)?$/m,
        'no fault was logged',
      )
    } finally {
      await service[Symbol.asyncDispose]()
    }
  })
  return service
}
