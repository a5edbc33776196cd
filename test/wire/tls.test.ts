import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { ensureDebian } from '../fixtures/debian.ts'
import { openTls } from './mqtt-client.ts'
import { serviceUnderTest } from './subject.ts'

const service = await serviceUnderTest('127.30.19')
await ensureDebian(['openssl'])

/** What OpenSSL's own client saw of a handshake. */
async function handshake(port: number, args: readonly string[]): Promise<string> {
  const client = spawn('openssl', ['s_client', '-connect', `${service.deviceHost}:${port}`, ...args])
  client.stdin.end()
  let seen = ''
  for (const output of [client.stdout, client.stderr]) output.on('data', (chunk: Buffer) => (seen += chunk.toString()))
  await new Promise((resolve) => client.once('close', resolve))
  return seen
}

const folder = mkdtempSync(join(tmpdir(), 'hubward-tls-'))
after(() => rmSync(folder, { recursive: true }))

/** A certificate of its own signing, and its key, as files. */
async function certificateOn(curve: string): Promise<readonly [certificate: string, key: string]> {
  const [certificate, key] = ['pem', 'key'].map((end) => join(folder, `${curve}.${end}`)) as [string, string]
  const options = [
    '-newkey',
    'ec',
    '-pkeyopt',
    `ec_paramgen_curve:${curve}`,
    '-nodes',
    '-subj',
    '/CN=pump',
    '-days',
    '9',
  ]
  if (!existsSync(certificate))
    execFileSync('openssl', ['req', '-x509', ...options, '-keyout', key, '-out', certificate], { stdio: 'ignore' })
  return [certificate, key]
}

describe('TLS on every port [device-wire §1.1, §7.1]', { concurrency: 8 }, () => {
  for (const [name, port] of Object.entries(service.ports)) {
    for (const version of ['-tls1_2', '-tls1_3']) {
      test(`${name} asks for a client certificate with ${version.slice(1)} and suggests no CA, for Java and Windows`, async () => {
        const seen = await handshake(port, [version])
        assert.match(seen, /No client certificate CA names sent/)
        assert.match(seen, /^Requested Signature Algorithms: .*ECDSA\+SHA256/m)
        assert.match(seen, /^Verification error: |^Verify return code: /m, 'the handshake was completed')
      })
    }

    test(`${name} gives no session to resume, because a resumed one has lost the client's chain`, async () => {
      assert.doesNotMatch(await handshake(port, ['-tls1_2']), /session ticket/i)
      assert.match(await handshake(port, ['-tls1_2', '-reconnect']), /^New, TLSv1\.2/m)
      assert.doesNotMatch(await handshake(port, ['-tls1_2', '-reconnect']), /^Reused/m)
    })

    test(`${name} shows a certificate that its CA vouches for`, async () => {
      const socket = await openTls({ host: service.deviceHost, port, ca: service.ca })
      assert.ok(socket.authorized)
      socket.destroy()
    })

    for (const curve of ['P-256', 'P-384', 'P-521']) {
      for (const version of ['-tls1_2', '-tls1_3']) {
        test(`${name} takes a client certificate with a key on ${curve} over ${version.slice(1)}`, async () => {
          const [certificate, key] = await certificateOn(curve)
          const seen = await handshake(port, [version, '-cert', certificate, '-key', key, '-CAfile', service.caFile])
          assert.match(seen, /^ *Verify return code: 0 \(ok\)/m)
          assert.doesNotMatch(seen, /alert/i)
        })
      }
    }

    for (const group of ['X25519', 'P-256', 'P-384', 'P-521']) {
      test(`${name} agrees on a key by ${group} alone`, async () => {
        const seen = await handshake(port, ['-groups', group, '-CAfile', service.caFile])
        assert.match(seen, /^ *Verify return code: 0 \(ok\)/m)
      })
    }

    for (const suite of [
      'ECDHE-RSA-AES128-GCM-SHA256',
      'ECDHE-RSA-AES256-GCM-SHA384',
      'ECDHE-RSA-AES128-SHA256',
      'ECDHE-RSA-AES256-SHA384',
      'ECDHE-ECDSA-AES128-GCM-SHA256',
      'ECDHE-ECDSA-AES256-GCM-SHA384',
    ]) {
      test(`${name} speaks ${suite}, for stacks that know RSA alone and for the others`, async () => {
        const seen = await handshake(port, ['-tls1_2', '-cipher', suite, '-CAfile', service.caFile])
        assert.match(seen, new RegExp(`Cipher +: ${suite}`))
        assert.match(seen, /^ *Verify return code: 0 \(ok\)/m)
        assert.match(seen, suite.includes('ECDSA') ? /id-ecPublicKey/ : /a:PKEY: rsaEncryption, 2048/)
      })
    }

    test(`${name} serves who knows both with the key that costs less`, async () => {
      assert.match(await handshake(port, ['-tls1_2']), /Cipher +: ECDHE-ECDSA-/)
      assert.match(await handshake(port, ['-tls1_3']), /Peer signature type: ECDSA/)
    })

    test(`${name} drops a connection that never begins its handshake`, async () => {
      const socket = connect(port, service.deviceHost)
      socket.on('error', () => undefined)
      const closed = new Promise<string>((resolve) => socket.once('close', () => resolve('closed')))
      assert.equal(await Promise.race([closed, wait(40_000, 'open', { ref: false })]), 'closed')
    })
  }
})
