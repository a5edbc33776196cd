import { randomUUID } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import type { DeviceRunner } from '../sdk/runner.ts'
import { symmetricIndividual } from '../test/fixtures/enrollments.ts'
import type { Service } from '../test/fixtures/service.ts'

/** What the service has to be started with so that it may call a function on this machine. */
export const journeySettings = ['--webhook-http', 'allow', '--webhook-networks', '127.0.0.0/8']

const firmware = '1.4.2'

/**
 * A custom allocation policy, and a move: the operator's function sends the device to the hub of the site that it names. When it
 * registers from another site it is moved, and its twin goes with it, with what it has reported. Says whether it was so.
 */
export async function journey(service: Service, devices: DeviceRunner, hubs: readonly string[]): Promise<boolean> {
  const sites: Readonly<Record<string, string>> = { north: hubs[0]!, south: hubs[1]! }
  await using webhook = await serveFunction(sites)
  const device = `mover-${randomUUID().slice(0, 8)}`
  const { path, body, credential } = await symmetricIndividual(device)
  await service.operate('PUT', path, {
    ...body,
    allocationPolicy: 'custom',
    customAllocationDefinition: { webhookUrl: webhook.url, apiVersion: '2021-10-01' },
    reprovisionPolicy: { updateHubAssignment: true, migrateDeviceData: true },
  })
  const register = (site: string) =>
    devices.run({
      host: service.deviceHost,
      idScope: service.idScope,
      registrationId: device,
      transport: 'mqtt',
      attestation: credential,
      payload: { site },
      connect: true,
      report: { firmware },
    })

  const first = await register('north')
  console.log(
    `\n${device} registers from the north: the custom policy assigns it to ${first.assignedHub}; it reports firmware ${firmware}.`,
  )
  const second = await register('south')
  const reported = second.twin?.reported['firmware']
  console.log(
    `It registers from the south: moved to ${second.assignedHub} (${second.substatus}); its twin there says firmware ${reported}.`,
  )
  return first.assignedHub === sites['north'] && second.assignedHub === sites['south'] && reported === firmware
}

/** The operator's function, as it would be written for Azure Functions. */
async function serveFunction(sites: Readonly<Record<string, string>>): Promise<{ url: string } & AsyncDisposable> {
  const server: Server = createServer(async (request, response) => {
    let text = ''
    for await (const chunk of request) text += String(chunk)
    const { deviceRuntimeContext } = JSON.parse(text) as { deviceRuntimeContext: { payload: { site: string } } }
    response.setHeader('Content-Type', 'application/json')
    response.end(JSON.stringify({ iotHubHostName: sites[deviceRuntimeContext.payload.site] }))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}/api/allocate`,
    [Symbol.asyncDispose]: async () => {
      server.close()
      server.closeAllConnections()
    },
  }
}
