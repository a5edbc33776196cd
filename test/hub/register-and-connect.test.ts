import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { openNodeRunner, type DeviceTransport } from '../../sdk/runner.ts'
import { symmetricIndividual, x509Individual } from '../fixtures/enrollments.ts'
import { startService } from '../fixtures/service.ts'

const transports: readonly DeviceTransport[] = ['mqtt', 'mqtt-ws', 'amqp', 'amqp-ws', 'http']
const kinds = { 'symmetric key': symmetricIndividual, 'X.509 certificate': x509Individual }

const network = '127.20.6'
const service = await startService({ network })
const runner = await openNodeRunner({ caFile: service.caFile })
after(async () => {
  await runner[Symbol.asyncDispose]()
  await service[Symbol.asyncDispose]()
})

describe('a Node device goes on at its hub as it registered, or in another way', { concurrency: 5 }, () => {
  for (const [kind, prepare] of Object.entries(kinds))
    for (const transport of transports)
      for (const hubTransport of transports)
        test(`${kind}: registers over ${transport}, sends and reads its twin over ${hubTransport}`, async () => {
          const registrationId = `${kind === 'symmetric key' ? 'key' : 'x509'}-${transport}-${hubTransport}`
          const { path, body, credential } = await prepare(registrationId)
          const initialTwin = { properties: { desired: { cell: registrationId } } }
          await service.operate('PUT', path, { ...body, initialTwin })
          const result = await runner.run({
            host: service.deviceHost,
            idScope: service.idScope,
            registrationId,
            transport,
            attestation: credential,
            connect: true,
            hubTransport,
            telemetry: registrationId,
          })
          assert.ok(result.ok, JSON.stringify(result.error))
          if (hubTransport !== 'http') assert.equal(result.twin?.desired['cell'], registrationId)
          const hub = [`${network}.2`, `${network}.3`].indexOf(result.assignedHub ?? '')
          const { messages } = (
            await service.askHub(hub, 'GET', `/devices/${registrationId}/messages/events`)
          ).json() as {
            messages: { body: unknown }[]
          }
          assert.deepEqual(
            messages.map((message) => message.body),
            [registrationId],
          )
        })
})
