import assert from 'node:assert/strict'
import { constants, generateKeyPairSync, sign, type KeyObject } from 'node:crypto'
import { test } from 'node:test'
import { der, oid, sequence } from '../../../test/fixtures/der.ts'
import { readDer } from '../der.ts'
import { readSignatureAlgorithm } from './signature.ts'

const read = (...parts: (Buffer | string)[]) => readSignatureAlgorithm(readDer(sequence(...parts))[0]!)
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const ed25519 = generateKeyPairSync('ed25519')
const message = Buffer.from('what is signed')

interface Keys {
  readonly privateKey: KeyObject
  readonly publicKey: KeyObject
}

const known: readonly (readonly [identifier: string, hash: string | null, keys: Keys])[] = [
  ['1.2.840.10045.4.3.2', 'sha256', ec],
  ['1.2.840.10045.4.3.3', 'sha384', ec],
  ['1.2.840.10045.4.3.4', 'sha512', ec],
  ['1.2.840.113549.1.1.11', 'sha256', rsa],
  ['1.2.840.113549.1.1.12', 'sha384', rsa],
  ['1.2.840.113549.1.1.13', 'sha512', rsa],
  ['1.3.101.112', null, ed25519],
]
for (const [identifier, hash, keys] of known)
  test(`a signature by ${identifier} is one of ${hash ?? 'Ed25519'}, of this message by this key`, () => {
    const verifies = read(oid(identifier), '0500')
    const signature = sign(hash, message, keys.privateKey)
    assert.equal(verifies(message, signature, keys.publicKey), true)
    assert.equal(verifies(Buffer.from('something else'), signature, keys.publicKey), false)
    assert.equal(verifies(message, sign('sha1', message, rsa.privateKey), keys.publicKey), false)
    for (const other of [rsa, ec, ed25519])
      if (other !== keys) assert.equal(verifies(message, signature, other.publicKey), false)
  })

const weak = {
  '1.2.840.113549.1.1.2': 'md2WithRSAEncryption',
  '1.2.840.113549.1.1.4': 'md5WithRSAEncryption',
  '1.2.840.113549.1.1.5': 'sha1WithRSAEncryption',
  '1.3.14.3.2.29': 'sha1WithRSASignature',
  '1.2.840.10045.4.1': 'ecdsa-with-SHA1',
  '1.2.840.10040.4.3': 'dsa-with-SHA1',
}
for (const [identifier, name] of Object.entries(weak))
  test(`${name} is too weak for a list`, () => {
    assert.throws(
      () => read(oid(identifier)),
      new RegExp(`signed with ${name}, which is too weak; sign it with SHA-256`),
    )
  })

test('an algorithm that is not known is named, and none is none', () => {
  assert.throws(() => read(oid('1.2.3')), /the algorithm 1\.2\.3, which is not known here/)
  for (const parts of [[], ['020101']]) assert.throws(() => read(...parts), /the algorithm none, which is not known/)
})

const [sha1, sha256, sha384, sha512] = ['1.3.14.3.2.26', ...[1, 2, 3].map((n) => `2.16.840.1.101.3.4.2.${n}`)] as [
  string,
  string,
  string,
  string,
]
const pss = (hash: string | undefined, mask: string | undefined, salt?: string) =>
  read(
    oid('1.2.840.113549.1.1.10'),
    sequence(
      hash === undefined ? '' : der(0xa0, sequence(oid(hash))),
      mask === undefined ? '' : der(0xa1, sequence(oid('1.2.840.113549.1.1.8'), sequence(oid(mask)))),
      salt === undefined ? '' : der(0xa2, der(0x02, salt)),
    ),
  )

test('RSASSA-PSS is checked with its hash, twice the same and strong, and with its length of salt', () => {
  for (const [identifier, hash, saltLength] of [
    [sha256, 'sha256', 32],
    [sha384, 'sha384', 48],
    [sha512, 'sha512', 20],
  ] as const) {
    const key = { key: rsa.privateKey, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength }
    const signature = sign(hash, message, key)
    const salt = saltLength === 20 ? undefined : saltLength.toString(16)
    assert.equal(pss(identifier, identifier, salt)(message, signature, rsa.publicKey), true)
    assert.equal(pss(identifier, identifier, '10')(message, signature, rsa.publicKey), false)
    assert.equal(pss(identifier, identifier, salt)(message, sign(hash, message, rsa.privateKey), rsa.publicKey), false)
  }
  const says = /RSASSA-PSS and not with SHA-256, SHA-384 or SHA-512 throughout/
  for (const [hash, mask] of [
    [sha256, sha384],
    [sha1, sha1],
    [undefined, sha256],
    [sha256, undefined],
    [undefined, undefined],
  ])
    assert.throws(() => pss(hash, mask, '20'), says)
  assert.throws(() => read(oid('1.2.840.113549.1.1.10')), says)
})
