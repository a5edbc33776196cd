import { unread } from '../../src/transport/unread/unread.ts'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { memoryBudget } from '../../src/base/memory.ts'
import { type BundledHub, openBundledHub } from '../../src/bundled-hub/bundled-hub.ts'
import type { HubIdentity } from '../../src/bundled-hub/amqp/service.ts'
import type { Admission } from '../../src/transport/admission/admission.ts'
import { openListener } from '../../src/transport/device-listener.ts'
import { connack } from '../../src/wire/mqtt/packets.ts'
import { createRoot } from '../fixtures/certificates.ts'

/** Bundled hubs behind the product's own listener, on the ports that the SDKs fix. */
export interface HubServer extends AsyncDisposable {
  /** Its host name: an address of this machine's own. */
  readonly address: string
  /** PEM, and the file that holds it. */
  readonly ca: string
  readonly caFile: string
  readonly hub: BundledHub
  /** End every connection, close the hub, and open it again on the same data. */
  readonly restart: () => Promise<void>
  /** What must not have happened. */
  readonly faults: readonly unknown[]
}

/** Serves one hub named `address`, a loopback address that no other test binds. */
export async function serveHub(address: string): Promise<HubServer> {
  const directory = await mkdtemp(join(tmpdir(), 'hub-server-'))
  const root = await createRoot('hub test root')
  const leaf = await root.issueLeaf(address, { usage: 'serverAuth', names: [address] })
  const caFile = join(directory, 'ca.pem')
  await writeFile(caFile, root.certificate)
  const faults: unknown[] = []
  const onFault = (fault: unknown): void => void faults.push(fault)
  const openHub = () => openBundledHub({ directory, hostNames: [address], clock: Date.now, onFault })
  let hub = await openHub()
  let opening = Promise.resolve(hub)
  let restarting = false
  const listener = await openListener<HubIdentity>({
    certificate: leaf.chain,
    key: leaf.key,
    addresses: [address],
    ports: { https: only(443), mqtt: only(8883), amqp: only(5671) },
    http: [
      { owns: () => true, largestBody: hub.largestBody, handle: async (request) => (await opening).handle(request) },
    ],
    mqtt: [async (...asked) => (await (await opening).mqtt(...asked)) ?? unknownHub],
    mqttLimits: { packetBytes: 300_000, connectTimeout: 30_000, idleTimeout: 300_000 },
    amqp: {
      ...hub.amqp,
      open: (...asked) => (restarting ? { refused: unavailable } : hub.amqp.open(...asked)),
      mechanisms: (peer) => hub.amqp.mechanisms(peer),
    },
    amqpLimits: { frameBytes: 65_536, messageBytes: 65_536, openTimeout: 30_000, idleTimeout: 240_000 },
    admission: everybody,
    memory: memoryBudget({ total: Infinity, each: Infinity }),
    unread: unread({ turnedAway: () => {} }),
    onFault,
  })
  return {
    address,
    ca: root.certificate,
    caFile,
    get hub() {
      return hub
    },
    faults,
    restart: async () => {
      restarting = true
      opening = Promise.resolve(hub[Symbol.asyncDispose]()).then(openHub)
      hub = await opening
      restarting = false
    },
    [Symbol.asyncDispose]: async () => {
      await hub[Symbol.asyncDispose]()
      await listener[Symbol.asyncDispose]()
      await rm(directory, { recursive: true })
    },
  }
}

const only = (port: number) => ({ wanted: port, otherwise: port })
const unavailable = { condition: 'amqp:internal-error', description: 'the hub is not open' }
const unknownHub = { refused: connack.badUserNameOrPassword }

const everybody: Admission = {
  accept: () => {
    let proven = false
    return {
      comesFrom: () => true,
      secured: () => undefined,
      closed: () => undefined,
      proved: () => void (proven = true),
      failed: () => undefined,
      isProven: () => proven,
    }
  },
  look: () => undefined,
  counts: () => ({
    connections: { silent: 0, handshake: 0, unproven: 0, failed: 0, proven: 0 },
    turnedAway: new Map(),
    origins: 0,
  }),
}
