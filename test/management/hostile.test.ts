import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import fc from 'fast-check'
import { newIdScope } from '../../src/model/identifiers.ts'
import { generousLimits } from '../../src/model/limits.ts'
import { Refusal } from '../../src/model/refusal.ts'
import { timestamp } from '../../src/base/time.ts'
import { openSqliteStore } from '../../src/store/sqlite-store.ts'
import { accessRoutes } from '../../src/transport/management-api/access-routes.ts'
import type { AdministrativeLine } from '../../src/transport/management-api/administrative-line.ts'
import { caCertificateRoutes } from '../../src/transport/management-api/ca-certificate-routes.ts'
import { instanceRoutes } from '../../src/transport/management-api/instance-routes.ts'
import { managementApi } from '../../src/transport/management-api/management-api.ts'
import { policyRoutes } from '../../src/transport/management-api/policy-routes.ts'
import { providerRoutes } from '../../src/transport/management-api/provider-routes.ts'
import { revocationRoutes } from '../../src/transport/management-api/revocation-routes.ts'
import { createRoot } from '../fixtures/certificates.ts'

const folder = mkdtempSync(join(tmpdir(), 'hubward-hostile-'))
const store = openSqliteStore(folder)
after(async () => {
  await store[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true })
})
const unreachable = async (): Promise<never> => {
  throw new Refusal('RevocationListInvalid', 'nothing is fetched here')
}
const clock = Date.now
const routes = [
  ...instanceRoutes({
    store,
    clock,
    deviceHost: 'dps.example',
    hostNameFor: (name) => `${name}.example`,
    limits: () => generousLimits,
    onHostNames: async () => undefined,
  }),
  ...policyRoutes(store),
  ...caCertificateRoutes(store, clock, () => generousLimits),
  ...accessRoutes(store, clock),
  ...providerRoutes(),
  ...revocationRoutes({
    store,
    clock,
    hubs: () => {
      throw new TypeError('no device is registered here')
    },
    fetchList: unreachable,
  }),
]
const audit: AdministrativeLine[] = []
const faults: unknown[] = []
const api = managementApi({
  store,
  clock,
  monotonic: clock,
  routes,
  authority: async () => ({ id: 'owner', assignments: [{ role: 'Owner', scope: '*' }] }),
  log: { audit: (line) => audit.push(line), fault: (error) => faults.push(error) },
})

await store.transact((write) =>
  write.services.create({
    idScope: newIdScope(),
    name: 'plant',
    hostNames: ['plant.example'],
    allocationPolicy: 'hashed',
    createdDateTimeUtc: timestamp(0),
  }),
)

async function ask(method: string, path: string, body: string, ifMatch?: string) {
  const bytes = Buffer.from(body)
  return api.handle({
    method,
    path,
    query: new URLSearchParams('api-version=2022-12-12'),
    headers: { authorization: 'Bearer x', ...(ifMatch !== undefined && { 'if-match': ifMatch }) },
    body: () => Promise.resolve(bytes),
    peer: { remoteAddress: '127.0.0.1', certificateChain: [] },
  })
}

const { certificate } = await createRoot('Hostile root')
const names = `
  name location tags sku properties iotHubs authorizationPolicies ipFilterRules hostNames
  connectionString allocationWeight keyName rights primaryKey ipMask action filterName certificate
  isVerified keyType reason registrationId thumbprint serialNumber url revocationList assignments role
  scope issuer jwksUrl rules claim value __proto__`
  .trim()
  .split(/\s+/)
const texts = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.constantFrom(
    'plant',
    'Accept',
    '10.0.0.0/8',
    '****',
    'EnrollmentRead',
    'primary',
    'Owner',
    certificate,
    'https://a.example',
  ),
  fc.constantFrom('HostName=a.example;SharedAccessKeyName=k;SharedAccessKey=AAAA', 'HostName=;;=', 'x'.repeat(5000)),
)
const { body: bodies } = fc.letrec<{ body: unknown }>((tie) => ({
  body: fc.oneof(
    { maxDepth: 4 },
    fc.oneof(texts, fc.double(), fc.integer(), fc.boolean(), fc.constant(null)),
    fc.array(tie('body'), { maxLength: 4 }),
    fc.dictionary(fc.constantFrom(...names), tie('body'), { maxKeys: 6 }),
  ),
}))
const segments = fc.oneof(
  fc.constantFrom('plant', 'hubward', '00000000-0000-0000-0000-000000000000', 'a', 'provisioningserviceowner'),
  fc.string({ unit: 'binary', minLength: 1, maxLength: 60 }),
)

test('whatever is sent to the control plane, the answer is an answer and not a fault', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...routes),
      fc.array(segments, { minLength: 5, maxLength: 5 }),
      fc.oneof(
        fc.jsonValue().map((value) => JSON.stringify(value)),
        bodies.map((value) => JSON.stringify(value)),
        texts,
      ),
      fc.option(fc.constantFrom('*', 'AAAA', '"', 'AAAAAAAAAAE='), { nil: undefined }),
      async ({ method, path }, given, body, ifMatch) => {
        let at = 0
        const filled = path.replaceAll(/:(\w+)/g, (_, name: string) => {
          if (name === 'instance') return 'plant'
          if (name === 'subscription') return '00000000-0000-0000-0000-000000000000'
          if (name === 'group') return 'hubward'
          return encodeURIComponent(given[at++]!.toWellFormed())
        })
        if (method === 'DELETE' && filled.endsWith('/plant')) return
        const { status } = await ask(method, filled, body ?? '', ifMatch)
        assert.deepEqual(faults, [])
        assert.ok(status < 500, `${method} ${filled}: ${status}`)
      },
    ),
    { numRuns: 1500 },
  )
})

test('no path and no query is a fault either', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.string({ unit: 'binary', maxLength: 80 }),
      fc.constantFrom('GET', 'PUT', 'BREW'),
      async (path, method) => {
        assert.ok((await ask(method, `/${path}`, '')).status < 500)
      },
    ),
    { numRuns: 500 },
  )
  assert.deepEqual(faults, [])
})

test('the audit log says what was changed by whom, and no key', async () => {
  const key = Buffer.alloc(32, 0x5a).toString('base64')
  const path = '/subscriptions/s/resourceGroups/g/providers/Microsoft.Devices/provisioningServices/audited'
  audit.length = 0
  const properties = {
    iotHubs: [{ location: 'x', connectionString: `HostName=h.example;SharedAccessKeyName=k;SharedAccessKey=${key}` }],
    authorizationPolicies: [{ keyName: 'p', primaryKey: key, secondaryKey: key, rights: 'EnrollmentRead' }],
  }
  await ask('PUT', path, JSON.stringify({ properties }))
  await ask('PUT', path, JSON.stringify({ properties: { allocationPolicy: 'Static' } }))
  const shown = await ask('POST', `${path}/listkeys`, '')
  const renewed = JSON.parse(String((await ask('POST', `${path}/keys/p/regenerate`, '{"keyType":"primary"}')).body))
  const made = JSON.parse(String((await ask('POST', '/admin/v1/tokens', '{"assignments":[{"role":"Reader"}]}')).body))
  assert.match(String(shown.body), new RegExp(RegExp.escape(key)))
  const lines = JSON.stringify(audit)
  for (const secret of [key, renewed.primaryKey, made.token, made.token.split('_').slice(2).join('_')]) {
    assert.ok(!lines.includes(String(secret)))
  }
  assert.deepEqual(
    audit.map(({ operationName, principal }) => `${principal} ${operationName}`),
    ['CreateOrUpdateInstance', 'CreateOrUpdateInstance', 'ListKeys', 'RegenerateKey', 'CreateToken'].map(
      (name) => `owner ${name}`,
    ),
  )
  const { before, after } = audit[1]!.change as { before: object; after: object }
  assert.match(JSON.stringify(before), /"allocationPolicy":"Hashed"/)
  assert.match(JSON.stringify(after), /"allocationPolicy":"Static"/)
})
