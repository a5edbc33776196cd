import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import fc from 'fast-check'
import { DerMalformed } from './der.ts'
import { integerText } from './revocation-list/entry.ts'
import { parseRevocationList, type ParsedRevocationList } from './revocation-list.ts'

const folder = mkdtempSync(join(tmpdir(), 'hubward-crl-'))
after(() => rmSync(folder, { recursive: true }))

const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' })

const configuration = `
[ca]
default_ca = own
[own]
database = index.txt
crlnumber = crlnumber
default_md = sha256
default_crl_days = 30
[req]
distinguished_name = name
[name]
`

/** A CA of OpenSSL's and the list of two certificates that it revoked. */
function opensslList(name: string, ...newkey: string[]): { ca: X509Certificate; list: Buffer } {
  writeFileSync(join(folder, 'openssl.cnf'), configuration)
  writeFileSync(
    join(folder, 'index.txt'),
    [
      'R\t400101000000Z\t250101000000Z,keyCompromise\t01AB\tunknown\t/CN=one',
      'R\t400101000000Z\t250101000000Z\tFF00112233\tunknown\t/CN=two',
      'V\t400101000000Z\t\t03\tunknown\t/CN=three\n',
    ].join('\n'),
  )
  writeFileSync(join(folder, 'crlnumber'), '01\n')
  const at = ['-config', 'openssl.cnf']
  const subject = ['-subj', `/O=Plant/CN=${name}`]
  openssl('req', '-x509', ...at, ...newkey, '-noenc', '-keyout', 'key.pem', '-out', 'ca.pem', '-days', '90', ...subject)
  openssl('ca', ...at, '-gencrl', '-keyfile', 'key.pem', '-cert', 'ca.pem', '-out', 'list.pem')
  return {
    ca: new X509Certificate(readFileSync(join(folder, 'ca.pem'))),
    list: readFileSync(join(folder, 'list.pem')),
  }
}

const elliptic = opensslList('Elliptic', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1')
const rsa = opensslList('Rsa', '-newkey', 'rsa:2048')

for (const [name, { ca, list }] of Object.entries({ elliptic, rsa })) {
  test(`a list that OpenSSL made with an ${name} key is read whole, and its signature verified`, () => {
    const parsed = parseRevocationList(list)
    assert.deepEqual(
      [...parsed.entries()],
      [
        { serialNumber: '1AB', reason: 'keyCompromise' },
        { serialNumber: 'FF00112233', reason: 'unspecified' },
      ],
    )
    assert.deepEqual([parsed.number, parsed.scope], [1n, { certificates: 'all' }])
    assert.match(parsed.issuer, /^CN=.*, O=Plant$/)
    assert.ok(parsed.nextUpdate!.getTime() > Date.now() + 29 * 86_400_000)
    assert.ok(Math.abs(parsed.thisUpdate.getTime() - Date.now()) < 60_000)
    assert.equal(parsed.signedBy(ca), true)
    assert.equal(parsed.signedBy(name === 'rsa' ? elliptic.ca : rsa.ca), false)
  })
}

test('a list of which one byte was changed is malformed or unsigned, unless it says the same as before', () => {
  const der = Buffer.from(elliptic.list.toString().split('\n').slice(1, -2).join(''), 'base64')
  const said = parseRevocationList(der)
  assert.equal(said.signedBy(elliptic.ca), true)
  fc.assert(
    fc.property(fc.nat(der.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
      const changed = Buffer.from(der)
      changed[at]! ^= change
      if (signed(changed) !== true) return
      assert.deepEqual(sayings(parseRevocationList(changed)), sayings(said), `byte ${at}`)
    }),
    { numRuns: 3000 },
  )
})

test('serial numbers are integers with a sign', () => {
  const texts = ['00ff', 'ff', '0a', '00', '', '80', '0080', '7f'.repeat(20)].map((hex) =>
    integerText(Buffer.from(hex, 'hex')),
  )
  assert.deepEqual(texts, ['FF', '-1', 'A', '0', '0', '-80', '80', '7F'.repeat(20)])
})

test('whatever else is given is refused as malformed, in good time', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      assert.equal(signed(Buffer.from(bytes)), undefined)
    }),
  )
  assert.throws(() => parseRevocationList(elliptic.ca.raw), DerMalformed)
})

function sayings({ entries, ...rest }: ParsedRevocationList) {
  return { ...rest, signedBy: undefined, entries: [...entries()] }
}

/** Whether the CA signed it; undefined if it cannot be read. */
function signed(bytes: Buffer): boolean | undefined {
  try {
    return parseRevocationList(bytes).signedBy(elliptic.ca)
  } catch (error) {
    if (error instanceof DerMalformed) return undefined
    throw error
  }
}
