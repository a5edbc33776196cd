import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { askHttps } from '../fixtures/https.ts'
import { connectionMembers } from '../fixtures/service.ts'
import { sasToken } from '../fixtures/sas.ts'

const program = join(import.meta.dirname, '..', '..', 'src', 'main', 'serve.ts')
const host = '127.61.4.1'
let mount: string

// Both mounting and a mount namespace take root.
before(() => {
  mount = mkdtempSync(join(tmpdir(), 'hubward-only-writable-'))
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64m', 'none', mount])
})

after(() => {
  execFileSync('umount', ['-l', mount])
  rmSync(mount, { recursive: true })
})

test('only the data folder needs to be writable, and one that others could read is closed', async () => {
  const data = join(mount, 'data')
  mkdirSync(data)
  chmodSync(data, 0o755)
  for (const start of ['the first start', 'the second start']) {
    const flags = ['--data', data, '--listen', host, '--device-host', host, '--hub-names', host]
    const script = 'mount -o remount,bind,ro / && ! touch /tmp/writable 2>/dev/null && exec "$0" "$@"'
    const child = spawn('unshare', ['-m', 'sh', '-c', script, process.execPath, program, ...flags])
    let printed = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (printed += String(chunk)))
    const ended = once(child, 'exit')
    try {
      const facts = join(data, 'connection.env')
      for (let turn = 0; !existsSync(facts); turn++) {
        assert.ok(turn < 300 && child.exitCode === null, `${start}: ${printed}`)
        await wait(100)
      }
      await useIt(readFileSync(facts, 'utf8'), data)
    } finally {
      child.kill('SIGTERM')
    }
    assert.deepEqual(await ended, [0, null], printed)
    assert.equal(statSync(data).mode & 0o777, 0o700)
    const open = readdirSync(data).filter((name) => (statSync(join(data, name)).mode & 0o077) !== 0)
    assert.deepEqual(open, ['ca.pem', 'server-rsa.pem', 'server.pem'])
    for (const name of readdirSync(data)) if (name !== 'policies') chmodSync(join(data, name), 0o644)
    chmodSync(data, 0o755)
  }
})

/** Something that is written, and something that is sorted. */
async function useIt(facts: string, data: string): Promise<void> {
  const fact = (name: string) => new RegExp(`^${name}='(.*)'$`, 'm').exec(facts)?.[1] ?? ''
  const {
    HostName = '',
    SharedAccessKey = '',
    SharedAccessKeyName,
  } = connectionMembers(fact('HUBWARD_SERVICE_CONNECTION_STRING'))
  const authorization = sasToken(HostName, SharedAccessKey, { keyName: SharedAccessKeyName })
  const ca = readFileSync(join(data, 'ca.pem'), 'utf8')
  const call = (method: string, path: string, body: object) =>
    askHttps(host, 443, ca, { method, path: `${path}?api-version=2021-10-01`, body, headers: { authorization } })
  const body = { registrationId: `d-${Date.now()}`, attestation: { type: 'symmetricKey' } }
  assert.equal((await call('PUT', `/enrollments/${body.registrationId}`, body)).status, 200)
  assert.equal((await call('POST', '/enrollments/query', { query: 'SELECT * FROM enrollments' })).status, 200)
}
