import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { openNodeRunner } from '../../sdk/runner.ts'
import {
  symmetricGroup,
  symmetricIndividual,
  x509GroupByRoot,
  x509Individual,
  type Enrolled,
} from '../fixtures/enrollments.ts'
import { openWithThirdHub } from './third-hub.ts'

const network = '127.70.8'
const [a, b, aside] = [`${network}.2`, `${network}.3`, `${network}.9`]
const rulesFile = join(mkdtempSync(join(tmpdir(), 'hubward-rules-')), 'rules.json')
writeFileSync(rulesFile, JSON.stringify({ rules: [{ network: '127.0.0.0/8', latency: { [b]: 2, '*': 9 } }] }))
const three = await openWithThirdHub(network, [
  '--latency-rules',
  rulesFile,
  '--hub-probe',
  '1',
  '--hub-patience',
  '2000',
])
const { plane, fake } = three
const { service } = plane
await three.link({ applyAllocationPolicy: false })
mkdirSync(join(service.dataFolder, 'policies'))
writeFileSync(
  join(service.dataFolder, 'policies', 'last.ts'),
  'export default ({ linkedHubs }: { linkedHubs: string[] }) => ({ iotHubHostName: linkedHubs.at(-1) })',
)
const runner = await openNodeRunner({ caFile: service.caFile })
after(async () => {
  await runner[Symbol.asyncDispose]()
  await three[Symbol.asyncDispose]()
})

const kinds: readonly [name: string, prepare: (id: string) => Promise<Enrolled>][] = [
  ['symmetric key', symmetricIndividual],
  ['symmetric key group', symmetricGroup],
  ['X.509', x509Individual],
  ['X.509 group', x509GroupByRoot],
]

const custom = (module: string) => ({
  allocationPolicy: 'custom',
  customAllocationDefinition: { webhookUrl: `https://in-process/${module}`, apiVersion: '2021-10-01' },
})

/** The hubs it may end at, or the error code that it must. */
const outcomes: readonly [policy: string, name: string, entry: object, expected: readonly string[] | number][] = [
  ['hashed', 'assigned', { allocationPolicy: 'hashed' }, [a, b]],
  ['hashed', 'to the hub it names', { allocationPolicy: 'hashed', iotHubs: [b, aside] }, [b]],
  ['hashed', 'every hub set aside', { allocationPolicy: 'hashed', iotHubs: [aside] }, 400208],
  ['geoLatency', 'assigned to the nearest', { allocationPolicy: 'geoLatency' }, [b]],
  ['geoLatency', 'nearest is not permitted', { allocationPolicy: 'geoLatency', iotHubs: [a] }, [a]],
  ['geoLatency', 'every hub set aside', { allocationPolicy: 'geoLatency', iotHubs: [aside] }, 400208],
  ['static', 'assigned', { allocationPolicy: 'static', iotHubs: [a] }, [a]],
  ['static', 'to a hub set aside', { allocationPolicy: 'static', iotHubs: [aside] }, [aside]],
  ['static', 'no hub named', { allocationPolicy: 'static' }, 400208],
  ['static', 'iotHubHostName', { iotHubHostName: b }, [b]],
  ['custom', 'assigned', custom('last'), [aside]],
  ['custom', 'among the permitted', { ...custom('last'), iotHubs: [a, b] }, [b]],
  ['custom', 'code fails', custom('absent'), 400207],
]

const held = new Set<string>()
let devices = 0

for (const [policy, name, entry, expected] of outcomes) {
  describe(`${policy}, ${name}`, () => {
    for (const [kind, prepare] of kinds) {
      test(`${policy}, ${name}: ${kind}`, async () => {
        const { id, result, again } = await provision(prepare, entry)
        if (typeof expected === 'number') {
          assert.equal(result.ok, false)
          const state = (await service.operate('GET', `/registrations/${id}`)).json()
          assert.deepEqual([state['status'], state['errorCode']], ['failed', expected])
        } else {
          assert.ok(expected.includes(result.assignedHub ?? ''), JSON.stringify(result))
          assert.equal((await again()).assignedHub, result.assignedHub, 'and there again')
        }
        held.add(`${policy}, ${name}: ${kind}`)
      })
    }
  })
}

test('the policy of the service counts where the enrollment names none', async () => {
  const change = async (allocationPolicy: string) => {
    const path = plane.path('hubward')
    const { location, sku, properties } = (await plane.call('GET', path)).json() as Record<string, object>
    await plane.call('PUT', path, { body: { location, sku, properties: { ...properties, allocationPolicy } } })
  }
  await change('GeoLatency')
  assert.equal((await provision(symmetricIndividual, {})).result.assignedHub, b)
  await change('Static')
  assert.equal((await provision(symmetricIndividual, {})).result.ok, false, 'several hubs, and none is named')
  assert.equal((await provision(symmetricIndividual, { allocationPolicy: 'geoLatency' })).result.assignedHub, b)
  await change('Hashed')
})

test('new devices are kept from a hub whose link is broken, assigned ones stay, and the log says since when', async () => {
  await three.unlink()
  await three.link()
  const entry = { allocationPolicy: 'hashed', iotHubs: [aside, b] }
  let at = await provision(symmetricIndividual, entry)
  for (let tries = 0; tries < 20 && at.result.assignedHub !== aside; tries++)
    at = await provision(symmetricIndividual, entry)
  assert.equal(at.result.assignedHub, aside)

  fake.rotate()
  await service.logged(/hub link broken: unauthorized since \d{4}-/)
  for (let device = 0; device < 8; device++) {
    assert.equal((await provision(symmetricIndividual, entry)).result.assignedHub, b)
  }
  const { ok } = await at.again()
  assert.equal(ok, false, 'its hub refuses the service')
  const state = (await service.operate('GET', `/registrations/${at.id}`)).json()
  assert.equal(state['errorCode'], 400209)

  await three.link()
  await service.logged(new RegExp(RegExp.escape(`hub link restored: ${aside}`)))
  assert.equal((await at.again()).assignedHub, aside)
})

after(() => {
  const rows = outcomes.map(([policy, name, , expected]) => {
    const shown = typeof expected === 'number' ? `failed ${expected}` : expected.join(' or ')
    const cells = kinds.map(([kind]) => (held.has(`${policy}, ${name}: ${kind}`) ? 'ok' : 'FAILED').padEnd(21))
    return `${policy.padEnd(12)}${name.padEnd(26)}${shown.padEnd(26)}${cells.join('')}`
  })
  const head = ' '.repeat(64) + kinds.map(([kind]) => kind.padEnd(21)).join('')
  process.stdout.write(`${[head, ...rows].join('\n')}\n${held.size} of ${outcomes.length * kinds.length} cells hold\n`)
})

async function provision(prepare: (id: string) => Promise<Enrolled>, entry: object) {
  const id = `policy-${++devices}`
  const { path, body, credential } = await prepare(id)
  await service.operate('PUT', path, { ...body, ...entry })
  const { deviceHost: host, idScope } = service
  const again = () => runner.run({ host, idScope, registrationId: id, transport: 'mqtt', attestation: credential })
  return { id, again, result: await again() }
}
