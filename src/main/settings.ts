import { leniencies } from '../wire/x509/path-rules.ts'
import { admissionSettings } from './admission-settings.ts'
import { choice, choices, list, number, port, text, type Setting } from './setting.ts'

const privateNetworks = ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', 'fc00::/7']
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
  outboundNetworks: list(
    'outbound-networks',
    'HUBWARD_OUTBOUND_NETWORKS',
    [],
    'Networks that are not public in which what managers of instances name may be called all the same: revocation lists, webhooks, linked hubs.',
  ),
  hubNetworks: list(
    'hub-networks',
    'HUBWARD_HUB_NETWORKS',
    privateNetworks,
    'Networks that are not public in which linked hubs may be called all the same; `none` for none. Bundled hubs are always.',
  ),
  issuerNetworks: list(
    'issuer-networks',
    'HUBWARD_ISSUER_NETWORKS',
    [...privateNetworks, '127.0.0.0/8', '::1'],
    "Networks that are not public in which access tokens' issuers may be asked for their keys all the same; `none` for none. Only Owners of the deployment name issuers.",
  ),
  webhookNetworks: list(
    'webhook-networks',
    'HUBWARD_WEBHOOK_NETWORKS',
    [],
    'Networks that are not public in which custom allocation webhooks may be called all the same.',
  ),
  unknownQueries: choice(
    'unknown-queries',
    'HUBWARD_UNKNOWN_QUERIES',
    ['list', 'refuse'],
    'What a query of the service API that is not understood is answered with: everything, with a header that says so, as the cloud service was seen to do; or 400.',
  ),
  webhookHttp: choice(
    'webhook-http',
    'HUBWARD_WEBHOOK_HTTP',
    ['refuse', 'allow'],
    'Whether a webhook may be called without TLS.',
  ),
  webhookCa: text('webhook-ca', 'HUBWARD_WEBHOOK_CA', '', 'A PEM file of CAs to trust when calling webhooks.'),
  webhookTimeout: number(
    'webhook-timeout',
    'HUBWARD_WEBHOOK_TIMEOUT',
    10_000,
    100,
    50_000,
    'Milliseconds that a custom allocation webhook may take, its one retry included.',
  ),
  policies: text(
    'policies',
    'HUBWARD_POLICIES',
    '',
    'The folder of policy modules: `https://in-process/NAME` as a webhook URL is its `NAME.ts` or `NAME.js`. Empty: `policies` in the data folder.',
  ),
  policyTime: number(
    'policy-time',
    'HUBWARD_POLICY_TIME',
    2000,
    10,
    30_000,
    'Milliseconds that a policy module may take for one device.',
  ),
  policyMemory: number(
    'policy-memory',
    'HUBWARD_POLICY_MEMORY',
    64,
    8,
    4096,
    'Megabytes that a policy module may take.',
  ),
  customFallback: choice(
    'custom-fallback',
    'HUBWARD_CUSTOM_FALLBACK',
    ['none', 'hashed', 'geoLatency', 'static'],
    'The policy that decides when custom code fails; without one the registration fails.',
  ),
  hubWrites: number(
    'hub-writes',
    'HUBWARD_HUB_WRITES',
    0,
    0,
    1_000_000,
    'Identities that may be written to a linked hub per minute, bundled ones aside: 100 for each S1 unit of an Azure IoT Hub. 0: no limit.',
  ),
  hubProbe: number(
    'hub-probe',
    'HUBWARD_HUB_PROBE',
    30,
    1,
    86_400,
    'Seconds between two probes of the link to each hub: its rights, its latency, whether it answers.',
  ),
  brokenHubs: choice(
    'broken-hubs',
    'HUBWARD_BROKEN_HUBS',
    ['avoid', 'use'],
    'Whether the hashed and lowest latency policies keep new devices from a hub that is broken or throttled while another is whole.',
  ),
  measuredLatency: choice(
    'measured-latency',
    'HUBWARD_MEASURED_LATENCY',
    ['ignore', 'use'],
    'Whether the round trip from this node to each hub decides where nothing else says which is nearest to a device.',
  ),
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
  audit: choice(
    'audit',
    'HUBWARD_AUDIT',
    ['continue', 'required'],
    'Whether operators may go on with changes while the audit log cannot be written: its lines are kept in memory meanwhile, and the log says so; or changes are refused with 503.',
  ),
  auditMegabytes: number(
    'audit-megabytes',
    'HUBWARD_AUDIT_MEGABYTES',
    16,
    1,
    1024,
    'Megabytes after which `audit.log` in the data folder is put by and a new one begun.',
  ),
  auditFiles: number('audit-files', 'HUBWARD_AUDIT_FILES', 20, 0, 1000, 'How many older audit logs are kept.'),
  auditDays: number('audit-days', 'HUBWARD_AUDIT_DAYS', 365, 1, 36_500, 'Days that an older audit log is kept.'),
  decisionDays: number(
    'decision-days',
    'HUBWARD_DECISION_DAYS',
    30,
    1,
    3650,
    'Days that decision records are kept: why each attempt to register went as it did.',
  ),
  decisionsKept: number(
    'decisions-kept',
    'HUBWARD_DECISIONS_KEPT',
    50_000,
    100,
    10_000_000,
    'Decision records that each instance keeps at most, of about 1 KiB each; the newest stay.',
  ),
  refusalsTold: number(
    'refusals-told',
    'HUBWARD_REFUSALS_TOLD',
    100,
    1,
    1_000_000,
    'Refusals of one reason from one address that are logged and recorded singly in a minute, and of strangers ten times as many at one instance; the rest is counted and told together. Of a known device, its refusals; accepted devices are always told.',
  ),
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
