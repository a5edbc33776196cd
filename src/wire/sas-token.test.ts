import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { test } from 'node:test'
import { expectedSignature, parseSasToken, type Signer } from './sas-token.ts'

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

function signer(base64: string): Signer {
  return { hmac: (message) => createHmac('sha256', Buffer.from(base64, 'base64')).update(message).digest() }
}
