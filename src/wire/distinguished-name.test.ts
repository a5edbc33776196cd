import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DerMalformed } from './der.ts'
import { distinguishedName } from './distinguished-name.ts'

const der = (tag: number, ...content: (Buffer | string)[]) => {
  const bytes = Buffer.concat(content.map((part) => (typeof part === 'string' ? Buffer.from(part, 'hex') : part)))
  const length = bytes.length < 128 ? [bytes.length] : [0x82, bytes.length >> 8, bytes.length & 0xff]
  return Buffer.concat([Buffer.from([tag, ...length]), bytes])
}
const utf8 = (text: string) => der(0x0c, Buffer.from(text))
const attribute = (oid: string, value: Buffer) => der(0x30, der(0x06, oid), value)
const part = (...attributes: Buffer[]) => der(0x31, ...attributes)

const commonName = '550403'
const names: readonly (readonly [expected: string, ...parts: Buffer[]])[] = [
  [''],
  ['CN=pump', part(attribute(commonName, utf8('pump')))],
  [
    'CN=x, OU=y, O=z',
    part(attribute('55040a', utf8('z'))),
    part(attribute('55040b', utf8('y'))),
    part(attribute(commonName, utf8('x'))),
  ],
  [
    'S=Bayern, E=a@b',
    part(attribute('2a864886f70d010901', der(0x16, Buffer.from('a@b')))),
    part(attribute('550408', utf8('Bayern'))),
  ],
  ['DC=example', part(attribute('0992268993f22c640119', der(0x16, Buffer.from('example'))))],
  ['OID.1.3.6.1.4.1.311.2.1.25=v', part(attribute('2b060104018237020119', utf8('v')))],
  ['CN=a + OU=b', part(attribute(commonName, utf8('a')), attribute('55040b', utf8('b')))],
  ['CN="a, ""b"""', part(attribute(commonName, utf8('a, "b"')))],
  ['CN=" a"', part(attribute(commonName, utf8(' a')))],
  ['CN=""', part(attribute(commonName, utf8('')))],
  ['CN=Grüße', part(attribute(commonName, der(0x1e, Buffer.from('Grüße', 'utf16le').swap16())))],
  ['CN=Größe', part(attribute(commonName, der(0x14, Buffer.from('Größe', 'latin1'))))],
  [`CN=${'l'.repeat(300)}`, part(attribute(commonName, utf8('l'.repeat(300))))],
  ['CN="#0102"', part(attribute(commonName, der(0x04, '0102')))],
]

for (const [expected, ...parts] of names) {
  test(`a name reads ${expected.slice(0, 40) || 'as nothing when it has no parts'}`, () => {
    assert.equal(distinguishedName(Buffer.concat(parts)), expected)
  })
}

for (const [index, hostile] of [
  '31',
  '3105',
  '3180',
  '31ff',
  '3184ffffffff',
  '3f0100',
  '3103300106',
  '31023000',
].entries()) {
  test(`bytes that are no name are refused, never read beyond: ${index + 1}`, () => {
    assert.throws(() => distinguishedName(Buffer.from(hostile, 'hex')), DerMalformed)
  })
}

/** As .NET writes them. [service-wire §3.3] */
const abbreviations: Readonly<Record<string, string>> = {
  '550403': 'CN',
  '550404': 'SN',
  '550405': 'SERIALNUMBER',
  '550406': 'C',
  '550407': 'L',
  '550408': 'S',
  '550409': 'STREET',
  '55040a': 'O',
  '55040b': 'OU',
  '55040c': 'T',
  '55040d': 'Description',
  '550411': 'PostalCode',
  '550412': 'POBox',
  '550414': 'Phone',
  '55042a': 'G',
  '55042b': 'I',
  '2a864886f70d010901': 'E',
  '0992268993f22c640101': 'UID',
  '0992268993f22c640119': 'DC',
}
for (const [oid, abbreviation] of Object.entries(abbreviations))
  test(`the attribute ${oid} is shown as ${abbreviation}`, () => {
    assert.equal(distinguishedName(part(attribute(oid, utf8('x')))), `${abbreviation}=x`)
  })
