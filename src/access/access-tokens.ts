import { shown } from '../base/printable.ts'
import type { Clock } from '../base/time.ts'
import type { AccessToken } from '../model/access.ts'
import type { Members } from '../model/members.ts'
import { Refusal } from '../model/refusal.ts'
import type { Store } from '../store/store.ts'
import { newAccessToken, principalId, type NewToken } from './access-token.ts'
import { readAssignment, readObjects } from './assignments.ts'
import type { Principal } from './principal.ts'

const administrator = 'administrator, made at the first start'
const longestDescription = 200
const mostDays = 3650
/** Milliseconds. */
const day = 24 * 60 * 60 * 1000

/** Give out the token that a body wants: its text, to be shown once, and what is kept of it. */
export async function issueToken(body: Members, store: Store, clock: Clock): Promise<NewToken> {
  const days = body.number('expiresInDays')
  if (days !== undefined && !(days > 0 && days <= mostDays)) {
    throw body.refusal('expiresInDays', `must be a number of days up to ${mostDays}`)
  }
  const made = newAccessToken(
    {
      description: (body.text('description') ?? '').slice(0, longestDescription),
      assignments: readObjects(body, 'assignments', readAssignment),
      ...(days !== undefined && { expires: clock() + days * day }),
    },
    clock(),
  )
  await store.transact((write) => write.accessTokens.put(made.token))
  return made
}

/** Take the token back; gives what is forgotten. Refuses the token that the caller itself speaks with. */
export async function revokeToken(id: string, caller: Principal | undefined, store: Store): Promise<AccessToken> {
  if (caller?.id === principalId(id)) throw new Refusal('TokenInUse', 'call with the token of another Owner')
  const token = await store.accessTokens.get(id)
  if (!token) throw new Refusal('ResourceAbsent', `there is no token ${shown(id)}`)
  await store.transact((write) => write.accessTokens.delete(token.id))
  return token
}

/** A token for the administrator of the deployment, in place of the one that was given out before as such. */
export async function renewAdministratorToken(store: Store, clock: Clock): Promise<NewToken> {
  const made = newAccessToken({ description: administrator, assignments: [{ role: 'Owner', scope: '*' }] }, clock())
  const known = await store.accessTokens.all()
  await store.transact((write) => {
    for (const { id, description } of known) if (description === administrator) write.accessTokens.delete(id)
    write.accessTokens.put(made.token)
  })
  return made
}
