import assert from 'node:assert/strict'
import { test } from 'node:test'
import { extension } from '../../../test/fixtures/certificate-der.ts'
import { der, nameOf, oid, sequence } from '../../../test/fixtures/der.ts'
import { DerMalformed, readDer } from '../der.ts'
import { readEntry, type EntryContext } from './entry.ts'

const date = der(0x17, Buffer.from('260101000000Z'))
const plain: EntryContext = { isDelta: false, isIndirect: false }
const read = (bytes: Buffer, context = plain) => readEntry(readDer(bytes)[0]!, context)
const entry = (...extensions: Buffer[]) => read(sequence('020101', date, sequence(...extensions)))
const reason = (code: string) => extension('2.5.29.21', `0a01${code}`)

/** [RFC 5280 §5.3.1] */
const reasons = [
  'unspecified',
  'keyCompromise',
  'cACompromise',
  'affiliationChanged',
  'superseded',
  'cessationOfOperation',
  'certificateHold',
  'unspecified',
  undefined,
  'privilegeWithdrawn',
  'aACompromise',
  'unspecified',
]

test('a certificate is revoked for the reason that its entry says, or for none', () => {
  for (const [code, name] of reasons.entries())
    if (name) assert.deepEqual(entry(reason(`0${code.toString(16)}`)), { serialNumber: '1', reason: name })
  assert.deepEqual(entry(), { serialNumber: '1', reason: 'unspecified' })
  assert.deepEqual(read(sequence('0202ff00', date)), { serialNumber: '-100', reason: 'unspecified' })
  assert.deepEqual(entry(extension('2.5.29.21', '0a00')).reason, 'unspecified')
})

test('what changes nothing of the revocation is passed over; what is critical and not known is not', () => {
  for (const type of ['2.5.29.24', '2.5.29.23']) assert.equal(entry(extension(type, '0500', true)).serialNumber, '1')
  assert.equal(entry(extension('1.2.3', '0500')).serialNumber, '1')
  assert.throws(() => entry(extension('1.2.3', '0500', true)), /critical extension 1\.2\.3, which is not known/)
})

test('an entry of a delta or an indirect list is taken from such a list only', () => {
  const withMore = (...extensions: Buffer[]) => sequence('020101', date, sequence(...extensions))
  const removed = withMore(reason('08'))
  assert.throws(() => read(removed), /removeFromCRL, as only delta lists may/)
  assert.equal(read(removed, { ...plain, isDelta: true }).reason, 'removeFromCRL')
  const plant = nameOf(['2.5.4.3', 'Plant'])
  const others = withMore(extension('2.5.29.29', sequence(der(0x82, 'ab'), der(0xa4, plant)), true))
  assert.throws(() => read(others), /only indirect lists may/)
  assert.throws(() => read(others, { ...plain, isDelta: true }), /only indirect lists may/)
  assert.deepEqual(read(others, { ...plain, isIndirect: true }).issuer, readDer(plant)[0]!.content)
  const nobodys = withMore(extension('2.5.29.29', sequence(der(0x82, 'ab')), true))
  assert.throws(() => read(nobodys, { ...plain, isIndirect: true }), /an issuer of lists that has no X\.501 name/)
})

test('an entry that cannot be read is malformed', () => {
  const serial = '020101'
  const wrong = [
    sequence(),
    sequence(serial),
    sequence(date, serial),
    der(0x31, serial, date),
    sequence(serial, date, sequence(), sequence()),
    sequence(serial, date, sequence(sequence(oid('1.2.3')))),
    sequence(serial, date, sequence(sequence(oid('1.2.3'), '0500'))),
    sequence(serial, date, sequence(sequence(der(0x04, ''), der(0x04, '')))),
    sequence(serial, date, sequence(sequence(oid('1.2.3'), der(0x04, ''), '0500'))),
    sequence(serial, date, sequence(der(0x31, oid('1.2.3'), der(0x04, '')))),
    sequence(serial, date, sequence(extension('2.5.29.21', '020101'))),
    sequence(serial, date, sequence(extension('2.5.29.21', ''))),
  ]
  for (const bytes of wrong) assert.throws(() => read(bytes), DerMalformed, bytes.toString('hex'))
  assert.throws(() => entry(reason('01'), reason('01')), /the extension 2\.5\.29\.21 stands there twice/)
})

test('a serial number has at most 64 bytes', () => {
  assert.equal(read(sequence(der(0x02, '01'.repeat(64)), date)).serialNumber.length, 127)
  assert.throws(() => read(sequence(der(0x02, '01'.repeat(65)), date)), /of 65 bytes; at most 64/)
})
