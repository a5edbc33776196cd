import { setImmediate } from 'node:timers/promises'
import type { ListedRevocation, RevocationList } from '../../model/revocation.ts'
import type { Store } from '../../store/store.ts'
import { DerMalformed } from '../../wire/der.ts'
import { nameDigest, normalName } from '../../wire/normal-name.ts'
import type { ParsedRevocationList } from '../../wire/revocation-list.ts'
import type { EnrollingInstance } from '../../enrollment/enrolling-instance.ts'

type Place = Pick<EnrollingInstance, 'idScope' | 'store'>

/** Entries of one list. */
const mostEntries = 500_000
/** Entries that are read, or written, before anybody else has a turn. */
const portion = 500

/** Reasons by authority and serial number. */
export type Entries = ReadonlyMap<string, ReadonlyMap<string, string>>

/**
 * What the list says of the certificates of its authorities, and of those of other issuers, by the digests of their names. Others
 * have their turn meanwhile. Throws DerMalformed at an entry that cannot be taken.
 */
export async function readEntries(list: ParsedRevocationList, authorities: readonly string[]): Promise<Entries> {
  const own = new Map<string, string>()
  const all = new Map(authorities.map((authority) => [authority, own]))
  const itself = nameDigest(normalName(list.issuerName))
  let read = 0
  for (const { serialNumber, reason, issuer } of list.entries()) {
    const name = issuer && nameDigest(normalName(issuer))
    const of = name === undefined || name === itself ? own : (all.get(name) ?? new Map<string, string>())
    if (of !== own) all.set(name!, of)
    // Of two that contradict each other, the one that is final.
    if (!isFinal(of.get(serialNumber))) of.set(serialNumber, reason)
    if (++read > mostEntries) throw new DerMalformed(`the list has more than ${mostEntries} entries`)
    if (read % portion === 0) await setImmediate()
  }
  return all
}

function isFinal(reason: string | undefined): boolean {
  return reason !== undefined && reason !== 'certificateHold' && reason !== 'removeFromCRL'
}

/**
 * Make the list's entries in the store these, in place of those of the record `before`. The record is marked until all are written,
 * and what is revoked no more goes last: wherever this is cut off, too much is revoked and never too little, and importing again
 * completes it. Until then the record says no more than the one before it.
 */
export async function replaceEntries(
  record: RevocationList,
  entries: Entries,
  before: RevocationList | undefined,
  { idScope, store }: Place,
): Promise<void> {
  const { name: list, scope, lastUpdatedDateTimeUtc: createdDateTimeUtc } = record
  const certificates = scope?.certificates ?? 'all'
  const meanwhile: RevocationList =
    before && before.incomplete !== true ? { ...before, incomplete: 'renewing' } : { ...record, incomplete: true }
  await store.transact((write) => write.revocationLists.put(idScope, meanwhile))

  const unchanged = new Set<string>()
  const gone: ListedRevocation[] = []
  for await (const one of storedEntries(list, { idScope, store })) {
    const reason = entries.get(one.authority)?.get(one.serialNumber)
    if (reason === undefined) gone.push(one)
    else if (reason === one.reason && certificates === one.certificates) unchanged.add(keyOf(one))
  }
  await inPortions(store, added(), (write, one) => write.listedRevocations.put(idScope, one))
  await inPortions(store, gone, (write, one) => write.listedRevocations.delete(idScope, one))
  await store.transact((write) => {
    write.revocations.deleteFrom(idScope, formerSource(list))
    write.revocationLists.put(idScope, record)
  })

  async function* added(): AsyncGenerator<ListedRevocation, void> {
    let looked = 0
    for (const [authority, reasons] of entries) {
      for (const [serialNumber, reason] of reasons) {
        // A list of which little is new is gone through without a write to wait for.
        if (++looked % portion === 0) await setImmediate()
        if (unchanged.has(keyOf({ authority, serialNumber }))) continue
        yield { list, authority, serialNumber, reason, certificates, createdDateTimeUtc }
      }
    }
  }
}

/** Forget the list and all its entries, the record last. */
export async function removeEntries({ name }: RevocationList, { idScope, store }: Place): Promise<void> {
  for (;;) {
    const some = await store.listedRevocations.sliceOfList(idScope, name, { limit: portion })
    if (some.length === 0) break
    await store.transact((write) => some.forEach((one) => write.listedRevocations.delete(idScope, one)))
  }
  await store.transact((write) => {
    write.revocations.deleteFrom(idScope, formerSource(name))
    write.revocationLists.delete(idScope, name)
  })
}

async function* storedEntries(list: string, { idScope, store }: Place): AsyncGenerator<ListedRevocation, void> {
  let after: ListedRevocation | undefined
  do {
    const some = await store.listedRevocations.sliceOfList(idScope, list, { ...(after && { after }), limit: portion })
    yield* some
    after = some.length === portion ? some.at(-1) : undefined
    await setImmediate()
  } while (after)
}

async function inPortions<T>(
  store: Store,
  all: Iterable<T> | AsyncIterable<T>,
  note: (write: Parameters<Parameters<Store['transact']>[0]>[0], one: T) => void,
): Promise<void> {
  let some: T[] = []
  const flush = async () => {
    const noted = some
    some = []
    if (noted.length > 0) await store.transact((write) => noted.forEach((one) => note(write, one)))
  }
  for await (const one of all) if (some.push(one) === portion) await flush()
  await flush()
}

function keyOf({ authority, serialNumber }: Pick<ListedRevocation, 'authority' | 'serialNumber'>): string {
  return `${authority}:${serialNumber}`
}

/** The source of entries on the deny list that a list of this name put there before entries had a table of their own. */
function formerSource(name: string): string {
  return `crl:${name.toLowerCase()}`
}
