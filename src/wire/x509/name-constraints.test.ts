import assert from 'node:assert/strict'
import { test } from 'node:test'
import { der, nameOf, sequence, type Attribute } from '../../../test/fixtures/der.ts'
import { DerMalformed } from '../der.ts'
import { forbiddenName, readNameConstraints } from './name-constraints.ts'
import { readName } from './name.ts'

const [commonName, organization, emailAddress] = ['2.5.4.3', '2.5.4.10', '1.2.840.113549.1.9.1']
const latin = (tag: number) => (text: string) => der(tag, Buffer.from(text, 'latin1'))
const [email, dns, uri] = [latin(0x81), latin(0x82), latin(0x86)]
const ip = (hex: string) => der(0x87, hex)
const directory = (...attributes: readonly Attribute[]) => der(0xa4, nameOf(...attributes))
const registered = der(0x88, '2a03')

const subtrees = (tag: number, names: readonly Buffer[]) =>
  names.length === 0 ? '' : der(tag, ...names.map((name) => sequence(name)))

/** What constraints that permit and exclude these say of a certificate of these names. */
function forbidden(permitted: readonly Buffer[], excluded: readonly Buffer[], ...names: readonly Buffer[]) {
  return forbiddenBy(permitted, excluded, [], ...names)
}

function forbiddenBy(
  permitted: readonly Buffer[],
  excluded: readonly Buffer[],
  subject: readonly Attribute[],
  ...names: readonly Buffer[]
): string | undefined {
  const constraints = readNameConstraints(sequence(subtrees(0xa0, permitted), subtrees(0xa1, excluded)))
  const { length } = nameOf(...subject)
  const content = nameOf(...subject).subarray(length < 130 ? 2 : 4)
  const extensions = names.length === 0 ? {} : { subjectAltName: sequence(...names) }
  return forbiddenName(constraints, { subject: readName(content), extensions })
}

/** Each subtree with names that are in it, and names that are not. */
const forms: readonly (readonly [subtree: Buffer, within: readonly Buffer[], outside: readonly Buffer[]])[] = [
  [
    dns('plant.example'),
    ['plant.example', 'a.plant.example', 'a.b.plant.example', 'PLANT.Example', 'a.plant.example.'].map(dns),
    ['example', 'otherplant.example', 'plant.example.org', 'plant.exampl', ''].map(dns),
  ],
  [
    dns('.plant.example'),
    ['a.plant.example', 'a.b.plant.example'].map(dns),
    ['plant.example', '.plant.example', 'aplant.example'].map(dns),
  ],
  [dns('Plant.EXAMPLE'), [dns('a.plant.example')], [dns('a.other.example')]],
  [dns(''), [dns('anything'), dns('')], []],
  [
    email('root@plant.example'),
    ['root@plant.example', 'root@PLANT.example'].map(email),
    ['Root@plant.example', 'other@plant.example', 'root@a.plant.example', 'root@root@plant.example'].map(email),
  ],
  [
    email('plant.example'),
    ['root@plant.example', 'a@b@Plant.example'].map(email),
    ['root@a.plant.example', 'plant.example@example'].map(email),
  ],
  [email('.plant.example'), [email('root@a.plant.example')], [email('root@plant.example')]],
  [
    uri('plant.example'),
    ['https://plant.example', 'HTTPS://u:p@PLANT.example:8443/path?q#f', 'coap+tcp://plant.example./'].map(uri),
    [
      'https://a.plant.example/',
      'https://plant.example.org',
      'https://x/plant.example',
      'https://a@x#@plant.example',
    ].map(uri),
  ],
  [uri('.plant.example'), [uri('https://a.plant.example?x')], [uri('https://plant.example')]],
  [ip('0a000000ff000000'), ['0a000000', '0affffff'].map(ip), ['0b000000', '09ffffff'].map(ip)],
  [ip('0a0000ffff000000'), [ip('0a010203')], [ip('0b0000ff')]],
  [
    ip(`20010db8${'00'.repeat(12)}ffffffff${'00'.repeat(12)}`),
    [ip(`20010db8${'11'.repeat(12)}`)],
    [ip(`20010db9${'00'.repeat(12)}`)],
  ],
  [
    directory([organization, 'Plant']),
    [directory([organization, 'Plant']), directory([organization, ' PLANT '], [commonName, 'x'])],
    [directory([organization, 'Other']), directory([commonName, 'x'], [organization, 'Plant']), directory()],
  ],
]
for (const [index, [subtree, within, outside]] of forms.entries())
  test(`what is below a subtree is allowed where it is permitted, and nothing else; and the other way round: ${index + 1}`, () => {
    for (const name of within) {
      assert.equal(forbidden([subtree], [], name), undefined, name.toString('latin1'))
      assert.match(forbidden([], [subtree], name) ?? '', /is excluded$/, name.toString('latin1'))
      assert.match(forbidden([subtree], [subtree], name) ?? '', /is excluded$/)
    }
    for (const name of outside) {
      assert.match(
        forbidden([subtree], [], name) ?? '',
        /is not among the names that are permitted$/,
        name.toString('latin1'),
      )
      assert.equal(forbidden([], [subtree], name), undefined, name.toString('latin1'))
    }
  })

test('a constraint of one form says nothing of names of another', () => {
  const names = [dns('x.example'), email('a@x.example'), uri('https://x.example'), ip('0a000000'), registered]
  const subtreesOfEach = [dns('y'), email('y'), uri('y'), ip('ffffffffffffffff'), der(0x89, '2a03')]
  for (const [index, name] of names.entries())
    for (const [other, subtree] of subtreesOfEach.entries())
      if (index !== other) assert.equal(forbidden([subtree], [], name), undefined, `${index} by ${other}`)
  assert.equal(forbidden([der(0xa0, '')], [der(0xa3, '')], registered), undefined)
})

test('what cannot be compared is never permitted, and always excluded', () => {
  const cases: readonly (readonly [subtree: Buffer, name: Buffer])[] = [
    [email('plant.example'), email('no mailbox')],
    [uri('plant.example'), uri('urn:uuid:1')],
    [uri('plant.example'), uri('https://192.0.2.1/')],
    [uri('plant.example'), uri('https://[2001:db8::1]:443/')],
    [uri('plant.example'), uri('https://')],
    [ip('0a000000ff000000'), ip('0a0000')],
    [ip('0a000000ff000000'), ip('')],
    [registered, registered],
  ]
  for (const [subtree, name] of cases) {
    assert.match(forbidden([subtree], [], name) ?? '', /is not among/)
    assert.match(forbidden([], [subtree], name) ?? '', /is excluded/)
  }
  assert.match(forbidden([ip('0a000000ff000000')], [], ip('0a'.repeat(16))) ?? '', /is not among/)
  assert.equal(forbidden([], [ip('0a000000ff000000')], ip('0a'.repeat(16))), undefined)
})

test('a wildcard is excluded as soon as a host that it stands for is, and permitted only where all of them are', () => {
  assert.match(forbidden([], [dns('a.plant.example')], dns('*.plant.example')) ?? '', /is excluded/)
  assert.match(forbidden([], [dns('.a.plant.example')], dns('*.plant.example')) ?? '', /is excluded/)
  assert.equal(forbidden([], [dns('a.plant.example')], dns('*.other.example')), undefined)
  assert.equal(forbidden([], [dns('a.plant.example')], dns('b.plant.example')), undefined)
  assert.equal(forbidden([], [dns('a.plant.example')], dns('plant.example')), undefined)
  assert.equal(forbidden([dns('plant.example')], [], dns('*.plant.example')), undefined)
  assert.match(forbidden([dns('a.plant.example')], [], dns('*.plant.example')) ?? '', /is not among/)
})

test('every name counts: the subject, its e-mail addresses, and each alternative; the common name is no host', () => {
  const plant: readonly Attribute[] = [
    [organization, 'Plant'],
    [commonName, 'other.example'],
  ]
  assert.equal(forbiddenBy([dns('plant.example')], [], plant), undefined)
  assert.match(forbiddenBy([directory([organization, 'Other'])], [], plant) ?? '', /^the subject or directory name/)
  const withEmail: readonly Attribute[] = [...plant, [emailAddress, 'root@other.example']]
  assert.match(forbiddenBy([email('plant.example')], [], withEmail) ?? '', /^the email name "root@other\.example"/)
  assert.match(
    forbiddenBy([dns('plant.example')], [], plant, dns('a.plant.example'), dns('other.example')) ?? '',
    /^the dns name "other\.example"/,
  )
  assert.equal(forbiddenBy([directory([organization, 'Other'])], [], [], dns('x')), undefined, 'no subject, no name')
})

test('of several subtrees one must permit, and none exclude', () => {
  const both = [dns('a.example'), dns('b.example')]
  assert.equal(forbidden(both, [], dns('x.b.example')), undefined)
  assert.match(forbidden(both, [], dns('c.example')) ?? '', /is not among/)
  assert.match(forbidden([], both, dns('x.b.example')) ?? '', /is excluded/)
  assert.match(forbidden([dns('example')], [dns('b.example')], dns('b.example')) ?? '', /is excluded/)
  assert.equal(forbidden([dns('example')], [dns('b.example')], dns('a.example')), undefined)
})

test('what is forbidden is told by its form and its name, cut where it is long', () => {
  const told = (subtree: Buffer, name: Buffer) => forbidden([], [subtree], name)
  assert.equal(told(ip('0a000000ff000000'), ip('0a010203')), 'the IP address 10.1.2.3 is excluded')
  assert.equal(told(registered, registered), 'an alternative name of the form 8 is excluded')
  assert.equal(told(dns(''), dns('x'.repeat(120))), `the dns name "${'x'.repeat(100)}" is excluded`)
  assert.equal(told(ip(''), ip('01'.repeat(40))), `the IP address ${Array(16).fill(1).join('.')} is excluded`)
})

test('constraints with distances, without names, or of too many subtrees or names are malformed', () => {
  const tree = (...parts: (Buffer | string)[]) => readNameConstraints(sequence(der(0xa0, sequence(...parts))))
  assert.equal(tree(dns('a')).permitted.length, 1)
  assert.equal(tree(dns('a'), der(0x80, '00')).permitted.length, 1)
  for (const distances of [[der(0x80, '01')], [der(0x81, '00')], [der(0x80, '00'), der(0x81, '01')], [der(0x81, '01')]])
    assert.throws(() => tree(dns('a'), ...distances), DerMalformed)
  assert.throws(() => tree(), DerMalformed)
  assert.throws(() => readNameConstraints(sequence(der(0xa0, dns('a')))), DerMalformed)
  assert.throws(() => readNameConstraints(sequence(der(0xa0, sequence(der(0xa4, der(0x31, '')))))), DerMalformed)
  const many = (count: number) => Array.from({ length: count }, () => dns('a'))
  assert.equal(forbidden(many(128), many(128), email('a@b')), undefined)
  assert.throws(() => forbidden(many(129), many(128), email('a@b')), DerMalformed)
  assert.equal(forbidden([email('b')], [], ...many(256)), undefined)
  assert.throws(() => forbidden([email('b')], [], ...many(257)), DerMalformed)
})
