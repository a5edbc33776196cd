import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import type * as kindModule from '../../../src/attestation/attestation-kind.ts'
import type * as keyModule from '../../../src/attestation/symmetric-key-mechanism.ts'
import type * as tpmClaimModule from '../../../src/attestation/tpm-claim.ts'
import type * as tpmModule from '../../../src/attestation/tpm-mechanism.ts'
import type * as x509Module from '../../../src/attestation/x509-mechanism.ts'
import type * as definitionModule from '../../../src/allocation/custom/definition.ts'
import type * as customModule from '../../../src/allocation/custom.ts'
import type * as bulkModule from '../../../src/enrollment/bulk.ts'
import type * as initialTwinModule from '../../../src/enrollment/initial-twin.ts'
import type * as membersModule from '../../../src/model/members.ts'
import type * as preconditionModule from '../../../src/wire/precondition.ts'
import type * as readEnrollmentModule from '../../../src/enrollment/read-enrollment.ts'
import type * as rulesModule from '../../../src/enrollment/enrollment-rules.ts'
import type * as writeEnrollmentModule from '../../../src/enrollment/write-enrollment.ts'
import type * as asciiModule from '../../../src/base/json.ts'
import type * as refusalModule from '../../../src/model/refusal.ts'
import type * as secretModule from '../../../src/base/secret.ts'
import type * as deviceJsonModule from '../../../src/transport/device-json.ts'
import type * as linkedHubsModule from '../../../src/instances/linked-hubs.ts'
import type * as policiesModule from '../../../src/instances/shared-access-policies.ts'
import type * as readInstanceModule from '../../../src/instances/read-instance.ts'
import type * as jsonModule from '../../../src/base/json.ts'
import type { Json, JsonObject } from '../../../src/base/json.ts'
import { filled, json } from '../engine/json.ts'
import { orRefused, type Load, type MakeTargets, type Target } from '../engine/target.ts'

type Parsing = typeof jsonModule
type Refusals = typeof refusalModule

/** JSON that somebody sent: to register, to enroll, to manage, as an answer. */
export const bodyTargets: MakeTargets = async (load) =>
  Promise.all([registerBody(load), enrollment(load), bulk(load), instance(load), webhookAnswer(load)])

const key = () => randomBytes(32).toString('base64')

async function registerBody(load: Load): Promise<Target> {
  const { readRegisterBody } = await load<typeof deviceJsonModule>('transport/device-json.ts')
  const { parseJson } = await load<Parsing>('base/json.ts')
  const { toAsciiJson } = await load<typeof asciiModule>('base/json.ts')
  const { Refusal } = await load<Refusals>('model/refusal.ts')
  const { tpmMember } = await load<typeof tpmClaimModule>('attestation/tpm-claim.ts')
  const kinds = { tpm: { type: 'tpm', claim: tpmMember } }
  const shape = ['registrationId', 'payload', 'tpm', 'endorsementKey', 'storageRootKey']
  return {
    name: 'register-body',
    dictionary: [...shape.map((member) => `"${member}":`), '[[[[[[[[', '{"a":', 'null', '\u00ff'],
    generate: (random) => Buffer.from(json(random, shape)),
    check: (input) => {
      const body = orRefused([Refusal], () => readRegisterBody(input, kinds))
      // A payload is given back, so what is taken can be written, and means the same then.
      if (body?.payload === undefined) return
      const text = toAsciiJson(body.payload)
      assert.match(text, /^[\0-\x7f]*$/)
      assert.equal(toAsciiJson(parseJson(text)!), text)
    },
  }
}

async function enrollment(load: Load): Promise<Target> {
  const { readIndividual, readGroup } = await load<typeof readEnrollmentModule>('enrollment/read-enrollment.ts')
  const { enrollmentJson } = await load<typeof writeEnrollmentModule>('enrollment/write-enrollment.ts')
  const { ordinaryRules } = await load<typeof rulesModule>('enrollment/enrollment-rules.ts')
  const { isJsonObject, parseJson } = await load<Parsing>('base/json.ts')
  const { Secret } = await load<typeof secretModule>('base/secret.ts')
  const { Refusal } = await load<Refusals>('model/refusal.ts')
  const { byType, mechanismKind } = await load<typeof kindModule>('attestation/attestation-kind.ts')
  const { symmetricKeyEnrollment } = await load<typeof keyModule>('attestation/symmetric-key-mechanism.ts')
  const { x509Enrollment } = await load<typeof x509Module>('attestation/x509-mechanism.ts')
  const { tpmEnrollment } = await load<typeof tpmModule>('attestation/tpm-mechanism.ts')
  const kinds = byType([
    mechanismKind({ type: 'symmetricKey', enrollment: symmetricKeyEnrollment }),
    mechanismKind({ type: 'x509', enrollment: x509Enrollment }),
    mechanismKind({ type: 'tpm', enrollment: tpmEnrollment }),
  ])
  const { customDefinition } = await load<typeof definitionModule>('allocation/custom/definition.ts')
  const policies = {
    hashed: { name: 'hashed' },
    geoLatency: { name: 'geoLatency' },
    static: { name: 'static' },
    custom: { name: 'custom', definition: customDefinition },
  }
  const context = { kinds, policies, newKey: () => new Secret(Buffer.alloc(32)), rules: ordinaryRules }
  const when = '2026-01-01T00:00:00.0000000Z'
  return {
    name: 'enrollment',
    dictionary: ['"symmetricKey"', '"x509"', '"tpm"', '"caReferences"', '"initialTwin":', '"__proto__":', '[[[[[['],
    generate: (random) =>
      filled(random, {
        registrationId: () => 'dev',
        enrollmentGroupId: () => 'dev',
        attestation: () =>
          random.pick([
            { type: 'symmetricKey', symmetricKey: { primaryKey: key(), secondaryKey: random.pick([key(), '', null]) } },
            { type: 'x509', x509: { caReferences: { primary: random.text() } } },
            { type: 'x509', x509: { clientCertificates: { primary: { certificate: random.text(200) } } } },
            { type: 'tpm', tpm: { endorsementKey: random.bytes(random.size(300)).toString('base64') } },
          ]),
        deviceId: () => random.text(),
        provisioningStatus: () => random.pick(['enabled', 'DISABLED', random.text()]),
        reprovisionPolicy: () => ({ updateHubAssignment: random.once(2), migrateDeviceData: random.text() }),
        initialTwin: () => ({
          tags: { a: random.text() },
          properties: { desired: JSON.parse(json(random, [], 2)) as Json },
        }),
        allocationPolicy: () => random.pick(['hashed', 'custom', 'geoLatency', 'static']),
        customAllocationDefinition: () => ({
          webhookUrl: random.pick(['https://example.org/?code=1', random.text()]),
          apiVersion: '2021-10-01',
        }),
        iotHubs: () => random.many(3, () => random.text()),
        capabilities: () => ({ iotEdge: random.once(2) }),
        etag: () => random.text(),
      }),
    check: (input) => {
      const body = parseJson(input.toString())
      if (!isJsonObject(body)) return
      const individual = orRefused([Refusal], () => readIndividual(body, 'dev', context))
      const group = orRefused([Refusal], () => readGroup(body, 'dev', context))
      for (const draft of [individual, group]) {
        if (!draft) continue
        const dates = { etag: 'e', createdDateTimeUtc: when, lastUpdatedDateTimeUtc: when }
        const record = { ...draft, ...dates } as Parameters<typeof enrollmentJson>[0]
        JSON.stringify(enrollmentJson(record, { kinds, policies }, { keys: true, webhookSecrets: true }))
      }
    },
  }
}

async function bulk(load: Load): Promise<Target> {
  const { readBulk } = await load<typeof bulkModule>('enrollment/bulk.ts')
  const { readIfMatch } = await load<typeof preconditionModule>('wire/precondition.ts')
  const { parseJson } = await load<Parsing>('base/json.ts')
  const { Refusal } = await load<Refusals>('model/refusal.ts')
  return {
    name: 'bulk',
    dictionary: ['"mode":"create"', '"enrollments":[', '{"registrationId":"a"}', 'W/"', '"', '*'],
    generate: (random) =>
      filled(random, {
        mode: () => random.pick(['create', 'delete', random.text()]),
        enrollments: () => random.many(12, () => ({ registrationId: random.text() })),
      }),
    check: (input) => {
      const kind = { bulkMember: 'enrollments', idMember: 'registrationId' } as Parameters<typeof readBulk>[0]
      const read = orRefused([Refusal], () => readBulk(kind, parseJson(input.toString())))
      if (read) assert.ok(read.items.length >= 1 && read.items.length <= 10)
      orRefused([Refusal], () => readIfMatch(input.toString('latin1')))
    },
  }
}

async function instance(load: Load): Promise<Target> {
  const { readInstance } = await load<typeof readInstanceModule>('instances/read-instance.ts')
  const { readLinkedHubs } = await load<typeof linkedHubsModule>('instances/linked-hubs.ts')
  const { readPolicies } = await load<typeof policiesModule>('instances/shared-access-policies.ts')
  const { parseJson } = await load<Parsing>('base/json.ts')
  const { Refusal } = await load<Refusals>('model/refusal.ts')
  const stored = {
    resource: { location: 'here', tags: {} },
    hostNames: ['a'],
    allocationPolicy: 'hashed',
  } as unknown as Parameters<typeof readInstance>[1]
  return {
    name: 'instance',
    dictionary: [
      '"properties":',
      '"tags":',
      '"ipFilterRules":',
      '"ipMask":"::/0"',
      '"authorizationPolicies":',
      '"__proto__":',
    ],
    generate: (random) =>
      filled(random, {
        location: () => random.text(),
        sku: () => ({ name: 'S1', capacity: random.edge() }),
        tags: () => ({ [random.text(12)]: random.text() }),
        properties: () => ({
          hostNames: random.many(4, () => random.text()),
          iotHubs: random.many(3, () => ({
            connectionString: `HostName=${random.text()};SharedAccessKeyName=a;SharedAccessKey=AAAA`,
            allocationWeight: random.edge(),
          })),
          ipFilterRules: random.many(4, () => ({
            filterName: random.text(),
            ipMask: random.pick(['10.0.0.0/8', random.text()]),
            action: 'Accept',
          })),
          authorizationPolicies: random.many(3, () => ({
            keyName: random.text(),
            primaryKey: key(),
            rights: random.pick(['ServiceConfig', random.text()]),
          })),
        }),
      }),
    check: (input) => {
      const read = orRefused([Refusal], () => readInstance(parseJson(input.toString()), stored))
      if (!read) return
      JSON.stringify(read.settings)
      orRefused([Refusal], () => readLinkedHubs(read.properties, [], 'here', 10))
      orRefused([Refusal], () => readPolicies(read.properties, []))
    },
  }
}

async function webhookAnswer(load: Load): Promise<Target> {
  const { customAllocation } = await load<typeof customModule>('allocation/custom.ts')
  const { readInitialTwin } = await load<typeof initialTwinModule>('enrollment/initial-twin.ts')
  const { members } = await load<typeof membersModule>('model/members.ts')
  const { parseJson } = await load<Parsing>('base/json.ts')
  const { Refusal } = await load<Refusals>('model/refusal.ts')
  const hub = { hostName: 'hub.example' }
  const customAllocationDefinition = { webhookUrl: 'https://w', apiVersion: '2021-10-01' }
  const enrollment = { etag: '', definitions: { customAllocationDefinition } }
  return {
    name: 'webhook-answer',
    dictionary: ['"iotHubHostName":"hub.example"', '"initialTwin":', '"payload":', '"properties":{"desired":'],
    generate: (random) =>
      filled(random, {
        iotHubHostName: () => random.pick(['hub.example', 'HUB.example', random.text()]),
        initialTwin: () => ({ tags: { a: 1 }, properties: { desired: { b: random.text() } } }),
        payload: () => ({ c: random.text() }),
      }),
    check: async (input) => {
      const answer = parseJson(input.toString())
      if (answer === undefined) return
      const parts = {
        codeAt: () => ({ asked: 'w', ask: async () => answer }),
        describe: () => ({}),
        readTwin: (twin: JsonObject) => readInitialTwin(members({ initialTwin: twin })),
        clock: () => 0,
        elapsed: () => 0,
        monotonic: () => 0,
      }
      const policy = customAllocation(parts)
      const device = {
        registrationId: 'dev',
        enrollment,
        trail: { note: () => undefined },
        presented: {},
        evidence: {},
        attested: {},
      }
      const choice = await Promise.resolve(policy.choose(device as never, [hub] as never)).catch((error: unknown) => {
        if (!(error instanceof Refusal)) throw error
      })
      if (choice) assert.equal(choice.hub.hostName, 'hub.example')
    },
  }
}
