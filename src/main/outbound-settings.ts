import { choice, list, number, text } from './setting.ts'

const privateNetworks = ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', 'fc00::/7']

/** What is called from here: hubs, webhooks, and an operator's own code. */
export const outboundSettings = {
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
} as const
