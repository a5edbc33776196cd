import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { cpSync, existsSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { serverCertificate } from './certificates.ts'
import { ConfigurationError } from './configuration.ts'

const names = ['localhost', '127.0.0.1']
const root = mkdtempSync(join(tmpdir(), 'hubward-certificates-'))
const made = join(root, 'made')
const other = join(root, 'other')

before(async () => {
  for (const folder of [made, other]) {
    cpSync(mkdtempSync(join(root, 'empty-')), folder, { recursive: true })
    await serve(folder)
  }
})

after(() => rmSync(root, { recursive: true }))

test('the first start makes a CA and a certificate, whose keys only the owner reads, and the next one finds them', async () => {
  const again = await serve(made)
  assert.equal(again.warning, undefined)
  assert.ok(new X509Certificate(again.certificate).verify(new X509Certificate(read(made, 'ca.pem')).publicKey))
  assert.deepEqual(
    ['ca-key.pem', 'server-key.pem', 'server-rsa-key.pem'].map((name) => statSync(join(made, name)).mode & 0o777),
    [0o600, 0o600, 0o600],
  )
})

const unusable: Readonly<Record<string, readonly [change: (folder: string) => void, says: RegExp]>> = {
  'the CA is missing, its key is not': [
    (at) => rmSync(join(at, 'ca.pem')),
    /ca\.pem is missing, though its key .*ca-key\.pem is there/,
  ],
  'the CA and its key are missing': [
    (at) => ['ca.pem', 'ca-key.pem'].forEach((name) => rmSync(join(at, name))),
    /ca\.pem and .*ca-key\.pem are missing, though .*server\.pem was issued/,
  ],
  "the CA's key is missing when the server needs a certificate": [
    (at) => ['ca-key.pem', 'server.pem', 'server-key.pem'].forEach((name) => rmSync(join(at, name))),
    /ca-key\.pem is missing: put it back.*needed now/,
  ],
  "the CA's key is another's": [
    (at) => cpSync(join(other, 'ca-key.pem'), join(at, 'ca-key.pem')),
    /ca-key\.pem is not the key of the certificate in .*ca\.pem/,
  ],
  "the server's key is another's": [
    (at) => cpSync(join(other, 'server-key.pem'), join(at, 'server-key.pem')),
    /server-key\.pem is not the key of the certificate in .*server\.pem/,
  ],
  'the server has a certificate of another CA': [
    (at) => ['server.pem', 'server-key.pem'].forEach((name) => cpSync(join(other, name), join(at, name))),
    /server\.pem was not issued by .*ca\.pem/,
  ],
  'the server has an RSA certificate of another CA': [
    (at) => ['server-rsa.pem', 'server-rsa-key.pem'].forEach((name) => cpSync(join(other, name), join(at, name))),
    /server-rsa\.pem was not issued by .*ca\.pem/,
  ],
  ...Object.fromEntries(
    ['ca.pem', 'ca-key.pem', 'server.pem', 'server-key.pem', 'server-rsa.pem', 'server-rsa-key.pem'].flatMap((name) => [
      [
        `${name} is empty`,
        [(at: string) => writeFileSync(join(at, name), ''), new RegExp(`${name}, the .*, is empty`)],
      ],
      [
        `${name} is garbage`,
        [(at: string) => writeFileSync(join(at, name), 'garbage'), new RegExp(`${name} does not`)],
      ],
      [
        `${name} is a folder`,
        [
          (at: string) => (rmSync(join(at, name)), cpSync(other, join(at, name), { recursive: true })),
          new RegExp(`${name}, the .*, cannot be read`),
        ],
      ],
    ]),
  ),
}

for (const [when, [change, says]] of Object.entries(unusable)) {
  test(`nothing is made anew over what is there, and the files are named: ${when}`, async () => {
    const folder = copyOf(made)
    change(folder)
    const before = contents(folder)
    await assert.rejects(serve(folder), (error) => error instanceof ConfigurationError && says.test(error.message))
    assert.deepEqual(contents(folder), before)
  })
}

test("without the CA's key the certificate is served as long as it is valid, with a warning", async () => {
  const folder = copyOf(made)
  rmSync(join(folder, 'ca-key.pem'))
  const served = await serve(folder)
  assert.equal(served.certificate, read(made, 'server.pem'))
  assert.match(String(served.warning), /ca-key\.pem is missing: put it back/)
  const another = await serverCertificate(folder, [...names, 'new.example'], Date.now)
  assert.match(String(another.warning), /It lacks new\.example already/)
  assert.equal(read(folder, 'ca.pem'), read(made, 'ca.pem'))
  assert.ok(!existsSync(join(folder, 'ca-key.pem')))
  const expired = () => Date.now() + 400 * 24 * 60 * 60 * 1000
  await assert.rejects(serverCertificate(folder, names, expired), /ca-key\.pem is missing.*needed now/)
})

test('a certificate that is due, or begins in what is now the future, is made anew by the same CA', async () => {
  const day = 24 * 60 * 60 * 1000
  for (const days of [380, -10]) {
    const folder = copyOf(made)
    const renewed = await serverCertificate(folder, names, () => Date.now() + days * day)
    assert.notEqual(renewed.certificate, read(made, 'server.pem'))
    assert.equal(read(folder, 'ca.pem'), read(made, 'ca.pem'))
  }
})

test('a renewal that was cut off between its two files is finished', async () => {
  const folder = copyOf(made)
  const renewed = await serverCertificate(folder, [...names, 'new.example'], Date.now)
  assert.notEqual(renewed.certificate, read(made, 'server.pem'))
  renameSync(join(folder, 'server.pem'), join(folder, 'server.pem.partial'))
  cpSync(join(made, 'server.pem'), join(folder, 'server.pem'))
  assert.equal((await serve(folder)).certificate, renewed.certificate)
})

function serve(folder: string) {
  return serverCertificate(folder, names, Date.now)
}

function read(folder: string, name: string): string {
  return readFileSync(join(folder, name), 'utf8')
}

let copies = 0
function copyOf(folder: string): string {
  const copy = join(root, `copy-${copies++}`)
  cpSync(folder, copy, { recursive: true })
  return copy
}

function contents(folder: string): unknown {
  return ['ca.pem', 'ca-key.pem', 'server.pem', 'server-key.pem'].map((name) => {
    const found = statSync(join(folder, name), { throwIfNoEntry: false })
    return found?.isFile() ? read(folder, name) : found?.isDirectory()
  })
}
