import assert from 'node:assert/strict'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { askHttps, type HttpsRequest } from '../fixtures/https.ts'
import { derivedKey, sasToken } from '../fixtures/sas.ts'
import { connectionMembers, startService } from '../fixtures/service.ts'

const vectors = join(import.meta.dirname, '..', 'vectors', 'data-0.1.0')
const devices = JSON.parse(await readFile(join(vectors, 'devices.json'), 'utf8')) as {
  readonly idScope: string
  readonly connectionString: string
  readonly leaf: { readonly certificate: string; readonly key: string }
  readonly member: { readonly certificate: string; readonly key: string }
}
const keyOf = (byte: number) => Buffer.alloc(64, byte).toString('base64')

const service = await startService({
  network: '127.88.1',
  // The certificates in the folder grow old; what they are read for does not.
  args: ['--certificate-dates', 'ignore'],
  prepare: unpack,
})
after(() => service[Symbol.asyncDispose]())

async function unpack(dataFolder: string): Promise<void> {
  for (const file of await readdir(vectors)) {
    if (!file.endsWith('.gz')) continue
    await writeFile(join(dataFolder, file.slice(0, -3)), gunzipSync(await readFile(join(vectors, file))), {
      mode: 0o600,
    })
  }
  await mkdir(join(dataFolder, 'policies'))
  const policy = 'export default ({ linkedHubs }) => ({ iotHubHostName: linkedHubs.at(-1) })'
  await writeFile(join(dataFolder, 'policies', 'last.js'), policy)
}

/** Every proof is checked against what 0.1.0 stored, and every hub is called with the key that it stored. */
const proofs: readonly [registrationId: string, what: string, proof: Partial<HttpsRequest>][] = [
  ['alone', 'an individual enrollment by its primary key', withKey('alone', keyOf(1))],
  ['alone', 'by its secondary key', withKey('alone', keyOf(2))],
  ['line-1', 'a member of a group that registered before', withKey('line-1', derivedKey(keyOf(3), 'line-1'))],
  ['line-2', 'a new member, by the secondary key', withKey('line-2', derivedKey(keyOf(4), 'line-2'))],
  ['leaf', 'a client certificate', { cert: devices.leaf.certificate, key: devices.leaf.key }],
  ['member', 'a certificate below a root', { cert: devices.member.certificate, key: devices.member.key }],
]

for (const [registrationId, what, proof] of proofs) {
  test(`a data folder of 0.1.0 lets in ${what}`, async () => {
    const { assignedHub, status } = await register(registrationId, proof)
    assert.equal(status, 'assigned')
    assert.match(String(assignedHub), registrationId === 'alone' ? /^127\.88\.1\.3$/ : /^127\.88\.1\.[23]$/)
  })
}

test('the keys of its policy still open the service API, and what is written now is read after a restart', async () => {
  assert.equal(service.idScope, devices.idScope)
  const { HostName = '', SharedAccessKeyName = '', SharedAccessKey = '' } = connectionMembers(devices.connectionString)
  const authorization = sasToken(HostName, SharedAccessKey, { keyName: SharedAccessKeyName })
  const ask = (method: string, path: string, body?: unknown, headers = {}) =>
    askHttps(HostName, service.ports.https, service.ca, {
      method,
      path: `${path}?api-version=2021-10-01`,
      body,
      headers: { authorization, ...headers },
    })
  const stored = (await ask('GET', '/enrollments/alone')).json()
  assert.deepEqual(stored['customAllocationDefinition'], {
    webhookUrl: 'https://in-process/last',
    apiVersion: '2021-10-01',
  })
  const changed = { ...stored, initialTwin: { tags: { line: 8 } } }
  assert.equal((await ask('PUT', '/enrollments/alone', changed, { 'if-match': '*' })).status, 200)
  await service.stop()
  await service.restart()
  const again = (await ask('POST', '/enrollments/alone/attestationmechanism')).json()
  assert.deepEqual(again['symmetricKey'], { primaryKey: keyOf(1), secondaryKey: keyOf(2) })
  assert.equal((await register('alone', withKey('alone', keyOf(2))))['status'], 'assigned')
})

function withKey(registrationId: string, key: string): Partial<HttpsRequest> {
  return { headers: { authorization: sasToken(`${devices.idScope}/registrations/${registrationId}`, key) } }
}

async function register(registrationId: string, proof: Partial<HttpsRequest>): Promise<Record<string, unknown>> {
  const path = `/${devices.idScope}/registrations/${registrationId}/register?api-version=2019-03-31`
  const answer = await service.https({ method: 'PUT', path, body: { registrationId }, ...proof })
  assert.equal(answer.status, 202, answer.text)
  return answer.json()['registrationState'] as Record<string, unknown>
}
