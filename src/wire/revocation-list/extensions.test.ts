import assert from 'node:assert/strict'
import { test } from 'node:test'
import { extension } from '../../../test/fixtures/certificate-der.ts'
import { der, nameOf, oid, sequence } from '../../../test/fixtures/der.ts'
import { DerMalformed, readDer } from '../der.ts'
import { readExtensions } from './extensions.ts'

const issuer = readDer(nameOf(['2.5.4.10', 'Acme']))[0]!.content
const readIn = (tagged: Buffer) => readExtensions(readDer(tagged)[0], issuer)
const read = (...extensions: Buffer[]) => readIn(der(0xa0, sequence(...extensions)))
const number = (bytes: string, tag = 0x02) => extension('2.5.29.20', der(tag, bytes))
const scope = (...parts: Buffer[]) => read(extension('2.5.29.28', sequence(...parts), true)).scope

test('a list without extensions is about every certificate of its issuer', () => {
  assert.deepEqual(readExtensions(undefined, issuer), { scope: { certificates: 'all' } })
  assert.deepEqual(read(), { scope: { certificates: 'all' } })
  assert.deepEqual(readIn(der(0xa0)), { scope: { certificates: 'all' } })
})

test('the number of a list is 0 or more, in up to 20 bytes', () => {
  for (const [bytes, value] of [
    ['00', 0n],
    ['7f', 127n],
    ['0080', 128n],
    ['01'.repeat(20), BigInt(`0x${'01'.repeat(20)}`)],
  ] as const)
    assert.equal(read(number(bytes)).number, value)
  for (const wrong of [
    number('80'),
    number(''),
    number('01'.repeat(21)),
    number('01', 0x0a),
    extension('2.5.29.20', ''),
  ])
    assert.throws(() => read(wrong), /the number of the list is not 0 or more in up to 20 bytes/)
})

test('the key that signed it is named by its identifier', () => {
  const named = (...parts: string[]) => read(extension('2.5.29.35', sequence(...parts))).authorityKeyIdentifier
  assert.deepEqual(named('8002bb02', '820101'), Buffer.from('bb02', 'hex'))
  assert.equal(named('820101'), undefined)
  assert.equal(named(), undefined)
})

test('a delta names the number of the list that it changes, and has one of its own that is not below', () => {
  const changes = (base: string) => extension('2.5.29.27', der(0x02, base), true)
  assert.deepEqual(read(changes('04'), number('05')), { number: 5n, base: 4n, scope: { certificates: 'all' } })
  assert.equal(read(changes('05'), number('05')).base, 5n)
  for (const wrong of [[changes('04')], [changes('06'), number('05')]])
    assert.throws(() => read(...wrong), /a delta list without a number, or with one below/)
  assert.throws(() => read(changes('80'), number('05')), /is not 0 or more/)
})

test('an extension that is there twice, and a critical one that is not known are refused', () => {
  assert.throws(() => read(extension('1.2.3', ''), extension('1.2.3', '')), /1\.2\.3 stands there twice/)
  assert.throws(() => read(extension('1.2.3', '', true)), /critical extension 1\.2\.3, which is not known here/)
  for (const harmless of [
    extension('1.2.3', ''),
    extension('2.5.29.18', '', true),
    extension('2.5.29.46', '', true),
    extension('1.3.6.1.5.5.7.1.1', '', true),
  ])
    assert.deepEqual(read(harmless), { scope: { certificates: 'all' } })
})

test('a list is about users, about CAs or about all, for some reasons, at some place', () => {
  assert.deepEqual(scope(), { certificates: 'all' })
  assert.deepEqual(scope(der(0x81, 'ff')), { certificates: 'user' })
  assert.deepEqual(scope(der(0x82, 'ff')), { certificates: 'ca' })
  assert.deepEqual(scope(der(0x81, '00'), der(0x82, 'ff')), { certificates: 'ca' })
  const reasons = (bits: string) => scope(der(0x83, bits)).reasons
  assert.deepEqual(reasons('0140'), ['keyCompromise'])
  assert.deepEqual(reasons('0120'), ['cACompromise'])
  assert.deepEqual(reasons('001f'), [
    'affiliationChanged',
    'superseded',
    'cessationOfOperation',
    'certificateHold',
    'privilegeWithdrawn',
  ])
  assert.deepEqual(reasons('070080'), ['aACompromise'])
  assert.deepEqual(reasons('00'), [])
})

test('the place of a list is told by its name, and as hex where that is no text', () => {
  const at = (...name: Buffer[]) => scope(der(0xa0, ...name)).distributionPoint
  const uri = (text: string) => der(0x86, Buffer.from(text))
  assert.equal(at(der(0xa0, uri('http://a/1.crl'), uri('http://b/1.crl'))), 'http://a/1.crl http://b/1.crl')
  assert.equal(at(der(0xa0, der(0xa4, nameOf(['2.5.4.3', 'Plant'])))), 'CN=Plant')
  assert.equal(at(der(0xa0, der(0x82, 'ab'), der(0xa4, ''))), '#AB #')
  const below = der(0xa1, sequence(oid('2.5.4.3'), der(0x13, '61')))
  assert.equal(at(below), `#${below.toString('hex').toUpperCase()}`)
  const longest = der(0xa0, uri('x'.repeat(2048 - 8)))
  assert.equal(longest.length, 2048)
  assert.equal(at(longest)?.length, 2040)
  assert.throws(() => at(der(0xa0, uri('x'.repeat(2048 - 7)))), /distribution point of the list is too long/)
})

test('a name that is below that of the issuer is the same place as the whole name, in any spelling', () => {
  const points = (name: Buffer) => scope(der(0xa0, name)).points
  const below = points(der(0xa1, sequence(oid('2.5.4.3'), der(0x13, Buffer.from('Lists')))))
  const whole = points(der(0xa0, der(0xa4, nameOf(['2.5.4.10', 'ACME'], ['2.5.4.3', ' lists']))))
  assert.deepEqual(below, whole)
  assert.notDeepEqual(below, points(der(0xa0, der(0xa4, nameOf(['2.5.4.3', 'Lists'])))))
  assert.throws(() => points(der(0xa2, 'ab')), /a distribution point without a name/)
})

test('an indirect list says so', () => {
  assert.deepEqual(scope(der(0x84, 'ff')), { certificates: 'all', indirect: true })
})

test('a list about what no device presents, or of unknown parts, is refused', () => {
  const refused: readonly (readonly [parts: readonly Buffer[], says: RegExp])[] = [
    [[der(0x85, 'ff')], /attribute certificates/],
    [[der(0x81, 'ff'), der(0x82, 'ff')], /user certificates only and CAs only/],
    [[der(0x86, 'ff')], /has a part that is not known here/],
  ]
  for (const [parts, says] of refused) assert.throws(() => scope(...parts), says)
  assert.deepEqual(scope(der(0x84, '00'), der(0x85, '00')), { certificates: 'all' })
  assert.throws(() => read(extension('2.5.29.28', '3005')), DerMalformed)
})
