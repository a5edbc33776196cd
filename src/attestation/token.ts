import { Refusal } from '../model/refusal.ts'
import type { Clock } from '../base/time.ts'
import { parseSasToken, type SasToken } from '../wire/sas-token.ts'
import { sasTokenFault } from '../wire/sas-token-fault.ts'
import { resourceMistake } from './resource-mistake.ts'
import type { Presented } from './attestation.ts'
import { quoted, shown } from '../base/printable.ts'

/** Seconds that a device's clock may be behind ours. [device-wire §6.2] */
const skew = 300

/** Each credential is looked at more than once: on its face, and by every kind that reads it. */
const parsed = new WeakMap<Presented['credential'], SasToken>()

/**
 * The shared access signature a device sent, checked in everything but its signature: form, expiry, resource, key name.
 * [device-wire §6.2]
 */
export function presentedToken({ credential, service, registrationId }: Presented, clock: Clock): SasToken {
  if (credential.kind !== 'token') throw new Refusal('CredentialMissing', 'no token was sent')
  const token = parsed.get(credential) ?? parseSasToken(credential.token)
  if (!token) throw new Refusal('TokenMalformed', `the token ${sasTokenFault(credential.token)}`)
  parsed.set(credential, token)

  const late = Math.floor(clock() / 1000) - token.expiry
  if (late >= skew) throw new Refusal('TokenExpired', `the token expired ${late} s ago; ${expiryMistake(token)}`)

  const resource = `${service.idScope}/registrations/${registrationId}`
  if (token.resource.toLowerCase() !== resource.toLowerCase()) {
    throw new Refusal(
      'TokenForAnotherResource',
      `expected a token for ${resource}, found one for ${shown(token.resource, 300)}${resourceMistake(token.resource, resource)}`,
    )
  }
  if (token.keyName !== '' && token.keyName.toLowerCase() !== 'registration') {
    throw new Refusal('TokenKeyNameInvalid', `expected skn=registration or none, found ${quoted(token.keyName, 100)}`)
  }
  return token
}

/** Seconds: the first year of such tokens was 2014. */
const longestLifetime = 10 * 365 * 24 * 3600

function expiryMistake({ expiry, signedExpiry }: SasToken): string {
  if (expiry > longestLifetime) return "is the device's clock right?"
  return `its se is ${signedExpiry}, which looks like a lifetime: it has to be the moment, in seconds since 1970`
}
