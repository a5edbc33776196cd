import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, beforeEach, test } from 'node:test'
import { openNodeRunner } from '../../sdk/runner.ts'
import { symmetricGroup, symmetricIndividual, x509GroupByRoot, x509Individual } from '../fixtures/enrollments.ts'
import { startService, type Service } from '../fixtures/service.ts'
import { deviceAt, eventually } from './hub-devices.ts'

const network = '127.70.4'
const [first, second] = [`${network}.2`, `${network}.3`]
const functions = `${network}.9`

type Json = Record<string, unknown>
interface AllocationRequest {
  readonly individualEnrollment?: Json
  readonly enrollmentGroup?: Json
  readonly deviceRuntimeContext: Json
  readonly linkedHubs: readonly string[]
}

/** An Azure Function written for custom allocation, as far as the wire goes. */
const asked: AllocationRequest[] = []
let answer: (request: AllocationRequest) => { readonly status?: number; readonly body: unknown }
const server = createServer((incoming, outgoing) => {
  let text = ''
  incoming.on('data', (part: Buffer) => (text += part.toString()))
  incoming.on('end', () => {
    const request = JSON.parse(text) as AllocationRequest
    asked.push(request)
    const { status = 200, body } = answer(request)
    outgoing.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
  })
})
await new Promise<void>((resolve) => server.listen(0, functions, resolve))
const address = server.address()
const webhookUrl = `http://${functions}:${typeof address === 'object' ? address?.port : 0}/api/pick?code=very-secret`

const service = await startService({
  network,
  args: ['--webhook-http', 'allow', '--webhook-networks', functions, '--policy-time', '500', '--log', 'json'],
})
const runner = await openNodeRunner({ caFile: service.caFile })
after(async () => {
  await runner[Symbol.asyncDispose]()
  await service[Symbol.asyncDispose]()
  server.close()
})
beforeEach(() => {
  asked.length = 0
  answer = ({ linkedHubs }) => ({ body: { iotHubHostName: linkedHubs.at(-1) } })
})

let devices = 0

test('a symmetric key device: the request is the published one, without secrets', async () => {
  const { id, result } = await provision({ kind: symmetricIndividual, payload: { model: 'M2' } })
  assert.equal(result.assignedHub, second)
  assert.equal(asked.length, 1)
  const [request] = asked
  const { etag, createdDateTimeUtc, lastUpdatedDateTimeUtc, ...record } = request?.individualEnrollment ?? {}
  assert.match(String(etag), /^"[0-9a-f-]{36}"$/)
  for (const time of [createdDateTimeUtc, lastUpdatedDateTimeUtc]) assert.match(String(time), /^\d{4}-.*Z$/)
  assert.deepEqual(record, {
    registrationId: id,
    attestation: { type: 'symmetricKey' },
    provisioningStatus: 'enabled',
    allocationPolicy: 'custom',
    customAllocationDefinition: { webhookUrl: webhookUrl.replace(/\?.*/, '?****'), apiVersion: '2021-10-01' },
  })
  assert.deepEqual(request?.deviceRuntimeContext, {
    registrationId: id,
    symmetricKey: {},
    payload: { model: 'M2' },
  })
  assert.deepEqual(request?.linkedHubs, [first, second])
})

test('a device of a symmetric key group: the group stands in the request', async () => {
  const { id } = await provision({ kind: symmetricGroup })
  assert.equal(asked[0]?.enrollmentGroup?.['enrollmentGroupId'], `group-of-${id}`)
  assert.deepEqual(asked[0]?.deviceRuntimeContext, { registrationId: id, symmetricKey: {} })
})

test('an X.509 device: its certificate stands in the request', async () => {
  const { id } = await provision({ kind: x509Individual })
  const x509 = asked[0]?.deviceRuntimeContext['x509'] as Json
  assert.equal((x509['certificateInfo'] as Json)['subjectName'], `CN=${id}`)
  assert.equal((x509['chain'] as string[]).length, 1)
  assert.equal((x509['chain'] as string[])[0], x509['certificate'])
  assert.equal(x509['clientCertificate'], x509['certificate'], 'as published functions read it')
})

test('a device of an X.509 group: its chain and the certificate that vouches for it stand in the request', async () => {
  const { id } = await provision({ kind: x509GroupByRoot })
  const x509 = asked[0]?.deviceRuntimeContext['x509'] as Json
  assert.equal((x509['certificateInfo'] as Json)['subjectName'], `CN=${id}`)
  assert.equal((x509['signingCertificateInfo'] as Json)['subjectName'], `CN=Root of ${id}`)
  assert.equal((x509['chain'] as string[]).length, 2, 'the leaf and its intermediate')
})

test('a payload that Java sends as text is shown as what it says; 2018-09-01-preview knows no payload', async () => {
  await provision({ payload: '{"model":"M2"}' })
  assert.deepEqual(asked[0]?.deviceRuntimeContext['payload'], { model: 'M2' })
  answer = () => ({ body: { iotHubHostName: first, payload: { never: 'seen' } } })
  const { result } = await provision({ payload: { model: 'M2' }, apiVersion: '2018-09-01-preview' })
  assert.equal('payload' in (asked[1]?.deviceRuntimeContext ?? {}), false)
  assert.equal(result.payload, undefined)
})

test('the answer’s twin and payload are the device’s; without a twin it gets the enrollment’s', async () => {
  const initialTwin = { tags: { from: 'enrollment' }, properties: { desired: { from: 'enrollment' } } }
  answer = () => ({
    body: {
      iotHubHostName: first.toUpperCase(),
      initialTwin: { tags: { from: 'code' }, properties: { desired: { from: 'code' } } },
      payload: { next: 'call-home' },
    },
  })
  const told = await provision({ entry: { initialTwin } })
  assert.deepEqual(told.result.payload, { next: 'call-home' })
  assert.deepEqual((await deviceAt(service, 0, told.id))?.tags, { from: 'code' })
  assert.deepEqual((await deviceAt(service, 0, told.id))?.desired, { from: 'code' })

  answer = () => ({ body: { iotHubHostName: first, initialTwin: null, payload: null } })
  const { id } = await provision({ entry: { initialTwin } })
  assert.deepEqual((await deviceAt(service, 0, id))?.desired, { from: 'enrollment' })
})

test('members of the answer are read in any case, at every depth', async () => {
  answer = () => ({
    body: {
      IotHubHostName: first,
      InitialTwin: { Tags: { a: 1 }, Properties: { Desired: { Kept: 'As It Is' }, reported: null } },
    },
  })
  const { id } = await provision({})
  const device = await deviceAt(service, 0, id)
  assert.deepEqual([device?.tags, device?.desired], [{ a: 1 }, { Kept: 'As It Is' }])
})

test('a device that is never to move is asked about with its own hub alone, and gets its payload', async () => {
  const entry = { reprovisionPolicy: { updateHubAssignment: false, migrateDeviceData: true } }
  const device = await provision({ entry })
  answer = ({ linkedHubs }) => ({ body: { iotHubHostName: linkedHubs[0], payload: { again: true } } })
  const again = await device.again()
  assert.equal(again.assignedHub, second)
  assert.deepEqual(again.payload, { again: true })
  assert.deepEqual(asked[1]?.linkedHubs, [second])
  assert.equal(asked[1]?.deviceRuntimeContext['currentIotHubHostName'], second)
  assert.equal(asked[1]?.deviceRuntimeContext['currentDeviceId'], device.id)
})

test('code that changes its mind moves the device, and its twin with it', async () => {
  const device = await provision({ entry: { initialTwin: { tags: { kept: true } } } })
  answer = () => ({ body: { iotHubHostName: first, initialTwin: { tags: { ignored: true } } } })
  const moved = await device.again()
  assert.deepEqual([moved.assignedHub, moved.substatus], [first, 'deviceDataMigrated'])
  assert.deepEqual((await deviceAt(service, 0, device.id))?.tags, { kept: true })
  assert.equal(await deviceAt(service, 1, device.id), undefined)
})

const failures: [name: string, answers: typeof answer, message: string | RegExp][] = [
  ['404', () => ({ status: 404, body: {} }), 'Custom allocation failed with status code: 404'],
  ['500, twice', () => ({ status: 500, body: {} }), 'Custom allocation failed with status code: 500'],
  ['no hub', () => ({ body: {} }), 'Custom allocation failed (the answer names no hub)'],
  [
    'an unlinked hub',
    () => ({ body: { iotHubHostName: 'other.example' } }),
    'Custom allocation failed (the answer names other.example, which is not among the linked hubs)',
  ],
  [
    'a twin that no hub takes',
    () => ({ body: { iotHubHostName: first, initialTwin: { tags: { 'a.b': 1 } } } }),
    /^Custom allocation failed \(the initialTwin in the answer: initialTwin\.tags /,
  ],
  [
    'a twin with a member that no twin has',
    () => ({ body: { iotHubHostName: first, initialTwin: { properties: { wanted: { a: 1 } } } } }),
    'Custom allocation failed (the initialTwin.properties in the answer has the member "wanted", which no initial twin has)',
  ],
]
for (const [name, answers, message] of failures) {
  test(`a function that answers ${name} fails the registration with 400207`, async () => {
    answer = answers
    const { id, result } = await provision({ entry: {} })
    assert.equal(result.ok, false)
    const { status, errorCode, errorMessage } = (await service.operate('GET', `/registrations/${id}`)).json()
    assert.deepEqual({ status, errorCode }, { status: 'failed', errorCode: 400207 })
    if (typeof message === 'string') assert.equal(errorMessage, message)
    else assert.match(String(errorMessage), message)
    assert.equal(await deviceAt(service, 0, id), undefined)
  })
}

test('a module of the operator decides in the process, and an endless loop fails its own device only', async () => {
  mkdirSync(join(service.dataFolder, 'policies'), { recursive: true })
  writeFileSync(
    join(service.dataFolder, 'policies', 'by-line.ts'),
    `interface Request { deviceRuntimeContext: { payload?: { line?: number } }; linkedHubs: string[] }
     export default ({ deviceRuntimeContext: { payload }, linkedHubs }: Request) => {
       if (payload?.line === 13) for (;;);
       return { iotHubHostName: linkedHubs[(payload?.line ?? 0) % 2], payload: { line: payload?.line ?? 0 } }
     }`,
  )
  const on = 'https://in-process/by-line'
  const [even, odd, loop] = await Promise.all([2, 3, 13].map((line) => provision({ on, payload: { line } })))
  assert.deepEqual([even?.result.assignedHub, odd?.result.assignedHub], [first, second])
  assert.deepEqual(odd?.result.payload, { line: 3 })
  assert.equal(loop?.result.ok, false)
  const { errorMessage } = (await service.operate('GET', `/registrations/${loop?.id}`)).json()
  assert.equal(errorMessage, 'Custom allocation failed (timeout)')
})

test('with a fallback named, a device whose code failed is allocated by it', async () => {
  await using other = await startService({ network: '127.70.5', args: ['--custom-fallback', 'hashed'] })
  await using devices = await openNodeRunner({ caFile: other.caFile })
  const { result } = await provision({ on: 'https://in-process/absent', at: other, with: devices })
  assert.equal(result.status, 'assigned')
})

test('each call stands in the decision record with its outcome and duration, and what may be secret is masked', async () => {
  const { id } = await provision({})
  const shown = webhookUrl.replace(/\?.*/, '?****')
  const findings = () =>
    service
      .log()
      .split('\n')
      .flatMap((line) =>
        line.includes(`"registrationId":"${id}"`) ? [JSON.parse(line) as { decision: Decision }] : [],
      )
      .flatMap(({ decision }) => decision.findings)
  assert.ok(await eventually(async () => findings().length > 0))
  const custom = findings().find((finding) => finding['step'] === 'custom')
  assert.deepEqual([custom?.['asked'], custom?.['found']], [shown, `answered ${second}`])
  assert.ok(Number(custom?.['milliseconds']) >= 0)
  assert.doesNotMatch(service.log(), /very-secret/)
})

interface Decision {
  readonly findings: readonly Json[]
}

interface Provisioning {
  readonly kind?: typeof symmetricIndividual
  readonly payload?: unknown
  readonly apiVersion?: string
  readonly entry?: object
  readonly on?: string
  readonly at?: Service
  readonly with?: typeof runner
}

/** Enrolls a device with custom allocation and registers it through the Node SDK. */
async function provision(asks: Provisioning) {
  const { kind = symmetricIndividual, payload, apiVersion = '2021-10-01', entry, on = webhookUrl, at = service } = asks
  const id = `custom-${++devices}`
  const { path, body, credential } = await kind(id)
  const customAllocationDefinition = { webhookUrl: on, apiVersion }
  await at.operate('PUT', path, { ...body, allocationPolicy: 'custom', customAllocationDefinition, ...entry })
  const again = () =>
    (asks.with ?? runner).run({
      host: at.deviceHost,
      idScope: at.idScope,
      registrationId: id,
      transport: 'mqtt',
      attestation: credential,
      payload,
    })
  return { id, again, result: await again() }
}
