import { createHmac } from 'node:crypto'
import { derivedKey, sasToken } from '../fixtures/sas.ts'
import { enroll, enrollGroup, other, register, withKey, type Case, type World } from './world.ts'

/** The usual mistakes with tokens, each of which is told by its name. */
export const mistakes: readonly Case[] = [
  ...malformed([
    ['a connection string', ({ id, key }) => connectionString(id, key), /is a whole connection string: make a token/],
    ['the key itself', ({ key }) => key, /is a single word, such as a key/],
    [
      'a bearer token',
      () => 'Bearer eyJhbGciOiJSUzI1NiJ9.e30.c2ln',
      /is a bearer token, not a shared access signature/,
    ],
    ['no expiry', ({ token }) => token.replace(/&se=\d+/, ''), /^the token has no se$/],
    ['no signature', ({ token }) => token.replace(/&sig=[^&]+/, ''), /^the token has no sig$/],
    [
      'an expiry with a fraction',
      ({ token }) => token.replace(/se=(\d+)/, 'se=$1.25'),
      /se "\d+\.25", which has a fraction/,
    ],
    [
      'an expiry in milliseconds',
      ({ token }) => token.replace(/se=(\d+)/, 'se=$1000'),
      /se "\d{13}", which looks like millis/,
    ],
    [
      'a date for an expiry',
      ({ token }) => token.replace(/se=\d+/, 'se=2031-02-03T04:05:06Z'),
      /se "2031-.*, which is a date/,
    ],
    ['an expiry in words', ({ token }) => token.replace(/se=\d+/, 'se=never'), /se "never": expected whole seconds/],
    [
      'a broken escape',
      ({ token }) => token.replace('%2F', '%2'),
      /has an sr "\S+" with a % that is not followed by two/,
    ],
    ['a broken signature', ({ token }) => token.replace(/sig=[^&]+/, 'sig=ab%zz'), /has an sig with a % that is not/],
    ['a whole page', ({ token }) => token.padEnd(5000, 'x'), /has 5000 characters; at most 4096 are read/],
  ]),
  ...foreign([
    ['of a hub', ({ id }) => `hub.azure-devices.net/devices/${id}`, /: that is the resource of a device at an IoT hub/],
    ['of another scope', ({ id }) => `0neFFFFFFFF/registrations/${id}`, /: it is of another ID scope$/],
    ['of another device', ({ scope }) => `${scope}/registrations/x`, /: it is of another registration$/],
    [
      'encoded twice',
      ({ scope, id }) => encodeURIComponent(`${scope}/registrations/${id}`),
      /: it is percent-encoded twice$/,
    ],
    ['the scope', ({ scope }) => scope, /: it is the ID scope alone$/],
    ['the device', ({ id }) => id, /: it is the registration ID alone$/],
    ['a host', () => 'hub.azure-devices.net', /: it is a host name alone$/],
    ['behind a host', ({ scope, id }) => `https://dps/${scope}/registrations/${id}`, /: it begins with a host$/],
  ]),
  {
    reason: 'TokenExpired',
    when: 'a lifetime stands for the moment',
    says: /its se is 3600, which looks like a lifetime/,
    attempt: async (world, id) => register(world, id, withKey(world, id, await enroll(world, id), { expiry: 3600 })),
  },
  ...badBodies([
    ['a body that ends too early', '{"registrationId":', /^the register body is not JSON: it ends too early$/],
    ['a body with a stray word', '{"payload": yes}', /^the register body is not JSON: an unexpected "y"$/],
    ['a body that is a list', '[]', /^the register body is a list, not a JSON object$/],
    ['a number for the ID', '{"registrationId":7}', /^the registrationId in the register body is a number, not text$/],
    ['text for the TPM', '{"tpm":"AToAAQ"}', /^the tpm in the register body is text, not an object$/],
    ['no key of the TPM', '{"tpm":{}}', /^the endorsement key in tpm is absent, not text$/],
  ]),
  ...wrongKeyOfOwn([
    [
      'the text of the key',
      (key) => utf8(key),
      /; the token was signed with the base64 text of the primary key, which has/,
    ],
    [
      'a derived key',
      (key, id) => derivedKey(key, id),
      /; the token was signed with a key derived from the primary key:/,
    ],
  ]),
  ...wrongKeyOfGroup([
    [
      'derived twice',
      (key, id) => derivedKey(derivedKey(key, id), id),
      /with a key that was derived twice from the primary/,
    ],
    ['a line feed', (key, id) => derivedKey(key, `${id}\n`), /for the registration ID with a line feed at its end$/],
    ['a blank', (key, id) => derivedKey(key, `${id} `), /for the registration ID with a blank at its end$/],
    ['capitals', (key, id) => derivedKey(key, id.toUpperCase()), /for the registration ID in capitals$/],
    [
      'the text of the derived key',
      (key, id) => utf8(derivedKey(key, id)),
      /with the base64 text of the key derived from/,
    ],
    [
      'the text of the group key',
      (key, id) => derivedKey(utf8(key), id),
      /was derived with the base64 text of the primary key/,
    ],
    ['the name of the group', (key, id) => derivedKey(key, `group-${id}`), /for the name of the group$/],
    [
      'the secondary key and a line feed',
      (_, id) => derivedKey(other, `${id}\n`),
      /from the secondary key of the group \S+ for/,
    ],
  ]),
  {
    reason: 'TokenSignatureInvalid',
    when: 'the key is of another device of its group',
    says: /; the token was signed with the key of why-\d+-twin, another device of the group group-why-\d+$/,
    attempt: async (world, id) => {
      const key = await enrolledGroup(world, id)
      const twin = `${id}-twin`
      await register(world, twin, withKey(world, twin, derivedKey(key, twin)))
      return register(world, id, withKey(world, id, derivedKey(key, twin)))
    },
  },
  {
    reason: 'TokenSignatureInvalid',
    when: 'another spelling of the resource was signed',
    says: /; another spelling of sr was signed than the one in the token.* with the primary key$/,
    attempt: async (world, id) => {
      const key = await enroll(world, id)
      const token = sasToken(`${world.service.idScope}/registrations/${id}`, key, { encoding: 'none' })
      const authorization = token.replace(/sr=[^&]+/, (sr) => sr.replaceAll('/', '%2F'))
      return register(world, id, { headers: { authorization } })
    },
  },
  {
    reason: 'TokenSignatureInvalid',
    when: 'the signature is in hex',
    says: /; the signature has 48 bytes; HMAC-SHA256 in base64 gives 32/,
    attempt: async (world, id) => {
      await enroll(world, id)
      const authorization = tokenOf(world, id, other).replace(/sig=[^&]+/, `sig=${'0f'.repeat(32)}`)
      return register(world, id, { headers: { authorization } })
    },
  },
]

interface Sent {
  readonly scope: string
  readonly id: string
  readonly key: string
  readonly token: string
}

type Variants<Make> = readonly (readonly [when: string, make: Make, says: RegExp])[]

/** What is sent instead of a token. */
function malformed(variants: Variants<(sent: Sent) => string>): Case[] {
  return variants.map(([when, make, says]) => ({
    reason: 'TokenMalformed',
    when,
    says,
    attempt: async (world, id) => {
      const key = await enroll(world, id)
      const sent = { scope: world.service.idScope, id, key, token: tokenOf(world, id, key) }
      return register(world, id, { headers: { authorization: make(sent) } })
    },
  }))
}

/** What is signed instead of the device's own resource. */
function foreign(variants: Variants<(sent: Pick<Sent, 'scope' | 'id'>) => string>): Case[] {
  return variants.map(([when, make, says]) => ({
    reason: 'TokenForAnotherResource',
    when,
    says,
    attempt: async (world, id) => {
      const key = await enroll(world, id)
      return register(world, id, withKey(world, id, key, {}, make({ scope: world.service.idScope, id })))
    },
  }))
}

function badBodies(bodies: readonly (readonly [when: string, body: string, says: RegExp])[]): Case[] {
  return bodies.map(([when, body, says]) => ({
    reason: 'BodyMalformed',
    when,
    says,
    attempt: async (world, id) => {
      const { headers } = withKey(world, id, await enroll(world, id))
      return register(world, id, { headers: { ...headers, 'content-type': 'application/json' }, body })
    },
  }))
}

function wrongKeyOfOwn(variants: Variants<(key: string, id: string) => string>): Case[] {
  return variants.map(([when, make, says]) => ({
    reason: 'TokenSignatureInvalid',
    when,
    says,
    attempt: async (world, id) => register(world, id, withKey(world, id, make(await enroll(world, id), id))),
  }))
}

function wrongKeyOfGroup(variants: Variants<(key: string, id: string) => string>): Case[] {
  return variants.map(([when, make, says]) => ({
    reason: 'TokenSignatureInvalid',
    when: `${when}, of a group`,
    says,
    attempt: async (world, id) => register(world, id, withKey(world, id, make(await enrolledGroup(world, id), id))),
  }))
}

async function enrolledGroup(world: World, id: string): Promise<string> {
  const primaryKey = createHmac('sha256', 'a group').update(id).digest('base64')
  const symmetricKey = { primaryKey, secondaryKey: other }
  await enrollGroup(world, `group-${id}`, { type: 'symmetricKey', symmetricKey })
  return primaryKey
}

function tokenOf({ service }: World, id: string, key: string): string {
  return sasToken(`${service.idScope}/registrations/${id}`, key)
}

function connectionString(id: string, key: string): string {
  return `HostName=hub.azure-devices.net;DeviceId=${id};SharedAccessKey=${key}`
}

/** As somebody who forgot to decode takes it. */
function utf8(key: string): string {
  return Buffer.from(key).toString('base64')
}
