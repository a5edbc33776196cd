import { isJsonObject } from '../base/json.ts'
import { roles, type RoleAssignment } from '../model/access.ts'
import { members, type Members } from '../model/members.ts'

/** How many assignments, rules or issuers there may be in one place. */
export const mostListed = 100

/** The role assignment in an object that somebody sent; without a scope, for the whole deployment. */
export function readAssignment(read: Members): RoleAssignment {
  const role = read.oneOf('role', roles)
  const scope = read.text('scope') ?? '*'
  if (!role) throw read.refusal('role', `must be one of ${roles.join(', ')}`)
  if (!/^(?:\*|[A-Za-z0-9-]{3,50})$/.test(scope)) throw read.refusal('scope', 'must be * or the name of an instance')
  return { role, scope }
}

/** The objects in a list that has to have some, each as `read` takes it. */
export function readObjects<T>(body: Members, member: string, read: (item: Members) => T): readonly T[] {
  const given = body.list(member)
  if (!given || given.length === 0 || given.length > mostListed) {
    throw body.refusal(member, `must hold 1 to ${mostListed} objects`)
  }
  return given.map((item, index) => {
    if (!isJsonObject(item)) throw body.refusal(`${member}.${index}`, 'must be an object')
    return read(members(item, `${member}.${index}`))
  })
}
