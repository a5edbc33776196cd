import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { offered } from '../../test/fixtures/kinds.ts'
import type { EnrollmentGroup, IndividualEnrollment } from '../model/enrollment.ts'
import { newEtag } from '../model/identifiers.ts'
import type { Json, JsonObject } from '../base/json.ts'
import { Refusal } from '../model/refusal.ts'
import { Secret } from '../base/secret.ts'
import { timestamp } from '../base/time.ts'
import { readGroup, readIndividual } from './read-enrollment.ts'
import { ordinaryRules } from './enrollment-rules.ts'
import { enrollmentJson } from './write-enrollment.ts'

const certificates = [
  'MIIBRzCB7QIEAIChsjAKBggqhkjOPQQDAjAuMQswCQYDVQQGEwJERTETMBEGA1UECgwKQWNtZSwgSW5jLjEKMAgGA1UECwwBYTAeFw0yNjExMjMyMTE2NDNaFw00NjExMTgyMTE2NDNaMC4xCzAJBgNVBAYTAkRFMRMwEQYDVQQKDApBY21lLCBJbmMuMQowCAYDVQQLDAFhMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEGZITkV4ZdDdLKGF2PxVIsQiuXltIIURqAv+YTCtQkADYRvxaktczd9ECSkuc5P+aKL6Ww04J98uED/p1yZ24NDAKBggqhkjOPQQDAgNJADBGAiEA1DPCGGPvu2Wp8tOWmXOBJ/4dGI5eM8CnD5CHbKtxHwYCIQDAAVZG70q5MuLOSIq/64LWUN8ndn3rurmygOfyL7m3Kw==',
]

const context = { ...offered, newKey: () => new Secret(randomBytes(64)), rules: ordinaryRules }
const optional = <T>(of: fc.Arbitrary<T>) => fc.option(of, { nil: undefined })
const key = fc.uint8Array({ minLength: 16, maxLength: 64 }).map((bytes) => Buffer.from(bytes).toString('base64'))
const slot = fc.constantFrom(...certificates).map((certificate) => ({ certificate }))
const pair = fc.record({ primary: slot, secondary: fc.option(slot) }, { requiredKeys: ['primary'] })
const text = fc.string({ maxLength: 20 })
const member = fc.string({ unit: fc.constantFrom('a', 'B', '-', '_', 'é', '__proto__'), minLength: 1, maxLength: 5 })
const { json } = fc.letrec<{ json: Json }>((tie) => ({
  json: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom<Json>(null, true, 0, -1.5, 1e300),
    text,
    fc.array(tie('json'), { maxLength: 3 }),
    fc.dictionary(member, tie('json'), { maxKeys: 3 }),
  ),
}))
const { twin } = fc.letrec<{ twin: Json }>((tie) => ({
  twin: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom<Json>(true, 0, -1.5, 1e-300),
    text,
    fc.array(tie('twin'), { maxLength: 3 }),
    fc.dictionary(member, fc.option(tie('twin')), { maxKeys: 3 }),
  ),
}))
const section: fc.Arbitrary<JsonObject> = fc.dictionary(member, twin, { maxKeys: 4 })
const object: fc.Arbitrary<JsonObject> = fc.dictionary(member, json, { maxKeys: 4 })

const attestation = fc.oneof(
  fc.constant({ type: 'symmetricKey' }),
  fc.record({ type: fc.constant('SYMMETRICKEY'), symmetricKey: fc.record({ primaryKey: key, secondaryKey: key }) }),
  fc.record({ type: fc.constant('x509'), x509: fc.record({ clientCertificates: pair }) }),
)
const enrollment = fc.record({
  attestation,
  deviceId: optional(fc.string({ unit: fc.constantFrom('a', 'Z', '9', '#', "'"), minLength: 1, maxLength: 128 })),
  optionalDeviceInformation: optional(object),
  capabilities: optional(fc.record({ iotEdge: fc.boolean() })),
  initialTwin: optional(fc.record({ tags: section, properties: fc.record({ desired: section }) })),
  provisioningStatus: fc.constantFrom(undefined, null, 'enabled', 'Disabled'),
  reprovisionPolicy: optional(fc.record({ updateHubAssignment: fc.boolean() })),
  allocationPolicy: fc.constantFrom(undefined, null, 'hashed', 'GeoLatency', 'static', 'CUSTOM'),
  iotHubs: optional(fc.array(fc.string({ minLength: 1, maxLength: 10 }))),
  customAllocationDefinition: fc.constant({ webhookUrl: 'https://a.example/?code=x', apiVersion: '2021-10-01' }),
  credentialPolicyName: optional(text),
})

const now = timestamp(0)
const stamps = { etag: newEtag(), createdDateTimeUtc: now, lastUpdatedDateTimeUtc: now }
const sent = (body: unknown): JsonObject => JSON.parse(JSON.stringify(body)) as JsonObject

/** Certificates are compared by what is kept, keys by their bytes, the rest by what is shown. */
function everything({ attestation: mechanism, ...rest }: IndividualEnrollment | EnrollmentGroup): unknown {
  const keys = [mechanism['primaryKey'], mechanism['secondaryKey']].filter((member) => member instanceof Secret)
  return sent({ ...rest, mechanism, keys: keys.map((secret) => secret.revealBase64()) })
}

test('what is read, shown to a reader without secrets, and written back is the same record, secrets included', () => {
  fc.assert(
    fc.property(enrollment, fc.boolean(), (body, webhookSecrets) => {
      const asked = sent({ ...body, registrationId: 'Unit' })
      const stored = { ...readIndividual(asked, 'unit', context), ...stamps } as IndividualEnrollment
      const shown = sent(enrollmentJson(stored, offered, { keys: false, webhookSecrets }))
      const again = { ...readIndividual(shown, 'UNIT', { ...context, stored }), ...stamps } as IndividualEnrollment
      assert.deepEqual(everything(again), everything(stored))
      assert.deepEqual(sent(enrollmentJson(again, offered, { keys: false, webhookSecrets })), shown)
    }),
    { numRuns: 300 },
  )
})

test('a group is read and written back in the same way', () => {
  fc.assert(
    fc.property(enrollment, (body) => {
      const signing = { type: 'x509', x509: { signingCertificates: { primary: { certificate: certificates[0] } } } }
      const group = { ...body, attestation: body.attestation.type === 'x509' ? signing : body.attestation }
      const allocationPolicy = body.allocationPolicy ?? (body.iotHubs?.length ? 'hashed' : undefined)
      const asked = sent({ ...group, allocationPolicy, enrollmentGroupId: 'Line' })
      const stored = { ...readGroup(asked, 'line', context), ...stamps } as EnrollmentGroup
      const shown = sent(enrollmentJson(stored, offered, { keys: false, webhookSecrets: true }))
      const again = { ...readGroup(shown, 'line', { ...context, stored }), ...stamps } as EnrollmentGroup
      assert.deepEqual(everything(again), everything(stored))
    }),
    { numRuns: 200 },
  )
})

test('whatever JSON is sent as an enrollment, the answer is a record or a Refusal that names a member', () => {
  const names = [
    'registrationId',
    'attestation',
    'type',
    'x509',
    'tpm',
    'symmetricKey',
    'primary',
    'certificate',
    'info',
  ]
  names.push(
    'initialTwin',
    'tags',
    'properties',
    'desired',
    'iotHubs',
    'customAllocationDefinition',
    'clientCertificates',
  )
  const { hostile } = fc.letrec<{ hostile: Json }>((tie) => ({
    hostile: fc.oneof(
      { maxDepth: 5 },
      fc.constantFrom<Json>(null, true, 1, '', 'x509', 'tpm', 'symmetricKey', 'unit', []),
      fc.dictionary(fc.constantFrom(...names), tie('hostile'), { maxKeys: 5 }),
    ),
  }))
  fc.assert(
    fc.property(hostile, hostile, (attestation, initialTwin) => {
      try {
        readIndividual({ registrationId: 'unit', attestation, initialTwin }, 'unit', context)
      } catch (error) {
        assert.ok(error instanceof Refusal && error.info?.['member'], String(error))
      }
    }),
    { numRuns: 1000 },
  )
})
