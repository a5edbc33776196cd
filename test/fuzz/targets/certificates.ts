import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import type * as certificateModule from '../../../src/wire/certificate.ts'
import type * as derModule from '../../../src/wire/der.ts'
import type * as distinguishedNameModule from '../../../src/wire/distinguished-name.ts'
import type * as revocationListModule from '../../../src/wire/revocation-list.ts'
import { createRoot, type Leaf } from '../../fixtures/certificates.ts'
import type { Random } from '../engine/random.ts'
import { orRefused, type Load, type MakeTargets, type Target } from '../engine/target.ts'

type Der = typeof derModule

/** DER and what is made of it: certificates, names, revocation lists, and the texts that carry them. */
export const certificateTargets: MakeTargets = async (load) => {
  const root = await createRoot('Root of fuzz')
  const middle = await root.issueAuthority('Middle of fuzz')
  const leaf = await middle.issueLeaf('dev', { subject: 'CN=dev, OU=a+O=b, C=DE' })
  const known = [leaf.certificate, middle.certificate, root.certificate].map((pem) => new X509Certificate(pem).raw)
  return Promise.all([der(load), certificate(load, known), certificateText(load, leaf), revocationList(load, known)])
}

const words = [
  '0603550403',
  '0500',
  '30',
  '3000',
  '3082',
  'a003020102',
  '0101ff',
  '0c',
  '1e',
  '13',
  '17',
  '18',
  '0a0101',
  '848000',
].map((hex) => Buffer.from(hex, 'hex'))

/** One element, with a length that at times is not the shortest, or not true. */
function element(random: Random, tag: number, content: Buffer): Buffer {
  const length = random.once(40) ? random.edge() % 2 ** 32 : content.length
  if (length < 0x80 && !random.once(30)) return Buffer.concat([Buffer.from([tag, length]), content])
  const size = length > 0xffffff ? 4 : length > 0xffff ? 3 : length > 0xff ? 2 : 1
  const head = Buffer.alloc(2 + size)
  head[0] = tag
  head[1] = 0x80 | size
  head.writeUIntBE(length, 2, size)
  return Buffer.concat([head, content])
}

function tree(random: Random, depth = 5): Buffer {
  const tag = random.pick([0x02, 0x03, 0x06, 0x0c, 0x13, 0x1e, 0x17, 0x30, 0x31, 0xa0, 0xa3, random.int(0, 255)])
  const inner = depth > 0 && (tag & 0x20) !== 0
  return element(
    random,
    tag,
    inner ? Buffer.concat(random.many(5, () => tree(random, depth - 1))) : random.bytes(random.size(20)),
  )
}

/** A distinguished name as it may be: several values in one part, every kind of string. */
function name(random: Random): Buffer {
  const attribute = () =>
    element(
      random,
      0x30,
      Buffer.concat([
        element(
          random,
          0x06,
          Buffer.from(random.pick(['550403', '55040a', '2a864886f70d010901', '8080808001']), 'hex'),
        ),
        element(random, random.pick([0x0c, 0x13, 0x1e, 0x16, 0x03]), Buffer.from(random.text(30))),
      ]),
    )
  return element(
    random,
    0x30,
    Buffer.concat(
      random.many(4, () => element(random, 0x31, Buffer.concat([attribute(), ...random.many(2, attribute)]))),
    ),
  )
}

async function der(load: Load): Promise<Target> {
  const { readDer, readOid, DerMalformed } = await load<Der>('wire/der.ts')
  const { distinguishedName } = await load<typeof distinguishedNameModule>('wire/distinguished-name.ts')
  return {
    name: 'der',
    dictionary: words,
    generate: (random) => (random.once(2) ? tree(random) : name(random)),
    check: (input) => {
      const elements = orRefused([DerMalformed], () => readDer(input)) ?? []
      assert.ok(elements.reduce((sum, { content }) => sum + content.length, 0) <= input.length)
      for (const { content } of elements) {
        orRefused([DerMalformed], () => distinguishedName(content))
        orRefused([DerMalformed], () => readOid(content))
      }
    },
  }
}

async function certificate(load: Load, known: readonly Buffer[]): Promise<Target> {
  const { readCertificate, issuerAndSerial } = await load<typeof certificateModule>('wire/certificate.ts')
  const { DerMalformed } = await load<Der>('wire/der.ts')
  return {
    name: 'certificate',
    dictionary: words,
    generate: (random) => bent(random, random.pick(known)),
    check: (input) => {
      const record = readCertificate(input)
      if (record) assert.match(record.info.sha256Thumbprint, /^[0-9A-F]{64}$/)
      if (record) orRefused([DerMalformed], () => issuerAndSerial(new X509Certificate(input)))
    },
  }
}

/** A certificate with a few bytes changed, so that OpenSSL still reads most of them. */
function bent(random: Random, good: Buffer): Buffer {
  const bytes = Buffer.from(good)
  for (let changes = random.int(0, 3); changes > 0; changes--)
    bytes[random.int(0, bytes.length - 1)] = random.pick([0, 1, 0x30, 0x80, 0xff, random.int(0, 255)])
  return bytes
}

async function certificateText(load: Load, { certificate, chain }: Leaf): Promise<Target> {
  const { readCertificateText } = await load<typeof certificateModule>('wire/certificate.ts')
  const base64 = Buffer.from(certificate).toString('base64')
  const forms = [
    certificate,
    chain,
    base64,
    certificate.replaceAll('\n', '\\n'),
    certificate.replace(/-----.*-----/g, ''),
    '-----BEGIN CERTIFICATE-----',
  ]
  return {
    name: 'certificate-text',
    dictionary: ['-----BEGIN CERTIFICATE-----', '-----END CERTIFICATE-----', '\\n', '\\r', '=', ' '],
    generate: (random) => Buffer.from(random.many(3, () => random.pick([...forms, random.text(3000)])).join('')),
    check: (input) => {
      const record = readCertificateText(input.toString('latin1'))
      if (record) assert.deepEqual(readCertificateText(record.der), record, 'what is kept is read the same again')
    },
  }
}

async function revocationList(load: Load, known: readonly Buffer[]): Promise<Target> {
  const { parseRevocationList } = await load<typeof revocationListModule>('wire/revocation-list.ts')
  const { DerMalformed } = await load<Der>('wire/der.ts')
  const issuer = new X509Certificate(known[2]!)
  const sequence = (random: Random, ...parts: Buffer[]) => element(random, 0x30, Buffer.concat(parts))
  const algorithm = Buffer.from('300a06082a8648ce3d040302', 'hex')
  const time = (random: Random) =>
    element(
      random,
      random.pick([0x17, 0x18]),
      Buffer.from(random.pick(['260101000000Z', '20260101000000Z', random.text(16)])),
    )
  const extension = (random: Random, oid: string, value: Buffer) =>
    sequence(random, Buffer.from(oid, 'hex'), element(random, 0x04, value))
  const entry = (random: Random) =>
    sequence(
      random,
      element(random, 0x02, random.bytes(random.int(0, 20))),
      time(random),
      ...(random.once(2)
        ? [sequence(random, extension(random, '0603551d15', Buffer.from([0x0a, 1, random.int(0, 12)])))]
        : []),
    )
  return {
    name: 'revocation-list',
    dictionary: [...words, '-----BEGIN X509 CRL-----', '-----END X509 CRL-----'],
    generate: (random) => {
      const entries = random.once(4) ? [] : [sequence(random, ...random.many(30, () => entry(random)))]
      const oids = ['0603551d14', '0603551d23', '0603551d1b', '0603551d1c']
      const extensions = element(
        random,
        0xa0,
        sequence(random, ...random.many(3, () => extension(random, random.pick(oids), random.bytes(random.size(8))))),
      )
      const tbs = sequence(
        random,
        element(random, 0x02, Buffer.from([1])),
        algorithm,
        name(random),
        time(random),
        time(random),
        ...entries,
        ...(random.once(2) ? [extensions] : []),
      )
      const list = sequence(random, tbs, algorithm, element(random, 0x03, random.bytes(72)))
      return random.once(4)
        ? Buffer.from(`-----BEGIN X509 CRL-----\n${list.toString('base64')}\n-----END X509 CRL-----`)
        : list
    },
    check: (input) => {
      const list = orRefused([DerMalformed], () => parseRevocationList(input))
      if (!list) return
      const entries = orRefused([DerMalformed], () => [...list.entries()]) ?? []
      assert.ok(entries.length <= input.length && !Number.isNaN(list.thisUpdate.getTime()))
      assert.equal(list.signedBy(issuer), false, 'nobody signed this')
    },
  }
}
