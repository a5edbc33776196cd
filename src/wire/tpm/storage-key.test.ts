import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { encryptSeed } from './make-credential.ts'
import { MalformedTpmStructure } from './structure-reader.ts'
import { longestStorageKey, parseStorageKey } from './storage-key.ts'

const ekPolicy = '837197674484b3f81a90cc8d46a5d724fd52d76e06520b64f2a1da1b331469aa'
const modulus = modulusOf(2048)
const ek = publicArea(`0001000b000300b20020${ekPolicy}00060080004300100800000000000100`, modulus)
const srk = publicArea('0001000b00030472000000060080004300100800000000000100', modulus)

test('an endorsement key of the default template is read, with its name', () => {
  assert.equal(ek.length, 316)
  const key = parseStorageKey(ek)
  assert.equal(key.modulusBits, 2048)
  assert.equal(key.name.subarray(0, 2).toString('hex'), '000b')
  assert.equal(key.name.length, 34)
  assert.equal(key.publicKey.export({ format: 'jwk' }).n, modulus.toString('base64url'))
})

test('a storage root key is read: 284 bytes, no policy', () => {
  assert.equal(srk.length, 284)
  assert.equal(parseStorageKey(srk).modulusBits, 2048)
})

test('an explicit exponent of 65537 and the sizes 1024, 3072 and 4096 are taken', () => {
  parseStorageKey(publicArea('0001000b00030472000000060080004300100800000100010100', modulus))
  for (const [bits, size, length] of [
    [1024, '0400', '0080'],
    [3072, '0c00', '0180'],
    [4096, '1000', '0200'],
  ] as const) {
    const head = `0001000b0003047200000006008000430010${size}00000000${length}`
    assert.equal(parseStorageKey(publicArea(head, modulusOf(bits))).modulusBits, bits)
  }
})

const wrong: Record<string, string> = {
  'an ECC key': '0023000b00030472000000060080004300100800000000000100',
  'a name with SHA-1': '0001000400030472000000060080004300100800000000000100',
  'a key that is not restricted': '0001000b00020472000000060080004300100800000000000100',
  'a key that does not decrypt': '0001000b00010472000000060080004300100800000000000100',
  'a key that signs': '0001000b00070472000000060080004300100800000000000100',
  'a policy of 31 bytes': `0001000b00030472001f${'00'.repeat(31)}00060080004300100800000000000100`,
  'no symmetric cipher': '0001000b0003047200000010008000430010 0800000000000100',
  'AES-256': '0001000b00030472000000060100004300100800000000000100',
  'AES in CBC mode': '0001000b00030472000000060080004200100800000000000100',
  'an RSA scheme': '0001000b00030472000000060080004300140800000000000100',
  '2056 bits': '0001000b00030472000000060080004300100808000000000100',
  'exponent 3': '0001000b00030472000000060080004300100800000000030100',
  'key bits that the modulus has not': '0001000b00030472000000060080004300100400000000000100',
}

for (const [what, head] of Object.entries(wrong))
  test(`${what} is refused as malformed`, () => {
    assert.throws(() => parseStorageKey(publicArea(head.replace(' ', ''), modulus)), MalformedTpmStructure)
  })

test('an even modulus and one with its top bit clear are refused', () => {
  const head = '0001000b00030472000000060080004300100800000000000100'
  const even = Buffer.from(modulus)
  even[255]! &= 0xfe
  const short = Buffer.from(modulus)
  short[0]! &= 0x7f
  assert.throws(() => parseStorageKey(publicArea(head, even)), MalformedTpmStructure)
  assert.throws(() => parseStorageKey(publicArea(head, short)), MalformedTpmStructure)
})

test('every truncation and every surplus byte is refused as malformed, with and without a corrected size', () => {
  for (let length = 0; length < ek.length; length++) {
    const cut = ek.subarray(0, length)
    assert.throws(() => parseStorageKey(cut), MalformedTpmStructure)
    if (length < 2) continue
    const resized = Buffer.from(cut)
    resized.writeUInt16BE(length - 2)
    assert.throws(() => parseStorageKey(resized), MalformedTpmStructure)
  }
  assert.throws(() => parseStorageKey(Buffer.concat([ek, Buffer.alloc(1)])), MalformedTpmStructure)
})

test('an absurdly long structure is refused by its length alone', () => {
  assert.throws(() => parseStorageKey(Buffer.alloc(longestStorageKey + 1)), /the longest TPM2B_PUBLIC/)
})

test('arbitrary bytes, and real keys with bytes changed, are usable keys or refused as malformed, and never fail otherwise', () => {
  const change = fc.tuple(fc.nat(ek.length - 1), fc.integer({ min: 0, max: 255 }))
  const changed = fc.array(change, { minLength: 1, maxLength: 4 }).map((changes) => {
    const bytes = Buffer.from(ek)
    for (const [at, value] of changes) bytes[at] = value
    return bytes
  })
  const arbitrary = fc.uint8Array({ maxLength: 400 }).map((bytes) => Buffer.from(bytes))
  fc.assert(
    fc.property(fc.oneof(changed, arbitrary), (bytes) => {
      try {
        const secret = encryptSeed(parseStorageKey(bytes), Buffer.alloc(32), 'IDENTITY')
        assert.equal(secret.length, 256)
      } catch (error) {
        assert.ok(error instanceof MalformedTpmStructure, String(error))
      }
    }),
    { numRuns: 2000 },
  )
})

function publicArea(head: string, modulus: Buffer): Buffer {
  const area = Buffer.concat([Buffer.from(head, 'hex'), modulus])
  const bytes = Buffer.alloc(2 + area.length)
  bytes.writeUInt16BE(area.length)
  area.copy(bytes, 2)
  return bytes
}

function modulusOf(modulusLength: number): Buffer {
  const { publicKey } = generateKeyPairSync('rsa', { modulusLength })
  return Buffer.from(publicKey.export({ format: 'jwk' }).n ?? '', 'base64url')
}
