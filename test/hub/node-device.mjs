// A device as the official Node SDK makes it; commands come in and results go out as lines of JSON.
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

const require = createRequire(join(process.env.SDK_FOLDER, 'package.json'))
const { Client, Message } = require('azure-iot-device')
const { Amqp, AmqpWs } = require('azure-iot-device-amqp')
const { Http } = require('azure-iot-device-http')
const { Mqtt, MqttWs } = require('azure-iot-device-mqtt')

const transports = { http: Http, mqtt: Mqtt, 'mqtt-ws': MqttWs, amqp: Amqp, 'amqp-ws': AmqpWs }

let client
let twin

const commands = {
  async connect({ connectionString, transport = 'mqtt', certificate }) {
    client = Client.fromConnectionString(connectionString, transports[transport])
    client.on('disconnect', ({ transportObj }) => tell('disconnect', String(transportObj)))
    client.on('error', () => undefined)
    const options = certificate ? client.setOptions(certificate) : undefined
    // Over HTTPS the options hold at once, and the SDK never says so.
    if (transport !== 'http') await options
    await client.open()
  },
  async twin() {
    twin = await client.getTwin()
    twin.on('properties.desired', (delta) => tell('desired', delta))
    return { desired: twin.properties.desired, reported: twin.properties.reported }
  },
  report: (patch) =>
    new Promise((resolve, reject) =>
      twin.properties.reported.update(patch, (error) => (error ? reject(error) : resolve())),
    ),
  async send({ body, properties = {}, messageId }) {
    const message = new Message(body)
    if (messageId) message.messageId = messageId
    message.contentType = 'application/json'
    message.contentEncoding = 'utf-8'
    for (const [name, value] of Object.entries(properties)) message.properties.add(name, value)
    await client.sendEvent(message)
  },
  /** Settles message after message in these ways, and completes those after them. */
  async listen({ settle = [] }) {
    client.on('message', (message) => {
      const properties = message.properties.propertyList.map(({ key, value }) => [key, value])
      tell('message', { body: message.data.toString(), messageId: message.messageId, properties })
      const how = settle.shift() ?? 'complete'
      client[how](message, (error) => tell(how === 'complete' ? 'completed' : how, error?.message))
    })
  },
  /** As listen, asking every fraction of a second over HTTPS. */
  async poll({ settle }) {
    void client.setOptions({ http: { receivePolicy: { interval: 0.2 } } })
    await commands.listen({ settle })
  },
  async method({ name, status, payload }) {
    client.onDeviceMethod(name, (request, response) => {
      tell('method', { name: request.methodName, payload: request.payload })
      response.send(status, payload)
    })
  },
  disconnect: () => client.close().then(() => undefined),
}

function tell(event, value) {
  process.stdout.write(JSON.stringify({ event, value }) + '\n')
}

createInterface(process.stdin).on('line', async (line) => {
  const { id, command, argument } = JSON.parse(line)
  try {
    const result = await commands[command](argument ?? {})
    process.stdout.write(JSON.stringify({ id, result: result ?? null }) + '\n')
  } catch (error) {
    process.stdout.write(JSON.stringify({ id, error: `${error.name}: ${error.message}` }) + '\n')
  }
})
