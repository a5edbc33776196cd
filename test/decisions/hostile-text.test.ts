import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { promisify } from 'node:util'
import { createSelfSigned } from '../fixtures/certificates.ts'
import { sasToken } from '../fixtures/sas.ts'
import { openControlPlane, type ControlPlane } from '../management/control-plane.ts'
import { attach, openAmqp, ask } from '../wire/amqp-client.ts'
import { openTls, speakMqtt } from '../wire/mqtt-client.ts'

/** A line of ours, made up by a stranger; then whatever moves a cursor, turns the reading direction or cannot be seen. */
const forged = '[13:59:54] INFO: assigned pump-22'
const hostile = `QQ\n${forged}\r\n\t\u001b[2J\u001b]0;x\u0007\u0008\u007f\u0085\u009b31m\u00a0\u200b\u2028\u2029\u202e\u2066\ufeff"'\\ QQ`
const escaped = encodeURIComponent(hostile)
/** What a header can carry of it: bytes of Latin-1. */
const inHeader = 'QQ\t\u0085\u009b31m\u00a0\u00ad QQ'

/** All that a terminal acts on or a reader cannot see, but for the line end. */
const unseen = /(?!\n)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\u00a0]/u

for (const [format, network] of [
  ['text', '127.91.1'],
  ['json', '127.91.2'],
] as const) {
  test(`no text from any wire makes a line of its own or steers a terminal: log in ${format}, records, audit, explain`, async () => {
    await using plane = await openControlPlane(network, ['--log', format])
    for (const send of [overHttps, overMqtt, overAmqp, withCertificates, atServiceApi, atControlPlane]) {
      const before = Date.now()
      await send(plane)
      assert.ok(plane.service.running(), `after ${send.name}`)
      await untilLogged(plane, before)
      assertOurs(plane.service.log(), format)
    }
    const told = await plane.call('GET', '/decisions?limit=100&format=text')
    assert.ok(told.text.includes('QQ') && !unseen.test(told.text), 'the records in words')
    for (const line of told.text.split('\n')) assert.match(line, /^(?:\d{4}-\S+Z {2}[a-z]| {2}[a-z]|$)/)
    const listed = await plane.call('GET', '/decisions?limit=100')
    assert.ok(listed.text.includes('QQ') && !unseen.test(listed.text), 'the records as JSON')
    const audit = await readFile(join(plane.service.dataFolder, 'audit.log'), 'utf8')
    assert.ok(audit.includes('QQ') && !unseen.test(audit), 'the audit log')
    for (const line of audit.trim().split('\n')) assert.doesNotThrow(() => void JSON.parse(line))
    for (const args of commands) await assertCommand(plane, args)
  })
}

function assertOurs(log: string, format: 'text' | 'json'): void {
  const bad = unseen.exec(log)
  assert.equal(bad && JSON.stringify(log.slice(Math.max(0, bad.index - 100), bad.index + 20)), null)
  for (const line of log.split('\n')) {
    assert.ok(!/^\s*(?:QQ|\[13:59:54\])/.test(line), line)
    if (format === 'json' && line.startsWith('{')) assert.doesNotThrow(() => void JSON.parse(line), line)
  }
}

/** A line of the last thing sent is there: lines come a moment later than answers. */
async function untilLogged({ service }: ControlPlane, _since: number): Promise<void> {
  for (let tries = 0, length = -1; tries < 100 && service.log().length !== length; tries++) {
    length = service.log().length
    await wait(100)
  }
}

async function overHttps({ service }: ControlPlane): Promise<void> {
  const { idScope } = service
  const at = (path: string) => `/${idScope}/registrations/${path}`
  const sane = `${at('zz')}/register?api-version=2021-06-01`
  const paths = [
    `${at('zz')}/register?api-version=${escaped}`,
    `${at(escaped)}/register?api-version=2021-06-01`,
    `/${escaped}/registrations/zz/register?api-version=2021-06-01`,
    `/${idScope}/${escaped}/zz`,
    `${at('zz')}/${escaped}`,
    `${at('zz')}/operations/${escaped}?api-version=2021-06-01`,
    `/${escaped}%`,
  ]
  for (const path of paths) await service.https({ method: 'PUT', path, body: {} })
  await service.https({ method: 'GET', path: paths[5]! })
  await service.https({ method: 'PURGE', path: sane })
  const tokens = [
    inHeader,
    sasToken(hostile, 'AAAA'),
    `${sasToken(`${idScope}/registrations/zz`, 'AAAA')}&skn=${escaped}`,
    `SharedAccessSignature sr=${escaped}&sig=${escaped}&se=${escaped}&skn=${escaped}`,
  ]
  for (const authorization of tokens) {
    const headers = { authorization, 'user-agent': inHeader }
    await service.https({ method: 'PUT', path: sane, headers, body: { registrationId: hostile } })
    await service.https({
      method: 'PUT',
      path: sane,
      headers,
      body: { registrationId: 'zz', payload: { [hostile]: hostile } },
    })
  }
  const bodies = [
    hostile,
    { registrationId: hostile },
    { registrationId: 'zz', tpm: { endorsementKey: hostile, storageRootKey: hostile } },
  ]
  for (const body of bodies) await service.https({ method: 'PUT', path: sane, body })
  await service.https({ method: 'PUT', path: sane, body: '{}', headers: { 'content-type': inHeader } })
}

async function overMqtt({ service }: ControlPlane): Promise<void> {
  const { idScope, deviceHost: host, ca } = service
  const good = `${idScope}/registrations/zz/api-version=2019-03-31`
  const connects: [clientId: string, username: string, password: string][] = [
    [hostile, hostile, hostile],
    [hostile, good, hostile],
    [hostile, `${idScope}/registrations/${hostile}/api-version=2019-03-31`, 'x'],
    [hostile, `${idScope}/registrations/${escaped}/api-version=2019-03-31`, 'x'],
    ['zz', `${good}&ClientVersion=${escaped}`, sasToken(hostile, 'AAAA')],
    ['zz', `${idScope}/registrations/zz/api-version=${hostile}`, hostile],
    ['zz', `${escaped}/registrations/zz/api-version=2019-03-31`, hostile],
  ]
  const topics = [
    '$dps/registrations/PUT/iotdps-register/?$rid=1',
    `$dps/registrations/GET/iotdps-get-operationstatus/?$rid=2&operationId=${escaped}`,
    hostile,
  ]
  for (const [clientId, username, password] of connects) {
    for (const topic of topics) {
      await using client = speakMqtt(await openTls({ host, port: service.ports.mqtt, ca }))
      client.send({
        cmd: 'connect',
        protocolId: 'MQTT',
        protocolVersion: 4,
        clean: true,
        clientId,
        keepalive: 60,
        username,
        password: Buffer.from(password),
      })
      client.send({
        cmd: 'subscribe',
        messageId: 1,
        subscriptions: [
          { topic: '$dps/registrations/res/#', qos: 1 },
          { topic: hostile, qos: 1 },
        ],
      })
      client.send({
        cmd: 'publish',
        topic,
        payload: JSON.stringify({ registrationId: hostile }),
        qos: 1,
        messageId: 2,
        dup: false,
        retain: false,
      })
      await client.closed(300).catch(() => undefined)
    }
  }
}

async function overAmqp({ service }: ControlPlane): Promise<void> {
  const resource = `${service.idScope}/registrations/zz`
  const logins = [
    { username: hostile, password: hostile },
    { username: `${service.idScope}/registrations/${hostile}`, password: hostile },
    { username: resource, password: sasToken(hostile, 'AAAA') },
  ]
  for (const login of logins) {
    const connection = openAmqp(service, login)
    await Promise.race([once(connection, 'connection_open'), once(connection, 'disconnected'), wait(2000)])
    connection.close()
  }
  const key = Buffer.alloc(32, 7).toString('base64')
  const attestation = { type: 'symmetricKey', symmetricKey: { primaryKey: key, secondaryKey: key } }
  await service.operate('PUT', '/enrollments/zz', { registrationId: 'zz', attestation })
  const links: [address: string, properties: object, operation: object][] = [
    [hostile, {}, {}],
    [`${service.idScope}/registrations/${hostile}`, {}, {}],
    [
      resource,
      { 'com.microsoft:api-version': hostile, 'com.microsoft:client-version': hostile },
      { 'iotdps-operation-type': 'iotdps-register' },
    ],
    [resource, { 'com.microsoft:client-version': hostile }, { 'iotdps-operation-type': hostile }],
    [resource, {}, { 'iotdps-operation-type': 'iotdps-get-operationstatus', 'iotdps-operation-id': hostile }],
    [resource, { 'com.microsoft:client-version': hostile }, { 'iotdps-operation-type': 'iotdps-register' }],
  ]
  for (const [address, properties, operation] of links) {
    const connection = openAmqp(service, { username: resource, password: sasToken(resource, key) })
    const attached = attach(connection, address, properties)
    const body = JSON.stringify({ registrationId: hostile })
    const asked = attached.then((both) => ask(both, operation, body))
    await Promise.race([asked.catch(() => undefined), wait(2000)])
    connection.close()
  }
}

async function withCertificates({ service }: ControlPlane): Promise<void> {
  const { idScope, deviceHost: host, ca } = service
  const subjects = [[{ CN: [hostile] }], [{ O: [hostile] }, { CN: ['zz'] }], [{ O: [hostile] }]]
  for (const subject of subjects) {
    const { certificate: cert, key } = await createSelfSigned('zz', { subject: subject as never })
    const path = `/${idScope}/registrations/yy/register?api-version=2021-06-01`
    await service.https({ method: 'PUT', path, body: {}, cert, key })
    await service.https({ method: 'PUT', path: path.replace('yy', 'zz'), body: {}, cert, key })
    await using client = speakMqtt(await openTls({ host, port: service.ports.mqtt, ca, cert, key }))
    const username = `${idScope}/registrations/zz/api-version=2019-03-31`
    client.send({
      cmd: 'connect',
      protocolId: 'MQTT',
      protocolVersion: 4,
      clean: true,
      clientId: 'zz',
      keepalive: 60,
      username,
    })
    await client.closed(300).catch(() => undefined)
  }
}

async function atServiceApi({ service }: ControlPlane): Promise<void> {
  const any = { expect: undefined }
  const ask = (method: string, path: string, body?: unknown, headers = {}) =>
    service.operate(method, path, body, { headers, ...any }).catch(() => undefined)
  for (const family of ['enrollments', 'enrollmentGroups', 'registrations']) {
    await ask('GET', `/${family}/${escaped}`)
    await ask('PUT', `/${family}/${escaped}`, { registrationId: hostile, enrollmentGroupId: hostile })
    await ask('DELETE', `/${family}/aa`, undefined, { 'if-match': inHeader })
    await ask('POST', `/${family}/query`, { query: `SELECT * FROM enrollments WHERE ${hostile}` })
    await ask('GET', `/${family}/aa?api-version=${escaped}`)
  }
  const attestation = { type: hostile, [hostile]: hostile }
  await ask('PUT', '/enrollments/aa', { registrationId: 'aa', attestation })
  await ask('PUT', '/enrollments/aa', {
    registrationId: 'aa',
    attestation: { type: 'none' },
    deviceId: hostile,
    [hostile]: hostile,
  })
  const path = '/enrollments/aa?api-version=2021-10-01'
  for (const authorization of [
    inHeader,
    `${sasToken(hostile, 'AAAA')}&skn=${escaped}`,
    `${sasToken(service.deviceHost, 'AAAA')}&skn=${escaped}`,
  ])
    await service.https({ method: 'GET', path, headers: { authorization } })
}

async function atControlPlane(plane: ControlPlane): Promise<void> {
  const claims = (iss: string) => `e30.${Buffer.from(JSON.stringify({ iss })).toString('base64url')}.AAAA`
  for (const token of [claims(hostile), `hubward_${'0'.repeat(16)}_x`, inHeader.replaceAll(/\s/g, ''), null])
    await plane.call('PUT', `/${escaped}`, { token, body: {}, expect: 404 }).catch(() => undefined)
  for (const token of [claims(hostile), 'x']) await plane.call('GET', '/admin/v1/tokens', { token, expect: 401 })
  const ask = (method: string, path: string, body?: unknown) =>
    plane.call(method, path, { body }).catch(() => undefined)
  for (const rest of ['certificates', 'listkeys', 'policies', 'hubs', 'revocationlists', 'limits']) {
    await ask('PUT', plane.path('hubward', `/${rest}/${escaped}`), {
      [hostile]: hostile,
      properties: { certificate: hostile },
    })
    await ask('DELETE', plane.path('hubward', `/${rest}/${escaped}`))
  }
  await ask('PUT', plane.path(escaped), { location: hostile, properties: {}, tags: { [hostile]: hostile } })
  await ask('PUT', plane.path('hubward', '/limits'), { [hostile]: 1 })
  await ask('POST', '/admin/v1/tokens', { description: hostile, assignments: [{ role: 'Reader', scope: '*' }] })
  await ask('PUT', `/admin/v1/issuers/${escaped}`, { issuer: hostile })
  await ask('DELETE', `/admin/v1/issuers/${escaped}`)
}

/** What an operator reads of it at a terminal. */
const commands = [
  ['explain', 'zz', '--limit', '100'],
  ['explain', hostile],
  ['token', 'list'],
  ['explain', 'zz', '--limit', '100', '-o', 'json'],
]

async function assertCommand({ service }: ControlPlane, args: readonly string[]): Promise<void> {
  const program = join(import.meta.dirname, '..', '..', 'src', 'cli', 'program.ts')
  const output = args.includes('-o') ? [] : ['-o', 'table']
  const run = promisify(execFile)(process.execPath, [program, ...args, ...output, '--data', service.dataFolder])
  const { stdout, stderr } = await run.catch((failed: { stdout: string; stderr: string }) => failed)
  const said = `${stdout}${stderr}`
  assert.ok(said.includes('QQ'), said)
  assert.ok(!unseen.test(said), `${args[0]}: ${JSON.stringify(unseen.exec(said))}`)
  for (const line of said.split('\n')) assert.ok(!line.startsWith(forged), line)
}
