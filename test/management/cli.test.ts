import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { on, once } from 'node:events'
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { createRoot } from '../fixtures/certificates.ts'
import { openControlPlane, type ControlPlane } from './control-plane.ts'
import { createRevocationList } from '../fixtures/revocation-list.ts'

let plane: ControlPlane
let folder: string
before(async () => {
  plane = await openControlPlane('127.80.6')
  folder = await mkdtemp(join(tmpdir(), 'hubward-cli-'))
})
after(async () => {
  await plane[Symbol.asyncDispose]()
  await rm(folder, { recursive: true, force: true })
})

const program = join(import.meta.dirname, '..', '..', 'bin', 'hubward.js')

interface Ended {
  readonly code: number
  readonly output: string
  readonly complaint: string
}

async function run(args: readonly string[], data = plane.service.dataFolder): Promise<Ended> {
  const child = spawn(process.execPath, [program, '--data', data, ...args], { cwd: folder })
  let output = ''
  let complaint = ''
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (complaint += chunk.toString()))
  const [code] = (await once(child, 'close')) as [number]
  return { code, output, complaint }
}

/** An object or a list of them, as the command is documented to print; an assertion of the test that reads it. */
type Printed = Record<string, unknown> & Record<string, unknown>[]

/** What a command that succeeds prints, as JSON. */
async function hubward(...args: string[]): Promise<Printed> {
  const { code, output, complaint } = await run(args)
  assert.equal(code, 0, `hubward ${args.join(' ')}: ${complaint}`)
  return JSON.parse(output || '{}') as Printed
}

/** What a command that fails says. */
async function complaint(...args: string[]): Promise<string> {
  const { code, complaint: said } = await run(args)
  assert.equal(code, 1, `hubward ${args.join(' ')} did not fail`)
  return said
}

test('a CA is made, uploaded, proven and used, and its devices are provisioned, with the command alone', async () => {
  await hubward('certificate', 'make-root', '--common-name', 'Plant root')
  assert.equal((await stat(join(folder, 'Plant-root-key.pem'))).mode & 0o777, 0o600, 'its key is for its owner only')
  await hubward('certificate', 'make-intermediate', '--common-name', 'Plant line', '--issuer', 'Plant-root.pem')
  await hubward('certificate', 'create', '--certificate-name', 'plant', '--path', 'Plant-root.pem')
  const shown = await hubward('certificate', 'generate-verification-code', '--certificate-name', 'plant')
  const { verificationCode } = shown['properties'] as Record<string, string>
  await hubward('certificate', 'make-proof', '--verification-code', verificationCode!, '--issuer', 'Plant-root.pem')
  await hubward('certificate', 'verify', '--certificate-name', 'plant', '--path', `${verificationCode}.pem`)
  const [listed] = await hubward('certificate', 'list')
  assert.equal((listed!['properties'] as Record<string, unknown>)['isVerified'], true)

  await hubward('enrollment-group', 'create', '--enrollment-id', 'plant-line', '--ca-name', 'plant')
  for (const transport of ['mqtt', 'https']) {
    const simulation = ['--count', '3', '--transport', transport, '--issuer', 'Plant-line.pem', '--prefix', transport]
    const summary = await hubward('device', 'simulate', ...simulation)
    assert.deepEqual([summary['devices'], summary['assigned']], [3, 3])
  }
  assert.equal((await hubward('registration', 'list', '--enrollment-id', 'plant-line')).length, 6)
})

test('the devices of a symmetric-key group are provisioned, explained, revoked and forgotten', async () => {
  await hubward('enrollment-group', 'create', '--enrollment-id', 'keys', '--initial-twin-tags', '{"line":7}')
  const summary = await hubward('device', 'simulate', '--count', '12', '--enrollment-id', 'keys', '--prefix', 'key-')
  assert.deepEqual([summary['assigned'], summary['failed']], [12, 0])
  const derived = await hubward('key', 'derive', '--enrollment-id', 'keys', '--registration-id', 'key-01')
  assert.equal(Buffer.from(String(derived['key']), 'base64').length, 32)
  assert.equal((await hubward('registration', 'show', '--registration-id', 'key-01'))['status'], 'assigned')

  const text = (await run(['explain', 'key-01', '--output', 'table'])).output
  assert.match(text, /assigned to 127\.80\.6\.[23]/)
  await hubward('revocation', 'create', '--registration-id', 'key-01', '--reason', 'lost')
  const again = ['device', 'simulate', '--count', '1', '--enrollment-id', 'keys', '--prefix', 'key-0']
  assert.match(await complaint(...again), /1 of 1 devices were not assigned\.\nAsk why: hubward explain key-01/)
  assert.match((await run(['explain', 'key-01', '--limit', '1', '--output', 'table'])).output, /was revoked on .* lost/)
  const [revocation] = await hubward('revocation', 'list')
  await hubward('revocation', 'delete', '--key', String(revocation!['key']))
  await hubward(...again)
  await hubward('registration', 'delete', '--registration-id', 'key-01')
  assert.match(await complaint('registration', 'show', '--registration-id', 'key-01'), /HTTP 404/)
})

test('a revocation list is imported, shown and forgotten', async () => {
  const root = await createRoot('Listed root')
  await writeFile(join(folder, 'listed.pem'), root.certificate)
  const list = await createRevocationList({ issuer: root.certificate, key: root.signingKey }, ['0A', '0B'])
  await writeFile(join(folder, 'listed.crl'), list)
  await hubward('certificate', 'create', '--certificate-name', 'listed', '--path', 'listed.pem')
  const imported = await hubward('revocation', 'import', '--name', 'factory', '--path', 'listed.crl')
  assert.equal(imported['revoked'], 2)
  assert.equal((await hubward('revocation', 'list')).length, 2)
  assert.equal((await hubward('revocation', 'lists')).length, 1)
  await hubward('revocation', 'forget', '--name', 'factory')
  assert.equal((await hubward('revocation', 'list')).length, 0)
})

test('enrollments are created, changed field by field, listed and deleted', async () => {
  const eid = ['--enrollment-id', 'pump']
  const created = await hubward(
    'enrollment',
    'create',
    ...eid,
    '--device-id',
    'pump-7',
    '--provisioning-status',
    'disabled',
  )
  assert.equal(created['deviceId'], 'pump-7')
  const updated = await hubward(
    'enrollment',
    'update',
    ...eid,
    '--provisioning-status',
    'enabled',
    '--reprovision-policy',
    'never',
  )
  assert.deepEqual(
    [updated['provisioningStatus'], updated['deviceId'], updated['reprovisionPolicy']],
    ['enabled', 'pump-7', { updateHubAssignment: false, migrateDeviceData: false }],
  )
  const keysOf = (enrollment: Record<string, unknown>) =>
    (enrollment['attestation'] as { symmetricKey?: { primaryKey: string } }).symmetricKey?.primaryKey
  const shown = await hubward('enrollment', 'show', ...eid, '--show-keys')
  assert.equal(keysOf(shown), keysOf(created), 'an update keeps the keys')
  assert.match(await complaint('enrollment', 'create', ...eid), /already exists.*HTTP 409/)
  assert.match(await complaint('enrollment', 'update', ...eid, '--etag', 'AAAA', '--edge-enabled', 'true'), /HTTP 412/)
  assert.equal((await hubward('enrollment', 'list')).length, 1)
  await hubward('enrollment', 'delete', ...eid)
  assert.match(await complaint('enrollment', 'show', ...eid), /not found/)
})

test('instances, linked hubs and policies are managed, each instance with --dps-name', async () => {
  await hubward('instance', 'create', 'acme', '--location', 'hall-3', '--tags', 'team=red')
  assert.deepEqual((await hubward('instance', 'list')).map(({ name }) => name).sort(), ['acme', 'hubward'])
  const of = ['--dps-name', 'acme']
  const [cs] = plane.service.hubConnectionStrings
  await hubward('linked-hub', 'create', ...of, '--connection-string', cs!, '--allocation-weight', '3')
  const hub = await hubward(
    'linked-hub',
    'update',
    ...of,
    '--linked-hub',
    '127.80.6.2',
    '--apply-allocation-policy',
    'false',
  )
  assert.deepEqual([hub['allocationWeight'], hub['applyAllocationPolicy']], [3, false])
  await hubward('linked-hub', 'update', ...of, '--linked-hub', '127.80.6.2', '--apply-allocation-policy', 'true')
  await hubward('enrollment-group', 'create', ...of, '--enrollment-id', 'line')
  const summary = await hubward('device', 'simulate', ...of, '--count', '2', '--enrollment-id', 'line')
  assert.deepEqual(summary['hubs'], { '127.80.6.2': 2 }, 'the key of the hub was kept through the updates')
  await hubward('policy', 'create', ...of, '--policy-name', 'reader', '--rights', 'EnrollmentRead')
  const before = await hubward('policy', 'show', ...of, '--policy-name', 'reader')
  const renewed = await hubward('policy', 'regenerate', ...of, '--policy-name', 'reader', '--key-type', 'secondary')
  assert.equal(renewed['primaryKey'], before['primaryKey'])
  assert.notEqual(renewed['secondaryKey'], before['secondaryKey'])
  assert.equal((await hubward('policy', 'list', ...of)).length, 2)
  await hubward('policy', 'delete', ...of, '--policy-name', 'reader')
  await hubward('linked-hub', 'delete', ...of, '--linked-hub', '127.80.6.2')
  assert.match(await complaint('instance', 'delete', 'acme'), /say it again with --yes/)
  await hubward('instance', 'delete', 'acme', '--yes')
})

test('a connection string is enough for enrollments, and a token of a role for what the role allows', async () => {
  const login = ['--login', plane.service.serviceConnectionString.replace(';', `:${plane.service.ports.https};`)]
  await hubward('enrollment', 'create', ...login, '--enrollment-id', 'by-login')
  const made = await hubward(
    'token',
    'create',
    '--role',
    'Reader@hubward',
    '--description',
    'dashboard',
    '--days',
    '30',
  )
  const as = ['--token', String(made['token'])]
  await hubward('instance', 'list', ...as)
  assert.match(await complaint('policy', 'list', ...as), /no role that allows this/)
  await hubward('token', 'revoke', '--id', String(made['id']))
  assert.match(await complaint('instance', 'list', ...as), /HTTP 401/)
})

test('an issuer is trusted with rules, listed and trusted no more', async () => {
  const rules = ['--rule', 'groups=plant:operators:DataContributor@hubward', 'roles=admin:Owner']
  const at = ['--issuer', 'https://login.example', '--jwks-url', 'https://login.example/keys']
  const created = await hubward('issuer', 'create', '--name', 'corporate', ...at, ...rules)
  assert.deepEqual(created['rules'], [
    { claim: 'groups', value: 'plant:operators', role: 'DataContributor', scope: 'hubward' },
    { claim: 'roles', value: 'admin', role: 'Owner', scope: '*' },
  ])
  assert.match((await run(['issuer', 'list', '-o', 'table'])).output, /corporate +https:\/\/login\.example/)
  await hubward('issuer', 'delete', '--name', 'corporate')
  assert.match(await complaint('issuer', 'create', '--name', 'x', ...at, '--rule', 'nothing'), /is no rule\.\nSuch as/)
})

test('a failure says what to do next', async () => {
  const nowhere = await run(['instance', 'list'], join(folder, 'none'))
  assert.match(nowhere.complaint, /data folder of a running service .* or give --endpoint/)
  const closed = await run(['--endpoint', 'https://127.80.6.9:1', '--token', 'x', 'instance', 'list'])
  assert.match(closed.complaint, /cannot be reached \(ECONNREFUSED\)\.\nStart the service with "hubward serve"/)
  const { endpoint, token } = plane
  const untrusted = await run(['--endpoint', endpoint, '--token', token, 'instance', 'list'], join(folder, 'none'))
  assert.match(untrusted.complaint, /is not trusted .*\nName the CA file with --ca-file/)
  assert.match(await complaint('instance', 'list', '--dps-name', 'x', '--output', 'xml'), /json, table/)
  assert.match(
    await complaint('linked-hub', 'list', '--dps-name', 'nope'),
    /There is no instance nope\.\nThere are: hubward/,
  )
  assert.match(await complaint('explain', 'nobody'), /Look everywhere with --all/)
  assert.match(await complaint('instance'), /Commands:/)
})

test('a table has a heading and a line for each record', async () => {
  const { output } = await run(['instance', 'list', '--output', 'table'])
  const [heading, rule, line] = output.split('\n')
  assert.match(heading!, /^Name +ID scope +Service host/)
  assert.match(rule!, /^-+ +-+/)
  assert.match(line!, new RegExp(`^hubward +${plane.service.idScope} +127\\.80\\.6\\.1`))
})

test('hubward serve runs the service, and ends it in good order when it is asked to', async () => {
  const data = join(folder, 'served')
  const addresses = [
    '--listen',
    '127.80.6.20,127.80.6.21',
    '--device-host',
    '127.80.6.20',
    '--hub-names',
    '127.80.6.21',
  ]
  const child = spawn(process.execPath, [program, '--data', data, 'serve', ...addresses])
  let printed = ''
  child.stdout.on('data', (chunk: Buffer) => (printed += chunk.toString()))
  child.stderr.resume()
  for await (const _ of on(child.stdout, 'data')) if (printed.includes('npm run device')) break
  assert.equal((await run(['instance', 'list'], data)).code, 0)
  child.kill('SIGTERM')
  const [code] = (await once(child, 'exit')) as [number]
  assert.equal(code, 0, printed)
  assert.match(printed, /stopping: what is under way is finished first/)
})
