import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { connect } from 'node:net'
import { describe, test } from 'node:test'
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

    test(`${name} drops a connection that never begins its handshake`, async () => {
      const socket = connect(port, service.deviceHost)
      socket.on('error', () => undefined)
      const closed = new Promise<string>((resolve) => socket.once('close', () => resolve('closed')))
      assert.equal(await Promise.race([closed, wait(40_000, 'open', { ref: false })]), 'closed')
    })
  }
})
