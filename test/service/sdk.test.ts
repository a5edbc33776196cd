import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { after, test } from 'node:test'
import { createRoot, createSelfSigned } from '../fixtures/certificates.ts'
import { derivedKey, sasToken } from '../fixtures/sas.ts'
import { newKey } from '../fixtures/enrollments.ts'
import { startService } from '../fixtures/service.ts'
import { startSdk } from '../hub/sdk-process.ts'

const service = await startService({ network: '127.50.10', args: ['--unknown-queries', 'refuse'] })
after(() => service[Symbol.asyncDispose]())

type Json = Readonly<Record<string, unknown>>

interface Outcome {
  readonly given?: unknown
  /** What the SDK made of the refusal: its own error name, the status and the body. */
  readonly refused?: { readonly name: string; readonly status: number; readonly text: string }
}

const leaf = (await createSelfSigned('device')).certificate
const spare = (await createSelfSigned('device')).certificate
const root = (await createRoot('Acme root')).certificate
const endorsementKey = newEndorsementKey()

/** Each attestation with what a reader is shown of it. */
const kinds: readonly {
  readonly name: string
  readonly family: Family
  readonly attestation: Json
  readonly hidden: RegExp
}[] = [
  { name: 'symmetric key', family: 'enrollments', attestation: { type: 'symmetricKey' }, hidden: /primaryKey/ },
  {
    name: 'X.509 leaf',
    family: 'enrollments',
    attestation: {
      type: 'x509',
      x509: { clientCertificates: { primary: { certificate: leaf }, secondary: { certificate: base64(spare) } } },
    },
    hidden: /"certificate"/,
  },
  {
    name: 'TPM',
    family: 'enrollments',
    attestation: { type: 'tpm', tpm: { endorsementKey } },
    hidden: /storageRootKey/,
  },
  {
    name: 'symmetric key group',
    family: 'enrollmentGroups',
    attestation: { type: 'symmetricKey' },
    hidden: /primaryKey/,
  },
  {
    name: 'X.509 group',
    family: 'enrollmentGroups',
    attestation: { type: 'x509', x509: { signingCertificates: { primary: { certificate: root } } } },
    hidden: /"certificate"/,
  },
]

type Family = 'enrollments' | 'enrollmentGroups'

const sdks = { 'Node SDK': 'node-operator.mjs', 'Python SDK': 'python-operator.py' }

// All are open before the first test is known: the runner ends when it has run those it knows.
const operators = await Promise.all(
  Object.entries(sdks).map(async ([sdk, program]) => {
    const operator = await startSdk(`../service/${program}`, service.caFile)
    await operator.ask('open', service.serviceConnectionString)
    return { sdk, program, operator }
  }),
)

for (const { sdk, program, operator } of operators) {
  after(() => operator[Symbol.asyncDispose]())
  const ask = async (command: string, argument: unknown) => (await operator.ask(command, argument)) as Outcome

  const given = async <T = Json>(command: string, argument: unknown): Promise<T> => {
    const outcome = await ask(command, argument)
    assert.equal(outcome.refused, undefined, JSON.stringify(outcome.refused))
    return outcome.given as T
  }
  const refused = async (command: string, argument: unknown, status: number, errorCode: number) => {
    const outcome = await ask(command, argument)
    assert.equal(outcome.refused?.status, status, JSON.stringify(outcome))
    assert.match(outcome.refused.text, new RegExp(`${errorCode}`))
    return outcome.refused.name
  }
  const prefix = program.slice(0, 4)

  for (const { name, family, attestation, hidden } of kinds) {
    test(`${sdk}, ${name}: create, read, change, write back, read the secrets, delete`, async () => {
      const id = `${prefix}:${name.replaceAll(/\W/g, '')}`
      const record = { [family === 'enrollments' ? 'registrationId' : 'enrollmentGroupId']: id, attestation }
      const created = await given('put', { family, record: { ...record, provisioningStatus: 'disabled' } })
      await refused('put', { family, record }, 409, family === 'enrollments' ? 409201 : 409202)

      const read = await given('get', { family, id })
      assert.equal(read['provisioningStatus'], 'disabled')
      assert.equal(read['etag'], created['etag'])
      assert.doesNotMatch(JSON.stringify(read['attestation']), hidden)
      const secrets = await given('mechanism', { family, id })
      assert.deepEqual(secrets, created['attestation'])

      const changed = {
        ...read,
        provisioningStatus: 'enabled',
        allocationPolicy: 'static',
        iotHubs: [service.hubConnectionStrings[0]!.split(/[=;]/)[1]],
      }
      const updated = await given('put', { family, record: changed, ifMatch: read['etag'] })
      assert.equal(updated['provisioningStatus'], 'enabled')
      assert.notEqual(updated['etag'], read['etag'])
      assert.equal(updated['createdDateTimeUtc'], read['createdDateTimeUtc'])
      assert.deepEqual(await given('mechanism', { family, id }), secrets)
      await refused(
        'put',
        { family, record: changed, ifMatch: read['etag'] },
        412,
        family === 'enrollments' ? 412201 : 412202,
      )

      await refused('delete', { family, id, ifMatch: read['etag'] }, 412, family === 'enrollments' ? 412201 : 412202)
      await given('delete', { family, id, ifMatch: updated['etag'] })
      await refused('get', { family, id }, 404, family === 'enrollments' ? 404201 : 404202)
    })
  }

  for (const family of ['enrollments', 'enrollmentGroups'] as const) {
    test(`${sdk}: a query over ${family} comes in three pages that hold every record once`, async () => {
      const idMember = family === 'enrollments' ? 'registrationId' : 'enrollmentGroupId'
      const ids = Array.from({ length: 5 }, (_, n) => `${prefix}-page-${n}`)
      for (const id of ids)
        await given('put', { family, record: { [idMember]: id, attestation: { type: 'symmetricKey' } } })
      const query = `SELECT * FROM ${family} WHERE STARTSWITH(${idMember}, '${prefix}-page')`
      const pages = await given<Json[][]>('query', { family, query, pageSize: 2 })
      assert.deepEqual(
        pages.map((page) => page.map((item) => item[idMember])),
        [ids.slice(0, 2), ids.slice(2, 4), ids.slice(4)],
      )
      const everything = await given<Json[][]>('query', { family, query: 'SELECT *', pageSize: 1 })
      assert.ok(everything.length >= 5 && everything.every((page) => page.length === 1))
      await refused('query', { family, query: 'SELECT * WHERE', pageSize: 2 }, 400, 400000)
      for (const id of ids) await given('delete', { family, id })
    })
  }

  test(`${sdk}: bulk create and delete, with what was refused told item by item`, async () => {
    const item = (n: number) => ({ registrationId: `${prefix}-bulk-${n}`, attestation: { type: 'symmetricKey' } })
    const bulk = (mode: string, ...items: number[]) =>
      given('bulk', { operation: { mode, enrollments: items.map(item) } })
    assert.deepEqual(await bulk('create', 1, 2), { errors: [], isSuccessful: true })
    const partly = await bulk('create', 2, 3)
    assert.equal(partly['isSuccessful'], false)
    assert.deepEqual(partly['errors'], [
      { registrationId: item(2).registrationId, errorCode: 409201, errorStatus: 'Enrollment already exists.' },
    ])
    const { etag } = await given('get', { family: 'enrollments', id: item(3).registrationId })
    const operation = { mode: 'updateIfMatchETag', enrollments: [{ ...item(3), etag, deviceId: 'three' }] }
    assert.equal((await given('bulk', { operation }))['isSuccessful'], true)
    assert.deepEqual(await bulk('delete', 1, 2, 3), { errors: [], isSuccessful: true })
    await refused('bulk', { operation: { mode: 'create', enrollments: [] } }, 400, 400004)
  })

  test(`${sdk}: the states of devices that came through a group, one by one and in pages, and forgotten`, async () => {
    const family = 'registrations'
    const id = `${prefix}-states`
    const key = newKey()
    const symmetricKey = { primaryKey: key, secondaryKey: newKey() }
    await given('put', {
      family: 'enrollmentGroups',
      record: { enrollmentGroupId: id, attestation: { type: 'symmetricKey', symmetricKey } },
    })
    const devices = [1, 2, 3].map((n) => `${id}-${n}`)
    for (const device of devices) await register(device, key)
    const state = await given('get', { family, id: devices[0] })
    assert.deepEqual(
      [state['registrationId'], state['deviceId'], state['status']],
      [devices[0], devices[0], 'assigned'],
    )
    const pages = await given<Json[][]>('registrationsOf', { id, pageSize: 2 })
    assert.deepEqual(
      pages.map((page) => page.map((item) => item['registrationId'])),
      [devices.slice(0, 2), devices.slice(2)],
    )
    await refused('delete', { family, id: devices[0], ifMatch: 'stale' }, 412, 412203)
    await given('delete', { family, id: devices[0], ifMatch: state['etag'] })
    await refused('get', { family, id: devices[0] }, 404, 404201)
  })

  test(`${sdk}: a wrong key is unauthorized in the SDK's own words`, async () => {
    await ask('open', service.serviceConnectionString.replace(/SharedAccessKey=.*$/, `SharedAccessKey=${newKey()}`))
    try {
      const name = await refused('get', { family: 'enrollments', id: 'x' }, 401, 401002)
      assert.equal(name, program.endsWith('.py') ? 'ClientAuthenticationError' : 'UnauthorizedError')
    } finally {
      await ask('open', service.serviceConnectionString)
    }
  })
}

async function register(registrationId: string, groupKey: string): Promise<void> {
  const key = derivedKey(groupKey, registrationId)
  const authorization = sasToken(`${service.idScope}/registrations/${registrationId}`, key, { keyName: 'registration' })
  const path = `/${service.idScope}/registrations/${registrationId}`
  const request = { headers: { authorization }, body: { registrationId } }
  const accepted = await service.https({ method: 'PUT', path: `${path}/register?api-version=2021-06-01`, ...request })
  assert.equal(accepted.status, 202, accepted.text)
  const operation = `${path}/operations/${String(accepted.json()['operationId'])}?api-version=2021-06-01`
  for (const limit = Date.now() + 20_000; Date.now() < limit;) {
    const state = await service.https({ method: 'GET', path: operation, headers: { authorization } })
    if (state.json()['status'] === 'assigned') return
    assert.equal(state.json()['status'], 'assigning', state.text)
  }
  assert.fail(`${registrationId} was not assigned within 20 s`)
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64')
}

/** A TPM2B_PUBLIC in the default template of endorsement keys. [device-wire §5.1] */
function newEndorsementKey(): string {
  const { n = '' } = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey.export({ format: 'jwk' })
  const policy = '837197674484b3f81a90cc8d46a5d724fd52d76e06520b64f2a1da1b331469aa'
  const template = `013a0001000b000300b20020${policy}00060080004300100800000000000100`
  return Buffer.concat([Buffer.from(template, 'hex'), Buffer.from(n, 'base64url')]).toString('base64')
}
