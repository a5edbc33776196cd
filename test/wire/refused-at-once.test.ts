import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { openNodeRunner, type DeviceTransport } from '../../sdk/runner.ts'
import { createSelfSigned } from '../fixtures/certificates.ts'
import { serviceUnderTest } from './subject.ts'

const service = await serviceUnderTest('127.30.47')
const runner = await openNodeRunner({ caFile: service.caFile })
after(() => runner[Symbol.asyncDispose]())

/** The SDK gives up by itself after 45 s. */
const atOnce = 2_000
const refused =
  /^(UnauthorizedError|NotConnectedError|amqp:unauthorized-access|Error): (.*Unauthorized|.*Not authorized|.*Invalid certificate)/i

for (const [what, make] of [
  ['of another name', () => createSelfSigned('somebody-else')],
  ['without a name', () => createSelfSigned('nameless', { subject: 'O=Example' })],
] as const)
  test(`a device with a certificate ${what} hears of it at once, over every transport of the Node SDK`, async () => {
    const { certificate, key } = await make()
    const transports: DeviceTransport[] = ['http', 'mqtt', 'mqtt-ws', 'amqp', 'amqp-ws']
    for (const transport of transports) {
      const { deviceHost: host, idScope } = service
      const attestation = { certificate, key }
      const result = await runner.run({ host, idScope, registrationId: 'pump-17', transport, attestation })
      assert.equal(result.ok, false)
      assert.match(`${result.error?.name}: ${result.error?.message}`, refused, transport)
      assert.ok(result.milliseconds < atOnce, `${transport}: ${result.milliseconds} ms`)
    }
  })
