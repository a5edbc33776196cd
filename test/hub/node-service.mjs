// A back end as the official Node service SDK makes it: `{object, method, arguments}` in, the result out, as lines of JSON.
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

const require = createRequire(join(process.env.SDK_FOLDER, 'package.json'))
const { AmqpWs, Client, JobClient, Registry } = require('azure-iothub')
const { Message } = require('azure-iot-common')

let objects

const commands = {
  async open(connectionString) {
    objects = {
      registry: Registry.fromConnectionString(connectionString),
      client: Client.fromConnectionString(connectionString),
      jobs: JobClient.fromConnectionString(connectionString),
    }
  },
  async useWebSockets(connectionString) {
    objects.client = Client.fromConnectionString(connectionString, AmqpWs)
  },
  async send({ deviceId, body, ...properties }) {
    const { ack, messageId, expiryTimeUtc, properties: application = {} } = properties
    const message = Object.assign(new Message(body), { ack, messageId, expiryTimeUtc })
    for (const [name, value] of Object.entries(application)) message.properties.add(name, value)
    await objects.client.send(deviceId, message)
  },
  async feedback() {
    const { result: receiver } = await objects.client.getFeedbackReceiver()
    receiver.on('message', (message) => {
      for (const record of JSON.parse(message.data.toString())) tell('feedback', record)
      receiver.complete(message)
    })
  },
  async fileNotifications() {
    await objects.client.getFileNotificationReceiver()
  },
  async call({ object, method, arguments: given = [] }) {
    const { responseBody, result, jobStatus } = await objects[object][method](...given)
    return plain(jobStatus ?? responseBody ?? result)
  },
  async updateTwin({ deviceId, patch }) {
    const { responseBody: twin } = await objects.registry.getTwin(deviceId)
    await twin.update(patch)
    return plain(twin)
  },
  async query({ text, pageSize }) {
    const query = objects.registry.createQuery(text, pageSize)
    const pages = []
    while (query.hasMoreResults) pages.push((await query.nextAsTwin()).result.map(({ deviceId }) => deviceId))
    return pages
  },
}

function tell(event, value) {
  process.stdout.write(JSON.stringify({ event, value }) + '\n')
}

/** A twin refers to the registry, which refers to sockets. */
function plain(value) {
  return value === undefined
    ? null
    : JSON.parse(JSON.stringify(value, (name, member) => (name === '_registry' ? undefined : member)))
}

createInterface(process.stdin).on('line', async (line) => {
  const { id, command, argument } = JSON.parse(line)
  try {
    process.stdout.write(JSON.stringify({ id, result: (await commands[command](argument)) ?? null }) + '\n')
  } catch (error) {
    process.stdout.write(
      JSON.stringify({ id, error: `${error.name}: ${error.message} ${error.responseBody ?? ''}` }) + '\n',
    )
  }
})
