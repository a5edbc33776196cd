import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { openNodeRunner } from '../sdk/runner.ts'
import { symmetricIndividual } from '../test/fixtures/enrollments.ts'
import { askHttps } from '../test/fixtures/https.ts'
import { connectionMembers } from '../test/fixtures/service.ts'
import { sasToken } from '../test/fixtures/sas.ts'

/**
 * Provision a first device at a running service: enroll it over the service API, register it with the official Node SDK, connect
 * it to its hub and read its twin. The argument is the `connection.env` that the service wrote.
 */
async function firstDevice(file: string): Promise<void> {
  const fact = factsOf(file)
  const ca = readFileSync(fact('CA_FILE'), 'utf8')
  const { HostName, SharedAccessKeyName, SharedAccessKey } = connectionMembers(fact('SERVICE_CONNECTION_STRING'))
  if (!HostName || !SharedAccessKey) throw new Error(`${file} holds no service connection string`)

  const registrationId = process.argv[3] ?? `device-${randomUUID().slice(0, 8)}`
  const { path, body, credential } = await symmetricIndividual(registrationId)
  const enrolled = await askHttps(HostName, Number(fact('HTTPS_PORT')), ca, {
    method: 'PUT',
    path: `${path}?api-version=2021-10-01`,
    body: { ...body, initialTwin: { properties: { desired: { hello: 'from Hubward' } } } },
    headers: { authorization: sasToken(HostName, SharedAccessKey, { keyName: SharedAccessKeyName }) },
  })
  if (enrolled.status !== 200) throw new Error(`PUT ${path} was answered ${enrolled.status}: ${enrolled.text}`)
  console.log(`PUT ${path}: ${registrationId} is enrolled with a symmetric key.`)

  await using devices = await openNodeRunner({ caFile: fact('CA_FILE') })
  const result = await devices.run({
    host: `${fact('DEVICE_HOST')}:${fact('MQTT_PORT')}`,
    idScope: fact('ID_SCOPE'),
    registrationId,
    transport: 'mqtt',
    attestation: credential,
    connect: true,
  })
  if (!result.ok) throw new Error(`the SDK says ${result.error?.name}: ${result.error?.message}`)
  console.log(
    `The Node SDK registered it over MQTT in ${Math.round(result.milliseconds)} ms: assigned to ${result.assignedHub}.`,
  )
  console.log(`Connected to that hub, it read its twin: ${JSON.stringify(result.twin?.desired)}`)
}

function factsOf(file: string): (name: string) => string {
  const text = readFileSync(file, 'utf8')
  return (name) => {
    const value = new RegExp(`^HUBWARD_${name}='(.*)'$`, 'm').exec(text)?.[1]
    if (value === undefined) throw new Error(`${file} does not say HUBWARD_${name}`)
    return value
  }
}

try {
  await firstDevice(process.argv[2] ?? 'data/connection.env')
} catch (error) {
  process.exitCode = 1
  console.error(error instanceof Error ? error.message : error)
}
