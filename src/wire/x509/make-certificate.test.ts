import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { makeCertificate, type MadeCertificate } from './make-certificate.ts'

const folder = mkdtempSync(join(tmpdir(), 'hubward-make-'))
after(() => rmSync(folder, { recursive: true }))
const soon = { now: Date.now(), days: 9 }
const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: folder, stdio: 'pipe', encoding: 'utf8' })

const root = await makeCertificate({ commonName: 'Root, "of" all', use: { kind: 'ca' }, ...soon })
const ca = await makeCertificate({ commonName: 'Below', use: { kind: 'ca', pathLength: 0 }, ...soon, issuer: root })

test('OpenSSL finds the way from a device over a CA to the root, strictly', async () => {
  const device = await makeCertificate({ commonName: 'pump=1+2', use: { kind: 'device' }, ...soon, issuer: ca })
  assert.match(verified(device, root, [ca], 'sslclient'), /leaf\.pem: OK/)
  assert.throws(() => verified(device, root, [ca], 'sslserver'), /unsuitable certificate purpose/)
  assert.equal(new X509Certificate(device.certificate).subject, String.raw`CN=pump=1\+2`)
})

for (const key of ['p256', 'rsa'] as const)
  test(`a server is known by its names and addresses, with a key of ${key}`, async () => {
    const use = { kind: 'server', names: ['dps.example', '127.0.0.1', '::1'] } as const
    const server = await makeCertificate({ commonName: 'Server', use, key, ...soon, issuer: ca })
    assert.match(verified(server, root, [ca], 'sslserver'), /leaf\.pem: OK/)
    const made = new X509Certificate(server.certificate)
    assert.ok(made.checkHost('dps.example') && made.checkIP('127.0.0.1') && made.checkIP('::1'))
    assert.ok(made.checkPrivateKey(createPrivateKey(server.key)))
    assert.equal(made.publicKey.asymmetricKeyType, key === 'rsa' ? 'rsa' : 'ec')
  })

test('a CA that somebody else made is found by the name that it gives its key', async () => {
  const extensions = [
    'subjectKeyIdentifier=010203',
    'basicConstraints=critical,CA:TRUE',
    'keyUsage=critical,keyCertSign',
  ]
  const added = extensions.flatMap((extension) => ['-addext', extension])
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-noenc', '-keyout', 'foreign-key.pem']
  writeFileSync(join(folder, 'openssl.cnf'), '[req]\ndistinguished_name=name\n[name]\n')
  openssl('req', '-config', 'openssl.cnf', '-x509', ...newKey, '-out', 'foreign.pem', '-subj', '/CN=Foreign', ...added)
  const foreign = { certificate: read('foreign.pem'), key: read('foreign-key.pem') }
  const device = await makeCertificate({ commonName: 'd', use: { kind: 'device' }, ...soon, issuer: foreign })
  assert.match(verified(device, foreign, [], 'sslclient'), /leaf\.pem: OK/)
  assert.match(openssl('x509', '-in', 'leaf.pem', '-noout', '-ext', 'authorityKeyIdentifier'), /01:02:03/)
})

test('it begins a day before and ends when it should, and no two have one serial number', async () => {
  const { validFromDate, validToDate } = new X509Certificate(root.certificate)
  const day = 86_400_000
  assert.equal(Math.round((validFromDate.getTime() - soon.now) / day), -1)
  assert.equal(Math.round((validToDate.getTime() - soon.now) / day), 9)
  const serials = [root, ca].map(({ certificate }) => new X509Certificate(certificate).serialNumber)
  assert.equal(new Set(serials).size, 2)
})

function verified(
  leaf: MadeCertificate,
  anchor: MadeCertificate,
  between: readonly MadeCertificate[],
  purpose: string,
): string {
  writeFileSync(join(folder, 'anchor.pem'), anchor.certificate)
  writeFileSync(join(folder, 'between.pem'), between.map(({ certificate }) => certificate).join(''))
  writeFileSync(join(folder, 'leaf.pem'), leaf.certificate)
  const path = between.length === 0 ? [] : ['-untrusted', 'between.pem']
  return openssl('verify', '-x509_strict', '-purpose', purpose, '-CAfile', 'anchor.pem', ...path, 'leaf.pem')
}

function read(name: string): string {
  return readFileSync(join(folder, name), 'utf8')
}
