import type { Timestamp } from '../base/time.ts'

/**
 * What somebody may do. An Owner may do everything, also say who else may; a Contributor manages instances, with their keys; a
 * Reader sees them without keys; the two Data roles are for the service operations endpoint. [service-wire §1.5]
 */
export const roles = ['Owner', 'Contributor', 'Reader', 'DataContributor', 'DataReader'] as const

export type Role = (typeof roles)[number]

/** A role, at every instance (`*`) or at the one with this name. */
export interface RoleAssignment {
  readonly role: Role
  readonly scope: string
}

/** A bearer token that Hubward gave out; only its SHA-256 is kept. */
export interface AccessToken {
  readonly id: string
  /** SHA-256 of the token's text, hex. */
  readonly digest: string
  readonly description: string
  readonly assignments: readonly RoleAssignment[]
  readonly createdDateTimeUtc: Timestamp
  readonly expiresDateTimeUtc?: Timestamp
}

/** Whose tokens are believed beside our own, and what their claims allow. [service-wire §1.5] */
export interface TokenIssuer {
  readonly name: string
  /** The `iss` claim, compared exactly. */
  readonly issuer: string
  readonly jwksUrl: string
  /** One of these is in the `aud` claim. */
  readonly audiences: readonly string[]
  readonly rules: readonly ClaimRule[]
}

/** Whoever has this claim with this value, or with it among its values, is assigned the role. */
export interface ClaimRule extends RoleAssignment {
  readonly claim: string
  readonly value: string
}
