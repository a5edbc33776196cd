import type { IdScope } from '../model/identifiers.ts'
import { Refusal } from '../model/refusal.ts'
import type { ListedRevocation, Revocation } from '../model/revocation.ts'
import type { Reader, Store } from '../store/store.ts'

const page = 500
/** How the place of a list's entry begins in `after`; keys of the deny list begin otherwise. */
const listedPlace = 'listed:'

/** Some of what an instance has revoked; more comes after the place `after`, where that is said. */
export interface RevocationPage {
  readonly byHand: readonly Revocation[]
  readonly listed: readonly ListedRevocation[]
  readonly after?: string
}

/** What was revoked by hand, in the order of keys, and then what lists revoke; from after this place on. */
export async function revocationPage(after: string, idScope: IdScope, store: Reader): Promise<RevocationPage> {
  const inList = after.startsWith(listedPlace)
  const byHand = inList ? [] : await store.revocations.slice(idScope, { after, limit: page })
  if (byHand.length === page) return { byHand, listed: [], after: byHand.at(-1)!.key }

  const [authority = '', serialNumber = '', list = ''] = inList ? after.slice(listedPlace.length).split(':') : []
  const limit = page - byHand.length
  const listed = await store.listedRevocations.slice(idScope, { after: { authority, serialNumber, list }, limit })
  const last = listed.length === limit ? listed.at(-1) : undefined
  return {
    byHand,
    listed,
    ...(last && { after: `${listedPlace}${last.authority}:${last.serialNumber}:${last.list}` }),
  }
}

/** Take back what was revoked by hand under this key; gives what is forgotten. Refuses what a list revokes. */
export async function admitAgain(key: string, idScope: IdScope, store: Store): Promise<Revocation> {
  const revocation = await store.revocations.get(idScope, key)
  if (!revocation) throw await notRevoked(key, idScope, store)
  await store.transact((write) => write.revocations.delete(idScope, revocation.key))
  return revocation
}

async function notRevoked(key: string, idScope: IdScope, store: Reader): Promise<Refusal> {
  const [kind, authority = '', serialNumber = ''] = key.split(':')
  const [listed] = kind === 'serial' ? await store.listedRevocations.under(idScope, authority, serialNumber) : []
  if (!listed) return new Refusal('ResourceAbsent', 'nothing was revoked under this key')
  return new Refusal(
    'ResourceAbsent',
    `nothing was revoked under this key by hand; the list ${listed.list} revokes it until a later one of that name leaves it out`,
  )
}
