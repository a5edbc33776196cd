import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { openNodeRunner } from '../sdk/runner.ts'
import { usage } from '../src/main/option-help.ts'
import { symmetricIndividual } from '../test/fixtures/enrollments.ts'
import { askHttps } from '../test/fixtures/https.ts'
import { connectionMembers } from '../test/fixtures/service.ts'
import { sasToken } from '../test/fixtures/sas.ts'
import { readArguments } from './arguments.ts'

const head = `npm run device -- [options] [connection.env] [registration ID]

Provisions a first device at the running service: enrolls it, registers it with the Node SDK, connects it to its hub and reads its
twin. The service is found by the connection.env that it wrote into its data folder: give that file, or the service's --data.`

/** Provision a first device as `head` says; `file` is the `connection.env` that the service wrote. */
async function firstDevice(file: string, registrationId: string): Promise<void> {
  const fact = factsOf(file)
  const ca = read(fact('CA_FILE'))
  const { HostName, SharedAccessKeyName, SharedAccessKey } = connectionMembers(fact('SERVICE_CONNECTION_STRING'))
  if (!HostName || !SharedAccessKey) throw new Error(`${file} holds no service connection string`)

  const { path, body, credential } = await symmetricIndividual(registrationId)
  const enrolled = await askHttps(HostName, Number(fact('HTTPS_PORT')), ca, {
    method: 'PUT',
    path: `${path}?api-version=2021-10-01`,
    body: { ...body, initialTwin: { properties: { desired: { hello: 'from Hubward' } } } },
    headers: { authorization: sasToken(HostName, SharedAccessKey, { keyName: SharedAccessKeyName }) },
  }).catch((error: Error) => {
    const service = `${HostName}:${fact('HTTPS_PORT')}`
    throw new Error(`No service answers at ${service} (${error.message}): is the one that wrote ${file} still running?`)
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
  const text = read(file)
  return (name) => {
    const value = new RegExp(`^HUBWARD_${name}='(.*)'$`, 'm').exec(text)?.[1]
    if (value === undefined) throw new Error(`${file} does not say HUBWARD_${name}`)
    return value
  }
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'is not there' : `cannot be read (${error})`
    throw new Error(
      `${file} ${why}: the service writes it when it is ready. Start it with "npm start", or say where it keeps its data with --data DIR.`,
      { cause: error },
    )
  }
}

try {
  const { help, positionals, configuration } = readArguments(process.argv.slice(2))
  const [file = join(configuration.data, 'connection.env'), registrationId = `device-${randomUUID().slice(0, 8)}`] =
    positionals
  if (help) process.stdout.write(usage(head))
  else await firstDevice(file, registrationId)
} catch (error) {
  process.exitCode = 1
  console.error(error instanceof Error ? error.message : error)
}
