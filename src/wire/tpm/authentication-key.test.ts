import assert from 'node:assert/strict'
import { constants, createDecipheriv, generateKeyPairSync, privateDecrypt, type KeyObject } from 'node:crypto'
import { test } from 'node:test'
import { authenticationKey } from './authentication-key.ts'
import { idObject } from './make-credential.ts'
import { duplicated, hmacKeyObject, innerWrapped } from './hmac-key.ts'
import { kdfa } from './key-derivation.ts'
import { parseStorageKey, type StorageKey } from './storage-key.ts'

const times32 = (byte: number) => Buffer.alloc(32, byte)
const inner = Buffer.alloc(16, 0x33)
const object = hmacKeyObject(times32(0x22), times32(0x11))

test('the published vectors of an HMAC key object are met [device-wire §5.7]', () => {
  const unique = '5189c77d29fe5d546a045ec46986852785fea5c13ac7da9c115ff5fb6edf817c'
  assert.equal(object.publicArea.toString('hex'), '0008000b0004044000000005000b0020' + unique)
  assert.equal(object.name.toString('hex'), '000b4146a51dfe9ba60e358967c8c42ff2b1c81deefde06b9eb4c57f598851a02085')
})

test('the published vectors of the inner wrapper are met [device-wire §5.7]', () => {
  assert.equal(
    innerWrapped(object, inner).toString('hex'),
    '7a311bf51b6f4e9eae4ab3c23c4c819e6d6876ebb37a3d179f9ecd9ca28a914b7d652d31e7bae31aa8754ea69cdd8c19dca8323929d6ca6464e5' +
      '8dddb159de3568704115cec87bdf455b228ca67b4aa3a6aa8ffe0d99dab60dddd30e91a4b7137f1d2afc000950256b0125cf',
  )
})

test('the published vectors of the outer wrapper are met [device-wire §5.7]', () => {
  const seed = times32(0x44)
  assert.equal(kdfa(seed, 'STORAGE', 128, object.name).toString('hex'), 'f02d995ea459b7a829646d2ef091124d')
  assert.equal(
    kdfa(seed, 'INTEGRITY', 256).toString('hex'),
    '7dff741117d173649d298312e9ae22d4727d25ed56d85ad78fa8b0494cb33351',
  )
  assert.equal(
    duplicated(object, inner, seed).toString('hex'),
    '0020d5cd93559bc1e1c247e99c5c4fb02b57768561c4aac748b21306eedffac6438611c5c85c9180bb4ca230e3198053b84ec6265f74fb5d4d24' +
      '2100c370272afbf44822d390cbd1daa7e24c23498ab3022643ad7cfccb95ad7a914548948db7398fc600c8bc57061a37b341446c430e6a78' +
      '6a6bad5f5c96588b35d7f572a51a94c74743b7abffd5a1b93fd4a7ca',
  )
})

test('the published vectors of a credential are met [device-wire §5.7]', () => {
  const name = Buffer.concat([Buffer.from([0, 0x0b]), times32(0x55)])
  assert.equal(kdfa(times32(0x66), 'STORAGE', 128, name).toString('hex'), '086a53e6a2b4f3a97dfe4a69b7e04171')
  assert.equal(
    idObject(times32(0x66), name, inner).toString('hex'),
    '0020e8d690381ff5ce8f97cc6e314955b3bcfcd23b3b08aa9ffd47ecf781f24e615c43d5e9cc806bc65832143dd7f5fd581c528e',
  )
})

test('the six parts have their published sizes, and both seeds are encrypted to the right key', () => {
  const ek = storageKey()
  const srk = storageKey()
  const randomness: Buffer[] = [inner, times32(0x66), times32(0x11), times32(0x44)]
  const random = (bytes: number) => {
    const next = randomness.shift()
    assert.ok(next && next.length === bytes)
    return next
  }
  const key = times32(0x22)
  const blob = authenticationKey(
    { endorsementKey: ek.key, storageRootKey: srk.key, key, uri: 'hub.example.net!' },
    random,
  )
  assert.equal(blob.length, 782)
  const parts = partsOf(blob)
  assert.deepEqual(
    parts.map((part) => part.length),
    [52, 256, 142, 256, 48, 16],
  )
  assert.deepEqual(parts[0], idObject(times32(0x66), srk.key.name, inner))
  assert.deepEqual(opened(ek.privateKey, parts[1]!, 'IDENTITY\0'), times32(0x66))
  assert.deepEqual(parts[2], duplicated(object, inner, times32(0x44)))
  assert.deepEqual(opened(srk.privateKey, parts[3]!, 'DUPLICATE\0'), times32(0x44))
  assert.deepEqual(parts[4], object.publicArea)
  assert.equal(
    createDecipheriv('aes-128-cfb', inner, Buffer.alloc(16)).update(parts[5]!).toString(),
    'hub.example.net!',
  )
})

test('the size follows the key: 754 bytes for 20, 798 for 64, without a URI', () => {
  const { key: storage } = storageKey()
  const sizeFor = (length: number) =>
    authenticationKey({ endorsementKey: storage, storageRootKey: storage, key: Buffer.alloc(length, 7), uri: '' })
      .length
  assert.equal(sizeFor(20), 754)
  assert.equal(sizeFor(64), 798)
})

test('two wrappings of one key have nothing in common but the lengths', () => {
  const { key: storage } = storageKey()
  const wrap = () =>
    partsOf(authenticationKey({ endorsementKey: storage, storageRootKey: storage, key: times32(1), uri: 'hub' }))
  const [one, other] = [wrap(), wrap()]
  for (const [at, part] of one.entries()) assert.notDeepEqual(part, other[at])
})

test('a key that no TPM would import is refused before anything is wrapped', () => {
  assert.throws(() => hmacKeyObject(Buffer.alloc(65), times32(0)), RangeError)
  assert.throws(() => hmacKeyObject(Buffer.alloc(0), times32(0)), RangeError)
})

function partsOf(blob: Buffer): Buffer[] {
  const parts: Buffer[] = []
  for (let at = 0; at < blob.length;) {
    const length = blob.readUInt16BE(at)
    parts.push(blob.subarray(at + 2, at + 2 + length))
    at += 2 + length
  }
  return parts
}

function opened(key: KeyObject, secret: Buffer, label: string): Buffer {
  const padding = constants.RSA_PKCS1_OAEP_PADDING
  return privateDecrypt({ key, padding, oaepHash: 'sha256', oaepLabel: Buffer.from(label) }, secret)
}

function storageKey(): { key: StorageKey; privateKey: KeyObject } {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const modulus = Buffer.from(publicKey.export({ format: 'jwk' }).n ?? '', 'base64url')
  const head = Buffer.from('011a0001000b00030472000000060080004300100800000000000100', 'hex')
  return { key: parseStorageKey(Buffer.concat([head, modulus])), privateKey }
}
