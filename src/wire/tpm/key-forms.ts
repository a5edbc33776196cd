import { contentOf, DerMalformed, derTag, readDer, readSequence } from '../der.ts'
import { readCertificateFields } from '../x509/certificate-fields.ts'
import { algorithm } from './constants.ts'
import { fromLittleEndian } from './little-endian.ts'
import { demand, MalformedTpmStructure, sized, uint16, uint32 } from './structure-reader.ts'

/** Which key a text or some bytes are to be: of an endorsement key the default template is known, of others it is not. */
export type KeyRole = 'endorsement key' | 'storage root key'

/** Characters: twice what the longest certificate takes in PEM. */
const longestText = 16_384

const pem = /-----BEGIN ([A-Z0-9 ]{1,40})-----([^-]*)-----END/
const base64 = /^[A-Za-z0-9+/_-]+={0,2}$/
const hex = /^(?:0x)?(?:[0-9a-f]{2})+$/i

/**
 * The TPM2B_PUBLIC that a text means, as SDKs and vendors' tools print keys: base64 (one line or many) or hex of any of the forms
 * that `publicOfBytes` reads, or PEM. Throws MalformedTpmStructure that says what the text is instead, as far as it can be told.
 */
export function publicOfText(text: string, role: KeyRole): Buffer {
  demand(text.length <= longestText, `it has ${text.length} characters; at most ${longestText} are read`)
  const armoured = pem.exec(text)
  if (armoured) return publicOfPem(armoured[1]!, Buffer.from(armoured[2]!, 'base64'), role)
  demand(!/-----BEGIN /.test(text), 'it is PEM without its end')
  demand(
    !/\bname-alg:|\bqualified name:/.test(text),
    'it is what tpm2_readpublic prints: the key is in the file of its option -o',
  )
  const packed = text.replaceAll(/\s/g, '')
  demand(packed !== '', 'it is empty')
  // What is hex is base64 too; only one of them gives a key.
  const readings = [
    ...(hex.test(packed) ? [Buffer.from(packed.replace(/^0x/i, ''), 'hex')] : []),
    ...(base64.test(packed) ? [Buffer.from(packed, 'base64')] : []),
  ]
  demand(readings.length > 0, 'it is neither base64, hex nor PEM')
  return publicOfBytes(readings.find(isKnown) ?? readings[0]!, role)
}

/**
 * The TPM2B_PUBLIC that these bytes mean: itself, one without its size (TPMT_PUBLIC), the structure as tpm2-tools before 3.0 wrote
 * it from memory, or, of an endorsement key, its SubjectPublicKeyInfo or its certificate in DER. Whatever else begins like a
 * TPM2B_PUBLIC is given back as it is. Throws MalformedTpmStructure as `publicOfText` does.
 */
export function publicOfBytes(bytes: Buffer, role: KeyRole): Buffer {
  if (bytes.length < 2 || bytes.readUInt16BE() === bytes.length - 2) return bytes
  if (isBare(bytes)) return sized(bytes)
  const ours = fromLittleEndian(bytes)
  if (ours) return ours
  if (bytes[0] === derTag.sequence) return publicOfDer(bytes, role)
  demand(
    !startsWith(bytes, 'badcc0de'),
    'it is a context file of tpm2-tools: "tpm2_readpublic -c FILE -f tss -o KEY" writes the key',
  )
  demand(!(bytes.length === 34 && startsWith(bytes, '000b')), 'it is the name of a key (a digest), not the key')
  demand(
    ![20, 32, 48, 64].includes(bytes.length),
    `it has ${bytes.length} bytes, as a digest of a key has: the key itself is needed`,
  )
  return bytes
}

function isKnown(bytes: Buffer): boolean {
  if (bytes.length < 2) return false
  const isSized = bytes.readUInt16BE() === bytes.length - 2
  return isSized || isBare(bytes) || bytes[0] === derTag.sequence || fromLittleEndian(bytes) !== undefined
}

function isBare(bytes: Buffer): boolean {
  return startsWith(bytes, '0001000b') || startsWith(bytes, '0023000b')
}

function startsWith(bytes: Buffer, hex: string): boolean {
  return bytes.subarray(0, hex.length / 2).toString('hex') === hex
}

function publicOfPem(label: string, bytes: Buffer, role: KeyRole): Buffer {
  switch (label) {
    case 'PUBLIC KEY':
    case 'CERTIFICATE':
    case 'TRUSTED CERTIFICATE':
      return publicOfDer(bytes, role)
    case 'RSA PUBLIC KEY':
      return endorsementKeyOf(
        reading(() => modulusOf(bytes)),
        role,
      )
    default:
      throw new MalformedTpmStructure(`it is a PEM block of ${label}; expected PUBLIC KEY or CERTIFICATE`)
  }
}

/** A certificate's first element holds a list itself; that of a public key holds its algorithm. */
function publicOfDer(bytes: Buffer, role: KeyRole): Buffer {
  const der = withoutFill(bytes)
  return endorsementKeyOf(
    reading(() => {
      const [first] = readSequence(der, 'the key')
      const [inner] = readDer(contentOf(first, derTag.sequence, 'what comes first in the key'))
      return inner?.tag === derTag.oid
        ? modulusOfInfo(readSequence(der, 'the key'))
        : modulusOfInfo(readDer(readCertificateFields(der).keyInfo))
    }),
    role,
  )
}

/** What was read from a TPM's memory may have more behind it, to the end of its index. */
function withoutFill(bytes: Buffer): Buffer {
  if (bytes.length < 4 || bytes[1] !== 0x82) return bytes
  const end = 4 + bytes.readUInt16BE(2)
  return bytes.subarray(end).every((byte) => byte === 0 || byte === 0xff) ? bytes.subarray(0, end) : bytes
}

/** Whatever the algorithm is called: some certificates say RSAES-OAEP where others say RSA. */
function modulusOfInfo([, key]: ReturnType<typeof readDer>): Buffer {
  const bits = contentOf(key, derTag.bitString, 'the key')
  // An elliptic curve's point begins so, an RSA key is a SEQUENCE.
  if (bits[1] === 4 || bits[1] === 2 || bits[1] === 3) {
    throw new MalformedTpmStructure('it is an elliptic curve key; the SDKs use RSA-2048 endorsement keys')
  }
  return modulusOf(bits.subarray(1))
}

function modulusOf(rsaPublicKey: Buffer): Buffer {
  const [modulus, exponent] = readSequence(rsaPublicKey, 'the RSA key')
  const e = contentOf(exponent, derTag.integer, 'the exponent')
  demand(e.equals(Buffer.from([1, 0, 1])), 'the exponent is not 65537')
  const bytes = contentOf(modulus, derTag.integer, 'the modulus')
  return bytes[0] === 0 ? bytes.subarray(1) : bytes
}

/** What the name of a key is made of: RSA-2048 by the default template of endorsement keys. [TCG EK Credential Profile, L-1] */
const template = Buffer.concat([
  uint16(algorithm.rsa),
  uint16(algorithm.sha256),
  uint32(0x000300b2),
  sized(Buffer.from('837197674484b3f81a90cc8d46a5d724fd52d76e06520b64f2a1da1b331469aa', 'hex')),
  uint16(algorithm.aes),
  uint16(128),
  uint16(algorithm.cfb),
  uint16(algorithm.null),
  uint16(2048),
  uint32(0),
])

function endorsementKeyOf(modulus: Buffer, role: KeyRole): Buffer {
  if (role === 'storage root key') {
    const found = 'it is a public key without the attributes that a storage root key is named by'
    throw new MalformedTpmStructure(`${found}: send its TPM2B_PUBLIC`)
  }
  demand(
    modulus.length === 256,
    `an RSA key of ${modulus.length * 8} bits in PEM or DER; only of 2048 is the template known`,
  )
  return sized(Buffer.concat([template, sized(modulus)]))
}

function reading<T>(read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (error instanceof DerMalformed) throw new MalformedTpmStructure(`it cannot be read as DER: ${error.message}`)
    throw error
  }
}
