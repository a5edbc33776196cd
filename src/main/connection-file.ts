import { join, resolve } from 'node:path'
import type { BoundPort } from '../transport/device-listener.ts'
import type { Configuration } from './configuration.ts'
import { writeDurably } from './files.ts'
import type { Hubward } from './hubward.ts'

/** What a device or an operator needs to know to use the running service. */
export function connectionFacts({ deviceHost }: Configuration, hubward: Hubward): ReadonlyMap<string, string> {
  const { first, ports, caFile, hubConnectionStrings, management } = hubward
  return new Map([
    ['HUBWARD_DEVICE_HOST', deviceHost],
    ['HUBWARD_ID_SCOPE', first.service.idScope],
    ['HUBWARD_SERVICE_CONNECTION_STRING', serviceConnectionString(deviceHost, hubward)],
    ['HUBWARD_CA_FILE', caFile],
    ['HUBWARD_HTTPS_PORT', String(ports.https.port)],
    ['HUBWARD_MQTT_PORT', String(ports.mqtt.port)],
    ['HUBWARD_AMQP_PORT', String(ports.amqp.port)],
    ['HUBWARD_MANAGEMENT_ENDPOINT', management.endpoint],
    // Only its hash is kept, so a later start cannot tell it again.
    ...(management.token === undefined ? [] : [['HUBWARD_MANAGEMENT_TOKEN', management.token] as const]),
    ...hubConnectionStrings.map((text, index): [string, string] => [
      `HUBWARD_HUB_${index + 1}_CONNECTION_STRING`,
      text,
    ]),
  ])
}

/** Write the facts for a shell to source; the file appears whole, and only when the service is ready. Gives its path. */
export function writeConnectionFile(folder: string, facts: ReadonlyMap<string, string>): string {
  const path = join(resolve(folder), 'connection.env')
  const lines = Array.from(facts, ([name, value]) => `${name}='${value.replaceAll("'", `'\\''`)}'\n`)
  // Whoever waits for the file must not read half of it.
  writeDurably([{ path, text: lines.join(''), mode: 0o600 }])
  return path
}

function serviceConnectionString(host: string, { first: { policy } }: Hubward): string {
  if (!policy) return ''
  return `HostName=${host};SharedAccessKeyName=${policy.keyName};SharedAccessKey=${policy.primaryKey.revealBase64()}`
}

/** What a person is told when the service is ready. */
export function welcome(
  facts: ReadonlyMap<string, string>,
  file: string,
  hubward: Hubward,
  { hubNames, listen }: Configuration,
): string {
  const fact = (name: string) => facts.get(`HUBWARD_${name}`) ?? ''
  const { https, mqtt, amqp } = hubward.ports
  const ca = fact('CA_FILE')
  const lines = [
    '',
    'Hubward is ready.',
    '',
    `  ID scope       ${fact('ID_SCOPE')}`,
    `  Device host    ${fact('DEVICE_HOST')}   (HTTPS and WebSockets ${https.port}, MQTT ${mqtt.port}, AMQP ${amqp.port})`,
    `  Hubs           ${hubNames.join(', ')}   (bundled, linked)`,
    `  Listening on   ${listen.join(', ')}   (--listen :: lets other machines in)`,
    `  CA file        ${ca}`,
    `  Service        ${servicePolicy(fact('SERVICE_CONNECTION_STRING'), file, hubward)}`,
    `  Control plane  ${fact('MANAGEMENT_ENDPOINT')}`,
    ...(hubward.management.token === undefined
      ? []
      : [`  Administrator  ${hubward.management.token}   (printed by this start only: keep it)`]),
    '',
    '  SDKs trust the CA by   Node    NODE_EXTRA_CA_CERTS=<CA file>',
    '                         Python  server_verification_cert=<its text>, or SSL_CERT_FILE=<CA file>',
    '                         C       OPTION_TRUSTED_CERT (its text), or SSL_CERT_FILE=<CA file>',
    '                         C#      the store of the operating system',
    '                         Java    -Djavax.net.ssl.trustStore=<a store with it>',
    '',
    `  The same for a shell:      source ${file}`,
    `  Provision a first device:  npm run device -- ${file}`,
    '',
  ]
  return lines.join('\n')
}

/** Its key is shown by the start that made it: logs are kept for long, and read by many. */
function servicePolicy(connectionString: string, file: string, { first }: Hubward): string {
  if (!first.policy) return 'its owner policy was deleted; "hubward policy list" shows the others'
  return first.isNew
    ? `${connectionString}   (printed by this start only: later ones write it to ${file})`
    : `the connection string of ${first.policy.keyName} is in ${file}`
}

/** One sentence for each port or address that could not be had: what it costs, and how to allow it. */
export function portWarnings({ ports }: Hubward, configuration: Configuration): string[] {
  const { httpsPort, mqttPort, amqpPort, hubNames } = configuration
  const warning = ({ port, refused }: BoundPort, wanted: number, cost: string) => {
    if (refused === undefined) return []
    const remedy =
      refused === 'EACCES'
        ? 'allow it with "sudo sysctl net.ipv4.ip_unprivileged_port_start=0", or run as root'
        : 'another program has it: stop that, or listen on another address with --listen'
    return [`Port ${wanted} could not be had (${refused}), so ${port} is used: ${cost}; ${remedy}.`]
  }
  const absent = ports.https.absent.filter((address) => hubNames.includes(address))
  return [
    ...absent.map(
      (address) =>
        `This machine has no address ${address}, so devices cannot reach the bundled hub of that name: make it with "sudo ifconfig lo0 alias ${address}", or name the hubs otherwise with --hub-names.`,
    ),
    ...warning(
      ports.https,
      httpsPort,
      'SDKs cannot reach HTTPS, WebSockets and the service API, because they know no other port',
    ),
    ...warning(ports.mqtt, mqttPort, 'only SDKs that take a port (Node, C#) reach MQTT'),
    ...warning(ports.amqp, amqpPort, 'only SDKs that take a port (Node, C#) reach AMQP'),
  ]
}
