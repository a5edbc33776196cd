import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { test } from 'node:test'
import { expectedSignature, parseSasToken, signSasToken, type Signer } from './sas-token.ts'

const key = signer('AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=')

for (const [resource, signature] of [
  ['0ne000A0B1C/registrations/dev-01', '/MczKBnWbrDFUNizWI30Z5tIV7UhfH9rKZqYzCin6WE='],
  ['0ne000A0B1C%2Fregistrations%2Fdev-01', 'wO4fWrVeF9IFC1+ShZsQN+ucLKbVdZp8TXODymM579c='],
  ['0ne000A0B1C%2fregistrations%2fdev-01', 'jfUY9/HNk61Z2cSf1wjjvJaeerXDZ5WCDioE2Np6IK4='],
] as const)
  test(`the published vector for ${resource} is met, over the text as it stands in the token [device-wire §6.4]`, () => {
    const text = `SharedAccessSignature sr=${resource}&sig=${encodeURIComponent(signature)}&se=1900000000&skn=registration`
    const token = parseSasToken(text)
    assert.ok(token)
    assert.equal(token.resource, '0ne000A0B1C/registrations/dev-01')
    assert.equal(token.expiry, 1900000000)
    assert.equal(token.signature.toString('base64'), signature)
    assert.equal(expectedSignature(token, key).toString('base64'), signature)
  })

test('the published vectors of group derivation are met, in the casing of the registration ID [device-wire §6.4]', () => {
  const group = signer('ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=')
  assert.equal(group.hmac('dev-01').toString('base64'), 'u7cHKK6y/VrW48EjXwe3VyqsaJOiwrqCXqCUdCdqIHI=')
  assert.equal(group.hmac('Dev-01').toString('base64'), '0o5+tGphC58nMHHJ5FbfzYBXEJDw4YzwEihwieMwXrs=')
})

test('what lacks a field, or has one that cannot be read, is no token', () => {
  const fields = { sr: 'a%2Fb', sig: 'AAAA', se: '1900000000', skn: 'registration' }
  const written = (changes: object) =>
    Object.entries({ ...fields, ...changes }).flatMap(([name, value]) =>
      value === undefined ? [] : `${name}=${value}`,
    )
  const parse = (changes: object) => parseSasToken(`SharedAccessSignature ${written(changes).join('&')}`)
  assert.ok(parse({}))
  assert.equal(parse({ skn: undefined })?.keyName, '')
  for (const name of ['sr', 'sig', 'se']) {
    assert.equal(parse({ [name]: undefined }), undefined, `without ${name}`)
    assert.equal(parse({ [name]: '' }), undefined, `with an empty ${name}`)
  }
  for (const name of ['sr', 'sig', 'skn']) assert.equal(parse({ [name]: '%zz' }), undefined, `a bad escape in ${name}`)
  for (const se of ['never', '-1', '1.5', '1e9', ' 1900000000', '1'.repeat(16), '190000000%30'])
    assert.equal(parse({ se }), undefined, `se=${se}`)
})

test('a token is read to 4 KiB, its fields in any order, their names in any case, and no further', () => {
  const text = (length: number) => `SE=1900000000&Sig=AAAA&sr=`.padEnd(length, 'x')
  assert.equal(parseSasToken(text(4096))?.expiry, 1900000000)
  assert.equal(parseSasToken(text(4097)), undefined)
})

test('a blank in a signature was a plus sign before somebody decoded it as a form [device-wire §6.1]', () => {
  const plus = parseSasToken('sr=a&sig=+++++w==&se=1')
  assert.ok(plus)
  assert.deepEqual(parseSasToken('sr=a&sig=     w==&se=1')?.signature, plus.signature)
  assert.equal(plus.signature.toString('base64'), '+++++w==')
})

test('what is signed is read as it was written', () => {
  const [resource, keyName] = ['hub.example/devices/a b', 'own & er']
  const text = signSasToken(resource, key, 1900000000, keyName)
  const token = parseSasToken(text)
  assert.ok(token)
  assert.deepEqual([token.resource, token.expiry, token.keyName], [resource, 1900000000, keyName])
  assert.deepEqual(token.signature, expectedSignature(token, key))
  assert.match(
    signSasToken(resource, key, 1),
    /^SharedAccessSignature sr=hub\.example%2Fdevices%2Fa%20b&sig=[^&]+&se=1$/,
  )
})

function signer(base64: string): Signer {
  return { hmac: (message) => createHmac('sha256', Buffer.from(base64, 'base64')).update(message).digest() }
}
