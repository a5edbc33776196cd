// A back end that reads events with the official Event Hubs SDK for Node, found as Microsoft's samples find them: by the redirect
// that the hub gives at its own address. Commands come in and results go out as lines of JSON.
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

const require = createRequire(join(process.env.SDK_FOLDER, 'package.json'))
const { EventHubConsumerClient } = require('@azure/event-hubs')
const { Connection } = createRequire(require.resolve('@azure/event-hubs'))('rhea-promise')

let consumer
let subscription

const commands = {
  async open({ connectionString, token, webSocket }) {
    const endpoint = await redirectOf(connectionString, token)
    const { SharedAccessKeyName, SharedAccessKey } = members(connectionString)
    const eventHub = `Endpoint=sb://${endpoint.hostname}/;EntityPath=${endpoint.entity};SharedAccessKeyName=${SharedAccessKeyName};SharedAccessKey=${SharedAccessKey}`
    const options = webSocket ? { webSocketOptions: { webSocket: require('ws'), webSocketConstructorOptions: {} } } : {}
    consumer = new EventHubConsumerClient('$Default', eventHub, options)
    return endpoint
  },
  properties: async () => ({
    hub: await consumer.getEventHubProperties(),
    partition: await consumer.getPartitionProperties((await consumer.getPartitionIds())[0]),
  }),
  async subscribe(startPosition) {
    subscription = consumer.subscribe(
      {
        processEvents: async (events) => {
          for (const { body, properties, systemProperties, offset, sequenceNumber, contentType } of events)
            tell('event', { body, properties, systemProperties, offset, sequenceNumber, contentType })
        },
        processError: async (error) => tell('error', `${error.name}: ${error.message}`),
      },
      { startPosition },
    )
  },
  async close() {
    await subscription?.close()
    await consumer.close()
  },
}

async function redirectOf(connectionString, token) {
  const { HostName, SharedAccessKeyName } = members(connectionString)
  const username = `${SharedAccessKeyName}@sas.root.${HostName.split('.')[0]}`
  const options = { transport: 'tls', host: HostName, hostname: HostName, port: 5671, reconnect: false }
  const connection = new Connection({ ...options, username, password: token })
  await connection.open()
  try {
    const receiver = await connection.createReceiver({ source: { address: 'messages/events/$management' } })
    const error = await new Promise((resolve) => receiver.on('receiver_error', () => resolve(receiver.error)))
    if (error.condition !== 'amqp:link:redirect') throw new Error(error.description)
    const { hostname, address } = error.info
    return { hostname, entity: address.split('/')[3] }
  } finally {
    await connection.close().catch(() => undefined)
  }
}

function members(connectionString) {
  return Object.fromEntries(connectionString.split(';').map((member) => member.split(/=(.*)/s, 2)))
}

function tell(event, value) {
  process.stdout.write(JSON.stringify({ event, value }) + '\n')
}

createInterface(process.stdin).on('line', async (line) => {
  const { id, command, argument } = JSON.parse(line)
  try {
    process.stdout.write(JSON.stringify({ id, result: (await commands[command](argument ?? {})) ?? null }) + '\n')
  } catch (error) {
    process.stdout.write(JSON.stringify({ id, error: `${error.name}: ${error.message}` }) + '\n')
  }
})
