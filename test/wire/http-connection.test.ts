import assert from 'node:assert/strict'
import { Agent, request } from 'node:https'
import { describe, test } from 'node:test'
import type { TLSSocket } from 'node:tls'
import { createSelfSigned, inDays, type CertificateOptions } from '../fixtures/certificates.ts'
import { x509GroupByRoot } from '../fixtures/enrollments.ts'
import { assertErrorBody, enrollDevice, readBody } from './device.ts'
import { openTls } from './mqtt-client.ts'
import { serviceUnderTest } from './subject.ts'

const service = await serviceUnderTest('127.30.13')
const end = { host: service.deviceHost, port: service.ports.https, ca: service.ca }
const version = 'api-version=2019-03-31'
let devices = 0

/** What the other side sends until the text holds `pattern` or the connection closes. */
async function readUntil(socket: TLSSocket, pattern: RegExp): Promise<string> {
  let text = ''
  for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
    text += String(chunk)
    if (pattern.test(text)) break
  }
  return text
}

describe('HTTPS connections [device-wire §1.1, §2.2, §9.5]', { concurrency: 8 }, () => {
  test('one connection carries the whole exchange, in the spelling of the C SDK', async () => {
    const device = await enrollDevice(service, `connection-${++devices}`)
    const socket = await openTls(end)
    const body = `{ "registrationId": "${device.registrationId}" }`
    const say = (method: string, path: string): void => {
      const lines = [
        `${method} ${path}?api-version=2021-06-01 HTTP/1.1`,
        'UserAgent: prov_device_client/1.0',
        'Accept: application/json',
        'Connection: keep-alive',
        'Content-Type: application/json; charset=utf-8',
        `Host: ${service.deviceHost}:443`,
        `AUTHORIZATION: ${device.token({ encoding: 'lower', keyName: 'registration' })}`,
        `content-length: ${body.length}`,
      ]
      socket.write(lines.join('\r\n') + '\r\n\r\n' + body)
    }
    const whole = /\r\n\r\n\{.*\}$/s
    say('PUT', `${device.path}/register`)
    const accepted = await readUntil(socket, whole)
    assert.match(accepted, /^HTTP\/1\.1 202 /)
    const operationId = /"operationId":"([^"]+)"/.exec(accepted)?.[1] ?? ''
    say('GET', `${device.path}/operations/${operationId}`)
    assert.match(await readUntil(socket, whole), /^HTTP\/1\.1 20[02] /)
    socket.destroy()
  })

  test('requests that arrive together are answered in their order', async () => {
    const device = await enrollDevice(service, `connection-${++devices}`)
    const socket = await openTls(end)
    const say = (path: string): string =>
      `GET ${device.path}${path}?${version} HTTP/1.1\r\nHost: h\r\nAuthorization: ${device.token()}\r\n\r\n`
    socket.write(say('/operations/5.nothing') + say('/nowhere'))
    const text = await readUntil(socket, /404000.*\}$/s)
    assert.ok(text.indexOf('404202') < text.indexOf('404000') && text.includes('404202'), text)
    socket.destroy()
  })

  test('any server name in the handshake is accepted, and none [§1.1]', async () => {
    for (const servername of ['anything.example', '']) {
      const socket = await openTls({ ...end, servername, checkServerIdentity: () => undefined })
      socket.write(`GET / HTTP/1.1\r\nHost: ${servername}\r\n\r\n`)
      assert.match(await readUntil(socket, /\r\n\r\n/), /^HTTP\/1\.1 /)
      socket.destroy()
    }
  })

  const broken: readonly [string, string][] = [
    ['noise', '\u0000\u0001\u0002\r\n\r\n'],
    ['a request line without an end', 'GET ' + 'x'.repeat(70_000)],
    ['a header without a colon', 'GET / HTTP/1.1\r\nnonsense\r\n\r\n'],
    ['headers of 200 KB', `GET / HTTP/1.1\r\nx: ${'x'.repeat(200_000)}\r\n\r\n`],
    ['two content lengths', 'PUT / HTTP/1.1\r\nHost: h\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nxx'],
    ['a negative content length', 'PUT / HTTP/1.1\r\nHost: h\r\ncontent-length: -1\r\n\r\n'],
    [
      'chunked and a content length',
      'PUT / HTTP/1.1\r\nHost: h\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
    ['HTTP/2 without being asked', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
  ]
  for (const [what, bytes] of broken) {
    test(`${what} ends the connection, not the process`, async () => {
      const socket = await openTls(end)
      const ended = new Promise((resolve) => socket.once('close', resolve))
      socket.on('error', () => undefined)
      socket.on('data', () => undefined)
      socket.write(Buffer.from(bytes, 'latin1'))
      await ended
    })
  }

  test('a body that breaks off is no harm', async () => {
    const device = await enrollDevice(service, `connection-${++devices}`)
    const socket = await openTls(end)
    const head = `PUT ${device.path}/register?${version} HTTP/1.1\r\nHost: h\r\nAuthorization: ${device.token()}\r\n`
    socket.write(`${head}Content-Length: 500\r\n\r\n{"registrationId"`)
    socket.destroy()
    const headers = { authorization: device.token() }
    assert.equal(
      (await service.https({ method: 'PUT', path: `${device.path}/register?${version}`, headers })).status,
      202,
    )
  })
})

describe('HTTPS with client certificates [device-wire §7]', { concurrency: 8 }, () => {
  for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
    test(`the poll of a group device is admitted when its ${maxVersion} session is resumed [client-findings]`, async () => {
      const registrationId = `connection-${++devices}`
      const { path, body, credential } = await x509GroupByRoot(registrationId)
      await service.operate('PUT', path, body)
      assert.ok('certificate' in credential)
      // Node's agent resumes its sessions, and a resumed session shows the server the leaf alone.
      const agent = new Agent({
        ...end,
        cert: credential.certificate,
        key: credential.key,
        maxVersion,
        keepAlive: false,
      })
      const device = `/${service.idScope}/registrations/${registrationId}`
      const accepted = await askWith(agent, 'PUT', `${device}/register?${version}`)
      assert.equal(accepted.status, 202)
      for (let polls = 0; polls < 3; polls += 1) {
        const operation = `${device}/operations/${String(accepted.body['operationId'])}?${version}`
        assert.ok((await askWith(agent, 'GET', operation)).status < 300)
      }
      agent.destroy()
    })
  }

  const leaves: readonly [string, CertificateOptions, number][] = [
    ['of RSA', { algorithm: 'rsa-2048' }, 202],
    ['of P-384', { algorithm: 'ecdsa-p384' }, 202],
    ['without an extended key usage', { usage: 'none' }, 202],
    ['for servers', { usage: 'serverAuth' }, 401],
    ['that has expired', { notBefore: inDays(-9), notAfter: inDays(-2) }, 401],
    ['of next week', { notBefore: inDays(7) }, 401],
    ['with more than a common name', { subject: 'C=DE, O=Example, CN=connection-x509, OU=Pumps' }, 202],
  ]
  for (const [index, [what, options, expected]] of leaves.entries()) {
    test(`an enrolled certificate ${what} is answered with ${expected} [§7.3]`, async () => {
      const registrationId = options.subject === undefined ? `connection-leaf-${index}` : 'connection-x509'
      const { certificate, key } = await createSelfSigned(registrationId, options)
      const attestation = { type: 'x509', x509: { clientCertificates: { primary: { certificate } } } }
      await service.operate('PUT', `/enrollments/${registrationId}`, { registrationId, attestation })
      const path = `/${service.idScope}/registrations/${registrationId}/register?${version}`
      const answer = await service.https({ method: 'PUT', path, body: { registrationId }, cert: certificate, key })
      assert.equal(answer.status, expected, answer.text)
      if (expected === 401) assertErrorBody(readBody(Buffer.from(answer.text)), 401002)
    })
  }

  test('a certificate for another registration ID is 401002, although it is enrolled [§7.2]', async () => {
    const registrationId = `connection-${++devices}`
    const { certificate, key } = await createSelfSigned('another-name')
    const attestation = { type: 'x509', x509: { clientCertificates: { primary: { certificate } } } }
    await service.operate('PUT', `/enrollments/${registrationId}`, { registrationId, attestation })
    const path = `/${service.idScope}/registrations/${registrationId}/register?${version}`
    const answer = await service.https({ method: 'PUT', path, body: { registrationId }, cert: certificate, key })
    assert.equal(answer.status, 401)
    assertErrorBody(answer.json(), 401002)
  })
})

function askWith(
  agent: Agent,
  method: string,
  path: string,
): Promise<{ status: number; body: Record<string, unknown> }> {
  return new Promise((resolve, reject) => {
    const exchange = request({ ...end, agent, method, path }, (response) => {
      let text = ''
      response.on('data', (chunk: Buffer) => (text += chunk.toString()))
      response.once('end', () => resolve({ status: response.statusCode ?? 0, body: readBody(Buffer.from(text)) }))
    })
    exchange.once('error', reject)
    exchange.end()
  })
}
