import { leniencies } from '../wire/x509/path-rules.ts'
import { admissionSettings } from './admission-settings.ts'
import { outboundSettings } from './outbound-settings.ts'
import { recordSettings } from './record-settings.ts'
import { choice, choices, list, number, port, text, type Setting } from './setting.ts'

const loopback = ['127.0.0.1', '127.0.0.2', '::1']

/** Every setting, by its key in the configuration file. docs/configuration.md is made from this table. */
export const settings = {
  data: text('data', 'HUBWARD_DATA', './data', 'The folder that everything is kept in.'),
  acceptDataLoss: choice(
    'accept-data-loss',
    'HUBWARD_ACCEPT_DATA_LOSS',
    ['no', 'yes'],
    'Whether to go on with what is left of a database that lacks acknowledged writes or is damaged. For one start, after copying the folder.',
  ),
  listen: list(
    'listen',
    'HUBWARD_LISTEN',
    loopback,
    'The addresses to listen on. Only this machine reaches the default; `::` is all addresses, IPv4 too.',
  ),
  deviceHost: text(
    'device-host',
    'HUBWARD_DEVICE_HOST',
    'localhost',
    'The name that devices and operators reach the service by; the server certificate is made for it.',
  ),
  hubNames: list(
    'hub-names',
    'HUBWARD_HUB_NAMES',
    ['127.0.0.1', '127.0.0.2'],
    'The host names of the bundled hubs. Each contains a dot, because the C SDK splits there.',
  ),
  tlsCertificate: text(
    'tls-certificate',
    'HUBWARD_TLS_CERTIFICATE',
    '',
    'A PEM file to serve with instead of the certificate made at the first start.',
  ),
  tlsKey: text('tls-key', 'HUBWARD_TLS_KEY', '', 'The PEM file of its private key.'),
  tlsRsaCertificate: text(
    'tls-rsa-certificate',
    'HUBWARD_TLS_RSA_CERTIFICATE',
    '',
    'A PEM file with an RSA key to serve beside it, for clients that know no other.',
  ),
  tlsRsaKey: text('tls-rsa-key', 'HUBWARD_TLS_RSA_KEY', '', 'The PEM file of its private key.'),
  tlsCa: text('tls-ca', 'HUBWARD_TLS_CA', '', 'The PEM file of the CA that devices trust it by.'),
  hubCa: text(
    'hub-ca',
    'HUBWARD_HUB_CA',
    '',
    "A PEM file of CAs to trust when calling linked hubs, beside the system's.",
  ),
  httpsPort: port('https-port', 'HUBWARD_HTTPS_PORT', 443, 'HTTPS and WebSockets. SDKs know no other than 443.'),
  httpsFallbackPort: port(
    'https-fallback-port',
    'HUBWARD_HTTPS_FALLBACK_PORT',
    8443,
    'The port to go on with where the one above cannot be had; 0 is any.',
  ),
  mqttPort: port('mqtt-port', 'HUBWARD_MQTT_PORT', 8883, 'MQTT.'),
  mqttFallbackPort: port('mqtt-fallback-port', 'HUBWARD_MQTT_FALLBACK_PORT', 18883, 'As above, for MQTT.'),
  amqpPort: port('amqp-port', 'HUBWARD_AMQP_PORT', 5671, 'AMQP.'),
  amqpFallbackPort: port('amqp-fallback-port', 'HUBWARD_AMQP_FALLBACK_PORT', 15671, 'As above, for AMQP.'),
  shortWait: number(
    'short-wait',
    'HUBWARD_SHORT_WAIT',
    1000,
    0,
    25_000,
    'Milliseconds that a register call may take to be answered with its outcome; after that the answer is `assigning`. 0: always `assigning`.',
  ),
  retryAfter: number(
    'retry-after',
    'HUBWARD_RETRY_AFTER',
    3,
    1,
    300,
    'Seconds that a device is asked to wait between polls.',
  ),
  answerDelay: number(
    'answer-delay',
    'HUBWARD_ANSWER_DELAY',
    50,
    0,
    1000,
    'Milliseconds between a request over MQTT or AMQP and its answer, at least, and of one over HTTPS that is refused. The Java SDK can miss what comes sooner than 50.',
  ),
  hubPatience: number(
    'hub-patience',
    'HUBWARD_HUB_PATIENCE',
    50_000,
    0,
    600_000,
    'Milliseconds that a throttling or silent hub is waited for before a registration fails.',
  ),
  proxyPeers: list(
    'proxy-peers',
    'HUBWARD_PROXY_PEERS',
    [],
    'The addresses or networks of load balancers that begin each connection with the PROXY protocol (v1 or v2). Nobody else is believed.',
  ),
  latencyRules: text(
    'latency-rules',
    'HUBWARD_LATENCY_RULES',
    '',
    'A JSON file of networks and sites with the latency to each hub or their location, for the lowest latency policy.',
  ),
  geography: text(
    'geography',
    'HUBWARD_GEOGRAPHY',
    'countries',
    'A MaxMind-format database to find devices in, `countries` for the table that comes along (IP Geolocation by DB-IP), `none` for none.',
  ),
  ...outboundSettings,
  certificateDates: choice(
    'certificate-dates',
    'HUBWARD_CERTIFICATE_DATES',
    ['enforce', 'ignore'],
    'Whether device certificates outside their dates are refused.',
  ),
  certificateLeniency: choices(
    'certificate-leniency',
    'HUBWARD_CERTIFICATE_LENIENCY',
    leniencies,
    'What of an old fleet is let through, with a warning at the start and with each device: SHA-1 signatures, RSA keys from 1024 bits, CA certificates as devices, CAs whose extended key usage lacks client authentication, critical extensions that are not known.',
  ),
  revocation: choice(
    'revocation',
    'HUBWARD_REVOCATION',
    ['listed', 'required'],
    'Whether certificates are refused that a list or an operator revoked, or also those of which no current list that was imported says that they are not revoked.',
  ),
  groupTrials: number(
    'group-trials',
    'HUBWARD_GROUP_TRIALS',
    10_000,
    100,
    1_000_000,
    'What attempts that fail may cost: symmetric key groups looked at per second in search of the one that vouches, of which an instance has half, an address a quarter, and a device at its address a twentieth. Who fails beyond it is told 429; a device that is known is not held up by it.',
  ),
  limits: choice(
    'limits',
    'HUBWARD_LIMITS',
    ['generous', 'azure'],
    'What an instance without limits of its own may do and have: more than one machine does, or what Azure publishes.',
  ),
  ...recordSettings,
  managementListen: text(
    'management-listen',
    'HUBWARD_MANAGEMENT_LISTEN',
    '',
    'The address of the control plane; without one, a loopback address among those of `listen`, or 127.0.0.1.',
  ),
  managementPort: port(
    'management-port',
    'HUBWARD_MANAGEMENT_PORT',
    8444,
    'The port of the control plane; any other where it is taken.',
  ),
  managementToken: choice(
    'management-token',
    'HUBWARD_MANAGEMENT_TOKEN_AT_START',
    ['keep', 'renew'],
    "Whether this start makes a new administrator's token and revokes the one before; the first start makes one anyway.",
  ),
  serviceDomain: text(
    'service-domain',
    'HUBWARD_SERVICE_DOMAIN',
    '',
    'The domain below which new instances get the host name of their service API; without one, `device-host`, or `localhost` where that is an address.',
  ),
  ...admissionSettings,
  log: choice('log', 'HUBWARD_LOG', ['text', 'json'], 'How the log is written.'),
} as const

/** The settings as a Markdown table. */
export function settingsTable(): string {
  const cell = (value: unknown) => `\`${Array.isArray(value) ? value.join(',') : String(value)}\``
  const rows = settingEntries().map(([key, { flag, environment, expected, fallback, purpose }]) => {
    const shown = fallback === '' ? '' : cell(fallback)
    return `| \`${key}\` | \`--${flag}\` | \`${environment}\` | ${expected} | ${shown} | ${purpose} |`
  })
  return [
    '| key in the file | flag | environment | value | default | purpose |',
    '|---|---|---|---|---|---|',
    ...rows,
  ].join('\n')
}

/** Every setting with its key. */
export function settingEntries(): [key: string, setting: Setting<unknown>][] {
  return Object.entries(settings)
}
