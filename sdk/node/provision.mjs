// A worker that provisions devices through the unmodified Node SDK: one JSON job a line on stdin, one JSON result a line on
// stdout, any number at once. The jobs and results are described in ../runner.ts.
import { createRequire } from 'node:module'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { openHmacKey } from './pkcs11-hmac.mjs'
import './pkcs11-keys.mjs'
import { openTpm } from './tpm.mjs'

// The SDK's packages are CommonJS whose names an import cannot see.
const require = createRequire(import.meta.url)
const { Client, Message } = require('azure-iot-device')
const { Amqp: HubAmqp, AmqpWs: HubAmqpWs } = require('azure-iot-device-amqp')
const { Http: HubHttp } = require('azure-iot-device-http')
const { Mqtt: HubMqtt, MqttWs: HubMqttWs } = require('azure-iot-device-mqtt')
const { ProvisioningDeviceClient } = require('azure-iot-provisioning-device')
const { Amqp, AmqpWs } = require('azure-iot-provisioning-device-amqp')
const { Http } = require('azure-iot-provisioning-device-http')
const { Mqtt, MqttWs } = require('azure-iot-provisioning-device-mqtt')
const { SymmetricKeySecurityClient } = require('azure-iot-security-symmetric-key')
const { X509Security } = require('azure-iot-security-x509')

const transports = { http: Http, mqtt: Mqtt, 'mqtt-ws': MqttWs, amqp: Amqp, 'amqp-ws': AmqpWs }
const hubTransports = { http: HubHttp, mqtt: HubMqtt, 'mqtt-ws': HubMqttWs, amqp: HubAmqp, 'amqp-ws': HubAmqpWs }

for await (const line of createInterface({ input: process.stdin })) {
  const { number, job } = JSON.parse(line)
  void outcome(job).then((result) => process.stdout.write(JSON.stringify({ number, result }) + '\n'))
}

async function outcome(job) {
  const started = performance.now()
  const chip = openChip(job)
  try {
    const state = await register(job, chip)
    const milliseconds = Math.round(performance.now() - started)
    const { assignedHub, deviceId, status, substatus, payload } = state
    const twin = job.connect ? await useHub(job, assignedHub, deviceId, chip) : undefined
    return { ok: true, assignedHub, deviceId, status, substatus, payload, twin, milliseconds }
  } catch (error) {
    const milliseconds = Math.round(performance.now() - started)
    const state = error.result?.registrationState
    const { status, errorCode } = { status: error.result?.status, ...state }
    // Over AMQP the SDK may hand on what its AMQP library was told, which is no Error.
    const [name, message] = [error.name ?? error.condition, error.message ?? error.description]
    return { ok: false, status, milliseconds, error: { name, message, errorCode } }
  } finally {
    chip?.close()
  }
}

/** What signs for the device, when its key is not in its own hands. */
function openChip({ registrationId, attestation: { tpm, hmac } }) {
  return tpm ? openTpm(registrationId, tpm) : hmac && openHmacKey(registrationId, hmac)
}

async function register({ host, idScope, registrationId, transport, attestation, payload }, chip) {
  const Transport = transports[transport]
  if (Transport === undefined) throw new TypeError(`The Node SDK has no transport ${transport}`)
  const credential = chip?.security ?? security(registrationId, attestation)
  const client = ProvisioningDeviceClient.create(host, idScope, new Transport(), credential)
  if (payload !== undefined) client.setProvisioningPayload(payload)
  const result = await client.register()
  return result.registrationState ?? result // with a TPM the SDK gives the whole operation
}

function security(registrationId, { symmetricKey, certificate, key }) {
  return symmetricKey === undefined
    ? new X509Security(registrationId, { cert: certificate, key })
    : new SymmetricKeySecurityClient(registrationId, symmetricKey)
}

/** Over HTTPS a device has no twin. */
async function useHub({ attestation, report, telemetry, hubTransport = 'mqtt' }, hub, deviceId, chip) {
  const { symmetricKey, certificate, key } = attestation
  const credential = symmetricKey === undefined ? 'x509=true' : `SharedAccessKey=${symmetricKey}`
  const Transport = hubTransports[hubTransport]
  const client =
    chip?.hubClient(hub, deviceId, Transport) ??
    Client.fromConnectionString(`HostName=${hub};DeviceId=${deviceId};${credential}`, Transport)
  try {
    const options = certificate === undefined ? undefined : client.setOptions({ cert: certificate, key })
    // Over HTTPS the options hold at once, and the SDK never says so.
    if (hubTransport !== 'http') await options
    await client.open()
    if (telemetry !== undefined) await client.sendEvent(new Message(telemetry))
    if (hubTransport === 'http') return undefined
    const twin = await client.getTwin()
    const { desired, reported } = JSON.parse(JSON.stringify(twin.properties))
    if (report !== undefined) await promisify(twin.properties.reported.update)(report)
    return { desired, reported }
  } finally {
    await client.close()
  }
}
