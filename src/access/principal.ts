import type { Role, RoleAssignment } from '../model/access.ts'
import type { DataAction } from './data-action.ts'

/** Somebody who proved who they are with a bearer token, and what they were assigned. */
export interface Principal {
  /** For the audit log: `token:<id>`, or `<issuer name>:<subject>`. */
  readonly id: string
  readonly assignments: readonly RoleAssignment[]
}

/** Whom a bearer token speaks for; throws BearerTokenInvalid if nobody. */
export type Authority = (token: string) => Promise<Principal>

/** What a call of the control plane needs: `keys` shows or changes credentials, `own` says who may call at all. */
export type Permission = 'read' | 'write' | 'keys' | 'own'

const permissions: Readonly<Record<Role, readonly Permission[]>> = {
  Owner: ['read', 'write', 'keys', 'own'],
  Contributor: ['read', 'write', 'keys'],
  Reader: ['read'],
  DataContributor: [],
  DataReader: [],
}

const dataWriters: readonly Role[] = ['Owner', 'Contributor', 'DataContributor']

/** True if the principal may do this at the instance with this name; `*` asks for the whole deployment. */
export function may({ assignments }: Principal, permission: Permission, instance: string): boolean {
  return assignments.some(({ role, scope }) => covers(scope, instance) && permissions[role].includes(permission))
}

/** True if the principal may do this at the instance's service operations endpoint. [service-wire §1.5] */
export function mayData({ assignments }: Principal, action: DataAction, instance: string): boolean {
  return assignments.some(
    ({ role, scope }) =>
      covers(scope, instance) && (dataWriters.includes(role) || (role === 'DataReader' && action.endsWith('/read'))),
  )
}

function covers(scope: string, instance: string): boolean {
  return scope === '*' || scope.toLowerCase() === instance.toLowerCase()
}
