import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { X509Certificate } from 'node:crypto'
import { after, test } from 'node:test'
import { der, oid } from '../../../test/fixtures/der.ts'
import { DerMalformed } from '../der.ts'
import { readKeyKind, readSignatureAlgorithm } from './algorithms.ts'
import { fieldsOf } from './certificate-fields.ts'

const folder = mkdtempSync(join(tmpdir(), 'hubward-algorithms-'))
after(() => rmSync(folder, { recursive: true }))

const rsaOptions = ['-newkey', 'rsa:2048']
const pssOptions = (hash: string, mask = hash) =>
  `-newkey rsa-pss -pkeyopt rsa_keygen_bits:2048 -${hash} -sigopt rsa_padding_mode:pss -sigopt rsa_mgf1_md:${mask}`.split(
    ' ',
  )
const curve = (name: string, ...more: string[]) => [
  '-newkey',
  'ec',
  '-pkeyopt',
  `ec_paramgen_curve:${name}`,
  ...more.flatMap((option) => ['-pkeyopt', option]),
]

/** What OpenSSL is told, the key it makes, and the weakest hash of the signature. */
const cases: readonly (readonly [options: readonly string[], key: string, hash: string | undefined])[] = [
  [[...rsaOptions, '-sha256'], 'rsa 2048', 'sha256'],
  [[...rsaOptions, '-sha1'], 'rsa 2048', 'sha1'],
  [['-newkey', 'rsa:1024', '-sha512'], 'rsa 1024', 'sha512'],
  [pssOptions('sha384'), 'rsa 2048', 'sha384'],
  [pssOptions('sha1'), 'rsa 2048', 'sha1'],
  [pssOptions('sha256', 'sha1'), 'rsa 2048', 'sha1'],
  [[...curve('P-256'), '-sha256'], 'ec P-256', 'sha256'],
  [[...curve('P-521'), '-sha512'], 'ec P-521', 'sha512'],
  [[...curve('secp256k1'), '-sha256'], 'ec 1.3.132.0.10', 'sha256'],
  [[...curve('P-256', 'ec_param_enc:explicit'), '-sha256'], 'ec spelled out', 'sha256'],
  [['-newkey', 'ed25519'], 'other Ed25519', undefined],
]

for (const [options, key, hash] of cases) {
  test(`${options.join(' ')} is ${key}, signed with ${hash ?? 'what is not taken'}`, () => {
    const files = ['-keyout', join(folder, 'key.pem'), '-out', join(folder, 'certificate.pem')]
    execFileSync('openssl', ['req', '-x509', ...options, '-noenc', '-subj', '/CN=x', ...files], { stdio: 'pipe' })
    const fields = fieldsOf(new X509Certificate(readFileSync(join(folder, 'certificate.pem'))))
    const { type, ...found } = fields.key
    assert.equal(`${type} ${'bits' in found ? found.bits : Object.values(found)[0]}`, key)
    assert.equal(fields.signature.hash, hash)
  })
}

const nothing = der(0x05)

/** [RFC 3279 §2.2, RFC 4055 §5, RFC 5758 §3.2, RFC 8410 §3] */
const published: readonly (readonly [identifier: string, name: string, hash: string | undefined])[] = [
  ['1.2.840.113549.1.1.2', 'md2WithRSAEncryption', 'md2'],
  ['1.2.840.113549.1.1.3', 'md4WithRSAEncryption', 'md4'],
  ['1.2.840.113549.1.1.4', 'md5WithRSAEncryption', 'md5'],
  ['1.2.840.113549.1.1.5', 'sha1WithRSAEncryption', 'sha1'],
  ['1.3.14.3.2.29', 'sha1WithRSASignature', 'sha1'],
  ['1.2.840.113549.1.1.14', 'sha224WithRSAEncryption', 'sha224'],
  ['1.2.840.113549.1.1.11', 'sha256WithRSAEncryption', 'sha256'],
  ['1.2.840.113549.1.1.12', 'sha384WithRSAEncryption', 'sha384'],
  ['1.2.840.113549.1.1.13', 'sha512WithRSAEncryption', 'sha512'],
  ['1.2.840.10045.4.1', 'ecdsa-with-SHA1', 'sha1'],
  ['1.2.840.10045.4.3.1', 'ecdsa-with-SHA224', 'sha224'],
  ['1.2.840.10045.4.3.2', 'ecdsa-with-SHA256', 'sha256'],
  ['1.2.840.10045.4.3.3', 'ecdsa-with-SHA384', 'sha384'],
  ['1.2.840.10045.4.3.4', 'ecdsa-with-SHA512', 'sha512'],
  ['1.2.840.10040.4.3', 'dsa-with-SHA1', undefined],
  ['1.3.101.112', 'Ed25519', undefined],
  ['1.3.101.113', 'Ed448', undefined],
  ['1.2.3.4', '1.2.3.4', undefined],
]
for (const [identifier, name, hash] of published)
  test(`the signature algorithm ${identifier} is ${name}`, () => {
    assert.deepEqual(readSignatureAlgorithm(Buffer.concat([oid(identifier), nothing])), { name, hash })
    assert.deepEqual(readSignatureAlgorithm(oid(identifier)), { name, hash })
    assert.throws(() => readSignatureAlgorithm(Buffer.concat([oid(identifier), nothing, nothing])), DerMalformed)
  })

const pssOf = (hash: string | undefined, mask: string | undefined) => {
  const parts = [
    ...(hash === undefined ? [] : [der(0xa0, der(0x30, oid(hash)))]),
    ...(mask === undefined ? [] : [der(0xa1, der(0x30, oid('1.2.840.113549.1.1.8'), der(0x30, oid(mask))))]),
    der(0xa2, der(0x02, Buffer.from([32]))),
  ]
  return readSignatureAlgorithm(Buffer.concat([oid('1.2.840.113549.1.1.10'), der(0x30, ...parts)])).hash
}

test('an RSASSA-PSS signature is as weak as the weaker of its hashes, what is absent is SHA-1, and an unknown one is none', () => {
  const [sha1, sha256, sha384, sha512] = ['1.3.14.3.2.26', ...[1, 2, 3].map((n) => `2.16.840.1.101.3.4.2.${n}`)]
  assert.deepEqual(
    [sha256, sha384, sha512].map((hash) => pssOf(hash, hash)),
    ['sha256', 'sha384', 'sha512'],
  )
  assert.equal(pssOf('2.16.840.1.101.3.4.2.4', sha256), 'sha224')
  for (const [hash, mask] of [
    [sha1, sha256],
    [sha256, sha1],
    [undefined, sha256],
    [sha256, undefined],
    [undefined, undefined],
    ['1.2.3', sha1],
  ])
    assert.equal(pssOf(hash, mask), 'sha1')
  assert.equal(pssOf('1.2.3', sha256), undefined)
  assert.equal(pssOf(sha256, '1.2.3'), undefined)
  assert.equal(readSignatureAlgorithm(oid('1.2.840.113549.1.1.10')).hash, 'sha1')
})

const rsaKey = (modulus: string, exponent: string) => {
  const numbers = [modulus, exponent].map((number) => der(0x02, Buffer.from(number, 'hex')))
  const bits = der(0x03, Buffer.from([0]), der(0x30, ...numbers))
  return readKeyKind(Buffer.concat([der(0x30, oid('1.2.840.113549.1.1.1'), nothing), bits]))
}

test('an RSA key has as many bits as its modulus without leading zeros, and an exponent of any size is read', () => {
  const sizes: Readonly<Record<string, number>> = { '': 0, '00': 0, '01': 1, '0080': 8, '7f': 7, '0100': 9, ff00: 16 }
  for (const [modulus, bits] of Object.entries(sizes))
    assert.deepEqual(rsaKey(modulus, '010001'), { type: 'rsa', bits, exponent: 65537 })
  const exponents: Readonly<Record<string, number>> = {
    '': 0,
    '03': 3,
    '0100000001': 2 ** 32 + 1,
    '010000000001': 2 ** 40 + 1,
    '00010000000001': Infinity,
    ['01'.repeat(20)]: Infinity,
  }
  for (const [exponent, number] of Object.entries(exponents))
    assert.deepEqual(rsaKey('0100', exponent), { type: 'rsa', bits: 9, exponent: number })
})

test('of curves, those with a name of ours are known, and a DSA key is told by its name', () => {
  const bits = der(0x03, Buffer.from([0, 4]))
  const kind = (...algorithm: Buffer[]) => readKeyKind(Buffer.concat([der(0x30, ...algorithm), bits]))
  const curves = { '1.2.840.10045.3.1.7': 'P-256', '1.3.132.0.34': 'P-384', '1.3.132.0.35': 'P-521', '1.2.3': '1.2.3' }
  for (const [identifier, name] of Object.entries(curves))
    assert.deepEqual(kind(oid('1.2.840.10045.2.1'), oid(identifier)), { type: 'ec', curve: name })
  assert.deepEqual(kind(oid('1.2.840.10045.2.1'), der(0x30)), { type: 'ec', curve: 'spelled out' })
  assert.deepEqual(kind(oid('1.2.840.10045.2.1')), { type: 'ec', curve: 'spelled out' })
  assert.deepEqual(kind(oid('1.2.840.10040.4.1')), { type: 'other', name: 'DSA' })
  assert.deepEqual(kind(oid('1.2.3')), { type: 'other', name: '1.2.3' })
})
