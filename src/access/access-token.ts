import { createHash, randomBytes } from 'node:crypto'
import type { AccessToken, RoleAssignment } from '../model/access.ts'
import { Refusal } from '../model/refusal.ts'
import { sameBytes } from '../base/secret.ts'
import { timestamp, type Clock } from '../base/time.ts'
import type { Reader } from '../store/store.ts'
import type { Principal } from './principal.ts'

/** Of no text that anybody has. */
const nobodys = randomBytes(32).toString('hex')
const shape = /^hubward_([0-9a-f]{16})_[\w-]{43}$/

/** True if the text looks like a token of ours; anything else may be an issuer's. */
export function isAccessToken(text: string): boolean {
  return text.startsWith('hubward_')
}

/** A token that was given out: its text, which is not kept, and what is. */
export interface NewToken {
  readonly text: string
  readonly token: AccessToken
}

/** A new token, which nobody knows yet. */
export function newAccessToken(
  wanted: { description: string; assignments: readonly RoleAssignment[]; expires?: number },
  now: number,
): NewToken {
  const id = randomBytes(8).toString('hex')
  const text = `hubward_${id}_${randomBytes(32).toString('base64url')}`
  const { description, assignments, expires } = wanted
  const token: AccessToken = {
    id,
    digest: digestOf(text).toString('hex'),
    description,
    assignments,
    createdDateTimeUtc: timestamp(now),
    ...(expires !== undefined && { expiresDateTimeUtc: timestamp(expires) }),
  }
  return { text, token }
}

/** Whom a token of ours speaks for; throws BearerTokenInvalid if it is unknown, revoked or has expired. */
export async function readAccessToken(text: string, store: Reader, clock: Clock): Promise<Principal> {
  const id = shape.exec(text)?.[1]
  const token = id === undefined ? undefined : await store.accessTokens.get(id)
  // Compared in either case, so that an ID that was given out takes as long as one that was not.
  const same = sameBytes(digestOf(text), Buffer.from(token?.digest ?? nobodys, 'hex'))
  if (!token || !same) {
    throw new Refusal('BearerTokenInvalid', 'no such token was given out, or it was revoked')
  }
  if (token.expiresDateTimeUtc !== undefined && token.expiresDateTimeUtc < timestamp(clock())) {
    throw new Refusal('BearerTokenInvalid', `the token ${token.id} expired on ${token.expiresDateTimeUtc}`)
  }
  return { id: principalId(token.id), assignments: token.assignments }
}

/** By this a token's holder is known in the audit log. */
export function principalId(tokenId: string): string {
  return `token:${tokenId}`
}

/** The text has 256 random bits, so a plain hash keeps it as well as a slow one. */
function digestOf(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
