import assert from 'node:assert/strict'
import { test } from 'node:test'
import { der, oid, sequence } from '../../../test/fixtures/der.ts'
import { DerMalformed } from '../der.ts'
import { authorityDigest, normalName } from '../normal-name.ts'
import { commonName, readName, shownName } from './name.ts'

const utf8 = (text: string) => der(0x0c, Buffer.from(text))
const latin = (text: string, tag = 0x13) => der(tag, Buffer.from(text, 'latin1'))
const wide = (text: string) => der(0x1e, Buffer.from(text, 'utf16le').swap16())
const attribute = (type: string, value: Buffer) => sequence(oid(type), value)
const part = (...attributes: Buffer[]) => der(0x31, ...attributes)
const [cn, o, ou] = ['2.5.4.3', '2.5.4.10', '2.5.4.11']
const named = (value: Buffer) => part(attribute(cn, value))

const same: readonly (readonly [what: string, one: Buffer, other: Buffer])[] = [
  ['case', named(utf8('Plant')), named(utf8('pLANT'))],
  ['blanks', named(utf8(' Plant  of\tmine ')), named(utf8('plant of mine'))],
  ['PrintableString', named(utf8('Plant')), named(latin('Plant'))],
  ['NumericString', named(utf8('123')), named(latin('123', 0x12))],
  ['TeletexString', named(utf8('Größe')), named(latin('Größe', 0x14))],
  ['IA5String', named(utf8('a@b')), named(latin('a@b', 0x16))],
  ['VisibleString', named(utf8('Plant')), named(latin('Plant', 0x1a))],
  ['BMPString', named(utf8('Grüße')), named(wide('Grüße'))],
  ['compatible characters', named(utf8('Ｐｌａｎｔ')), named(utf8('plant'))],
  [
    'the order in a part',
    part(attribute(cn, utf8('a')), attribute(o, utf8('b'))),
    part(attribute(o, utf8('b')), attribute(cn, utf8('a'))),
  ],
  ['half a character of a BMPString', named(der(0x1e, '00610062ff')), named(wide('ab'))],
]
for (const [what, one, other] of same)
  test(`names are the same whatever their ${what}`, () => {
    assert.equal(readName(one).key, readName(other).key)
    assert.equal(normalName(one), normalName(other))
  })

const different: readonly (readonly [what: string, one: Buffer, other: Buffer])[] = [
  ['another text', named(utf8('a')), named(utf8('b'))],
  ['another type', part(attribute(cn, utf8('a'))), part(attribute(o, utf8('a')))],
  [
    'another order of parts',
    Buffer.concat([named(utf8('a')), part(attribute(o, utf8('b')))]),
    Buffer.concat([part(attribute(o, utf8('b'))), named(utf8('a'))]),
  ],
  ['one part fewer', Buffer.concat([named(utf8('a')), named(utf8('a'))]), named(utf8('a'))],
  [
    'what was in one part in two',
    part(attribute(cn, utf8('a')), attribute(o, utf8('b'))),
    Buffer.concat([named(utf8('a')), part(attribute(o, utf8('b')))]),
  ],
  ['bytes that are no text', named(der(0x04, '61')), named(utf8('a'))],
  ['bytes of another type', named(der(0x04, '61')), named(der(0x03, '61'))],
  ['bytes that are wrong in different ways', named(der(0x0c, 'ff')), named(der(0x0c, 'fe'))],
  [
    'a text that looks like two parts',
    named(utf8('a,2.5.4.3=1:b')),
    Buffer.concat([named(utf8('a')), named(utf8('b'))]),
  ],
]
for (const [what, one, other] of different)
  test(`names differ by ${what}`, () => {
    assert.notEqual(readName(one).key, readName(other).key)
    if (!what.startsWith('bytes that are wrong')) assert.notEqual(normalName(one), normalName(other))
  })

test('the common name is the last of them that is not empty', () => {
  const of = (...parts: Buffer[]) => commonName(readName(Buffer.concat(parts)))
  assert.equal(of(named(utf8('first')), part(attribute(ou, utf8('x'))), named(utf8('last'))), 'last')
  assert.equal(of(named(utf8('first')), named(utf8(''))), 'first')
  assert.equal(of(part(attribute(o, utf8('x')))), undefined)
  assert.equal(of(named(der(0x04, '61'))), undefined)
  assert.equal(of(part(attribute(ou, utf8('x')), attribute(cn, utf8('device')))), 'device')
})

test('a name is shown as a word where it is plain, quoted where it is not, and named where it is empty', () => {
  assert.equal(shownName(readName(named(utf8('pump-17')))), 'CN=pump-17')
  assert.equal(shownName(readName(named(utf8('a\nb')))), '"CN=\\"a\\nb\\""')
  assert.equal(shownName(readName(Buffer.alloc(0))), '"(an empty name)"')
})

test('what is no name is malformed', () => {
  const wrong = [
    sequence(attribute(cn, utf8('a'))),
    der(0x31, der(0x31, oid(cn), utf8('a'))),
    part(sequence(oid(cn))),
    part(sequence()),
    part(sequence(oid(cn), utf8('a'), utf8('b'))),
    part(sequence(utf8('a'), utf8('b'))),
  ]
  for (const bytes of wrong) assert.throws(() => readName(bytes), DerMalformed, bytes.toString('hex'))
})

test('an authority is its name and its key, the same for every run of the program', () => {
  const publicKey = { export: ({ type, format }: { type: string; format: string }) => Buffer.from(`${type}/${format}`) }
  const digest = (name: string) =>
    authorityDigest(name, { publicKey } as unknown as Parameters<typeof authorityDigest>[1])
  assert.equal(normalName(named(utf8(' Plant '))), String.raw`[["[\"2.5.4.3\",\"plant\"]"]]`)
  assert.equal(normalName(named(der(0x04, '61'))), String.raw`[["[\"2.5.4.3\",\"#4:61\"]"]]`)
  assert.match(digest('a'), /^[0-9A-F]{64}$/)
  assert.notEqual(digest('a'), digest('b'))
})
