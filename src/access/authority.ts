import { decodeJwt, errors, jwtVerify, type JWTPayload, type JWTVerifyGetKey } from 'jose'
import type { RoleAssignment, TokenIssuer } from '../model/access.ts'
import { Refusal } from '../model/refusal.ts'
import type { Clock, Clocks } from '../base/time.ts'
import type { Reader } from '../store/store.ts'
import type { BearerAuthority } from './authorization.ts'
import { isAccessToken, readAccessToken } from './access-token.ts'
import { keySets, type FetchKeys } from './key-sets.ts'
import { mayData, type Authority, type Principal } from './principal.ts'
import { shownUrl } from '../base/shown-url.ts'
import { FetchFailed } from '../base/guarded-fetch.ts'
import { quoted } from '../base/printable.ts'

/** Asymmetric only: a key that verifies must not be one that signs. */
const algorithms = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA']
const longestToken = 16 * 1024
/** Seconds that an issuer's clock may differ from ours. */
const clockTolerance = 60

/** Believes the tokens that Hubward gave out, and those of the issuers that an Owner named. [service-wire §1.5] */
export function bearerAuthority(store: Reader, clocks: Clocks, fetchKeys: FetchKeys): Authority {
  const { clock } = clocks
  const keysOf = keySets(clocks, fetchKeys)
  return async (token) => {
    if (token.length > longestToken) throw new Refusal('BearerTokenInvalid', 'the token is too long')
    if (isAccessToken(token)) return readAccessToken(token, store, clock)
    const issuer = await issuerOf(token, store)
    return principalOf(await verified(token, issuer, keysOf(issuer.jwksUrl), clock), issuer)
  }
}

/** The same tokens at the service operations endpoint, where they allow the documented data actions. [service-wire §1.5] */
export function dataAuthority(authority: Authority): BearerAuthority {
  return async (token, { name }) => {
    const principal = await authority(token)
    return {
      principal: { kind: 'bearer', id: principal.id },
      may: (action) => mayData(principal, action, name),
    }
  }
}

async function issuerOf(token: string, store: Reader): Promise<TokenIssuer> {
  const claimed = claimedIssuer(token)
  const issuer = (await store.tokenIssuers.all()).find((known) => known.issuer === claimed)
  if (!issuer) throw new Refusal('BearerTokenInvalid', `no issuer is trusted under the name ${quoted(claimed)}`)
  return issuer
}

function claimedIssuer(token: string): string {
  try {
    const { iss } = decodeJwt(token)
    if (typeof iss === 'string') return iss
  } catch {
    throw new Refusal('BearerTokenInvalid', 'the token is neither one of ours nor a JSON Web Token')
  }
  throw new Refusal('BearerTokenInvalid', 'the token does not name its issuer')
}

async function verified(token: string, issuer: TokenIssuer, keys: JWTVerifyGetKey, clock: Clock): Promise<JWTPayload> {
  try {
    const { payload } = await jwtVerify(token, keys, {
      issuer: issuer.issuer,
      audience: [...issuer.audiences],
      algorithms,
      clockTolerance,
      currentDate: new Date(clock()),
      requiredClaims: ['exp', 'sub'],
    })
    return payload
  } catch (error) {
    // A wrong token is refused; an issuer that cannot be reached as well, but the operator reads why.
    if (error instanceof FetchFailed) {
      throw new Refusal('BearerTokenInvalid', `${issuer.name}: ${shownUrl(issuer.jwksUrl)} ${error.message}`)
    }
    if (error instanceof errors.JOSEError || error instanceof TypeError) {
      throw new Refusal('BearerTokenInvalid', `${issuer.name}: ${error.message}`)
    }
    throw error
  }
}

function principalOf(claims: JWTPayload, { name, rules }: TokenIssuer): Principal {
  const assignments = rules.flatMap(({ claim, value, role, scope }): RoleAssignment[] =>
    valuesOf(claims, claim).includes(value) ? [{ role, scope }] : [],
  )
  return { id: `${name}:${claims.sub}`, assignments }
}

/** A claim's values: one, several, or, as `scp` is written, words with blanks between them. */
function valuesOf(claims: JWTPayload, claim: string): readonly unknown[] {
  const value = Object.hasOwn(claims, claim) ? claims[claim] : undefined
  if (Array.isArray(value)) return value
  return typeof value === 'string' && (claim === 'scp' || claim === 'scope') ? value.split(' ') : [value]
}
