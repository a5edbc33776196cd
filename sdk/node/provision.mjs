// A worker that provisions devices through the unmodified Node SDK: one JSON job a line on stdin, one JSON result a line on
// stdout, any number at once. The jobs and results are described in ../runner.ts.
import { createRequire } from 'node:module'
import { createInterface } from 'node:readline'

// The SDK's packages are CommonJS whose names an import cannot see.
const require = createRequire(import.meta.url)
const { Client } = require('azure-iot-device')
const { Mqtt: HubMqtt, MqttWs: HubMqttWs } = require('azure-iot-device-mqtt')
const { ProvisioningDeviceClient } = require('azure-iot-provisioning-device')
const { Amqp, AmqpWs } = require('azure-iot-provisioning-device-amqp')
const { Http } = require('azure-iot-provisioning-device-http')
const { Mqtt, MqttWs } = require('azure-iot-provisioning-device-mqtt')
const { SymmetricKeySecurityClient } = require('azure-iot-security-symmetric-key')
const { X509Security } = require('azure-iot-security-x509')

const transports = { http: Http, mqtt: Mqtt, 'mqtt-ws': MqttWs, amqp: Amqp, 'amqp-ws': AmqpWs }
const hubTransports = { mqtt: HubMqtt, 'mqtt-ws': HubMqttWs }

for await (const line of createInterface({ input: process.stdin })) {
  const { number, job } = JSON.parse(line)
  void outcome(job).then((result) => process.stdout.write(JSON.stringify({ number, result }) + '\n'))
}

async function outcome(job) {
  const started = performance.now()
  try {
    const state = await register(job)
    const milliseconds = Math.round(performance.now() - started)
    const { assignedHub, deviceId, status, substatus, payload } = state
    const twin = job.connect ? await readTwin(job, assignedHub, deviceId) : undefined
    return { ok: true, assignedHub, deviceId, status, substatus, payload, twin, milliseconds }
  } catch (error) {
    const milliseconds = Math.round(performance.now() - started)
    const state = error.result?.registrationState
    const { status, errorCode } = { status: error.result?.status, ...state }
    return { ok: false, status, milliseconds, error: { name: error.name, message: error.message, errorCode } }
  }
}

async function register({ host, idScope, registrationId, transport, attestation, payload }) {
  const Transport = transports[transport]
  if (Transport === undefined) throw new TypeError(`The Node SDK has no transport ${transport}`)
  const client = ProvisioningDeviceClient.create(host, idScope, new Transport(), security(registrationId, attestation))
  if (payload !== undefined) client.setProvisioningPayload(payload)
  return await client.register()
}

function security(registrationId, { symmetricKey, certificate, key }) {
  return symmetricKey === undefined
    ? new X509Security(registrationId, { cert: certificate, key })
    : new SymmetricKeySecurityClient(registrationId, symmetricKey)
}

async function readTwin({ attestation, hubTransport = 'mqtt' }, hub, deviceId) {
  const { symmetricKey, certificate, key } = attestation
  const credential = symmetricKey === undefined ? 'x509=true' : `SharedAccessKey=${symmetricKey}`
  const client = Client.fromConnectionString(
    `HostName=${hub};DeviceId=${deviceId};${credential}`,
    hubTransports[hubTransport],
  )
  try {
    if (symmetricKey === undefined) await client.setOptions({ cert: certificate, key })
    await client.open()
    const { properties } = await client.getTwin()
    const { desired, reported } = JSON.parse(JSON.stringify(properties))
    return { desired, reported }
  } finally {
    await client.close()
  }
}
