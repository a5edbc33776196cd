import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { contentOf, DerMalformed, derTag, eachDer, readDer, readOid, readSequence, readTime } from './der.ts'

const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex')
const read = (text: string) => readDer(hex(text)).map(({ tag, content }) => [tag, content.toString('hex')])

test('elements follow each other, each with the content of its length, in every form that a length has', () => {
  assert.deepEqual(read(''), [])
  assert.deepEqual(read('05 00 02 01 07'), [
    [0x05, ''],
    [0x02, '07'],
  ])
  const lengths: readonly (readonly [bytes: string, length: number])[] = [
    ['7f', 127],
    ['81 80', 128],
    ['82 01 00', 256],
    ['83 01 00 00', 65_536],
    ['84 00 01 00 00', 65_536],
  ]
  for (const [bytes, length] of lengths) {
    const [element, next, ...more] = readDer(Buffer.concat([hex(`04 ${bytes}`), Buffer.alloc(length, 1), hex('05 00')]))
    assert.deepEqual([element!.tag, element!.content.length, next!.tag, more.length], [4, length, 5, 0])
  }
})

const malformed: readonly (readonly [what: string, bytes: string])[] = [
  ['a tag without a length', '04'],
  ['a content that is one byte short', '04 03 01 02'],
  ['a content that is one byte short behind a whole element', '05 00 04 02 01'],
  ['an indefinite length', '04 80 01 00 00'],
  ['an indefinite length with enough behind it', `04 80 ${'00 '.repeat(128)}`],
  ['a length of a length that is not there', '04 81'],
  ['a length that is cut', '04 82 01'],
  ['a length of five bytes', '04 85 00 00 00 00 01 01'],
  ['a length beyond all memory', '04 84 ff ff ff ff 01'],
  ['a tag of several bytes', '1f 01 00'],
  ['a constructed tag of several bytes', 'bf 01 00'],
]
for (const [what, bytes] of malformed)
  test(`${what} is malformed, and is not read beyond its bytes`, () => {
    assert.throws(() => readDer(hex(bytes)), DerMalformed)
    assert.throws(() => [...eachDer(hex(bytes))], DerMalformed)
  })

test('one at a time, the elements are the same', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      const [all, each] = [readDer, (given: Buffer) => [...eachDer(given)]].map((way) => {
        try {
          return way(Buffer.from(bytes))
        } catch (error) {
          assert.ok(error instanceof DerMalformed)
          return 'malformed'
        }
      })
      assert.deepEqual(each, all)
    }),
  )
})

test('a content is asked for by its tag, and what is missing or of another type is named', () => {
  const [element] = readDer(hex('02 01 07'))
  assert.deepEqual(contentOf(element, derTag.integer, 'the version'), hex('07'))
  for (const one of [undefined, element])
    assert.throws(() => contentOf(one, derTag.oid, 'the version'), /^DerMalformed: the version is missing/)
})

test('a sequence is all that the bytes are', () => {
  assert.deepEqual(
    readSequence(hex('30 03 02 01 07'), 'it').map(({ tag }) => tag),
    [2],
  )
  assert.throws(() => readSequence(hex('30 00 05 00'), 'it'), /^DerMalformed: it is followed by more/)
  for (const bytes of ['', '31 00']) assert.throws(() => readSequence(hex(bytes), 'it'), /^DerMalformed: it is missing/)
})

test('object identifiers are read arc by arc, and no two encodings read the same', () => {
  const dotted: Readonly<Record<string, string>> = {
    '2a 86 48 86 f7 0d 01 01 0b': '1.2.840.113549.1.1.11',
    '55 1d 13': '2.5.29.19',
    '27': '0.39',
    '28': '1.0',
    '4f': '1.39',
    '50': '2.0',
    '88 37': '2.999',
    '2a 81 00': '1.2.128',
    '2a 7f': '1.2.127',
    '2a 00': '1.2.0',
    [`2a 8f ${'ff '.repeat(6)} 7f`]: `1.2.${2 ** 53 - 1}`,
  }
  for (const [bytes, text] of Object.entries(dotted)) assert.equal(readOid(hex(bytes)), text)
  const bad = ['', '80 01', '2a 80 01', '2a 86', '86', `2a 90 ${'80 '.repeat(6)} 00`, `2a ${'ff '.repeat(200)} 7f`]
  for (const bytes of bad) assert.throws(() => readOid(hex(bytes)), DerMalformed, bytes)
})

const time = (text: string, tag: number = text.length === 13 ? derTag.utcTime : derTag.generalizedTime) =>
  readTime({ tag, content: Buffer.from(text, 'latin1') })

test('dates are read to the second, in either form, and two digits of a year are from 1950 to 2049', () => {
  const dates: Readonly<Record<string, string>> = {
    '500101000000Z': '1950-01-01T00:00:00Z',
    '491231235959Z': '2049-12-31T23:59:59Z',
    '000229120000Z': '2000-02-29T12:00:00Z',
    '20500102030405Z': '2050-01-02T03:04:05Z',
    '01000101000000Z': '0100-01-01T00:00:00Z',
    '99991231235959Z': '9999-12-31T23:59:59Z',
  }
  for (const [text, date] of Object.entries(dates)) assert.equal(time(text), Date.parse(date), text)
})

test('a date that does not exist, or is not written as certificates have it, is malformed', () => {
  const bad = [
    '260001000000Z',
    '261301000000Z',
    '260100000000Z',
    '260132000000Z',
    '260101240000Z',
    '260101006000Z',
    '260101000060Z',
    '00990101000000Z',
    '2601010000Z',
    '260101000000+',
    '2601010000000',
    '20260101000000.5Z',
    '2601010a0000Z',
    '260101 00000Z',
    '26010100000/Z',
    '26010100000:Z',
    '',
  ]
  for (const text of bad) assert.throws(() => time(text, text.length > 14 ? 0x18 : 0x17), DerMalformed, text)
  assert.throws(() => time('260101000000Z', derTag.generalizedTime), DerMalformed)
  assert.throws(() => time('20260101000000Z', derTag.utcTime), DerMalformed)
  assert.throws(() => time('260101000000Z', derTag.octetString), DerMalformed)
  assert.throws(() => readTime(undefined), DerMalformed)
})
