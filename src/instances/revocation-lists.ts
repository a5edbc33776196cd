import { Refusal } from '../model/refusal.ts'
import type { RevocationList } from '../model/revocation.ts'
import { shown } from '../base/printable.ts'
import { shownUrl } from '../base/shown-url.ts'
import type { Members } from '../model/members.ts'
import { timestamp } from '../base/time.ts'
import { DerMalformed } from '../wire/der.ts'
import { parseRevocationList } from '../wire/revocation-list.ts'
import type { EnrollingInstance } from '../enrollment/enrolling-instance.ts'
import { inTurn } from './in-turn.ts'
import { authoritiesOf } from './revocation-lists/issuer.ts'
import { demandRoom, demandSuccessor } from './revocation-lists/succession.ts'
import { readEntries, removeEntries, replaceEntries } from './revocation-lists/write.ts'

type Owner = Pick<EnrollingInstance, 'idScope' | 'store' | 'clock'>

/** Milliseconds that a list's date may be ahead of our clock. */
const skew = 5 * 60 * 1000
const longestUrl = 2048

/**
 * Revoke every certificate of the list, in place of what an earlier list of this name revoked; `url` is where it came from.
 * Refuses, saying why, a list that its issuer did not sign, that is out of date, older than the one before it or of another issuer or
 * scope, and one that says more than is understood here. What was revoked stays so until the new list is written.
 */
export async function importRevocationList(
  name: string,
  bytes: Buffer,
  url: string | undefined,
  owner: Owner,
): Promise<RevocationList> {
  const { idScope, store, clock } = owner
  return unlessMalformed(async () => {
    const list = parseRevocationList(bytes)
    const authorities = await authoritiesOf(list, idScope, store, clock())
    demandInDate(list, clock())

    return inTurn(store, `revocation lists ${idScope}`, async () => {
      const lists = await store.revocationLists.all(idScope)
      const before = lists.find((one) => isNamed(one, name))
      const others = lists.filter((one) => one !== before)
      demandSuccessor({ ...list, authorities }, before, others)
      const { issuer, issuerName, thisUpdate, nextUpdate, number, base, scope, digest } = list
      const record: Omit<RevocationList, 'revoked'> = {
        name,
        issuer,
        issuerName: issuerName.toString('base64'),
        authorities,
        ...(number !== undefined && { number: number.toString() }),
        ...(base !== undefined && { base: base.toString() }),
        thisUpdate: thisUpdate.toISOString(),
        ...(nextUpdate && { nextUpdate: nextUpdate.toISOString() }),
        scope,
        digest,
        ...(url !== undefined && { url }),
        lastUpdatedDateTimeUtc: timestamp(clock()),
      }
      if (before && isWritten(record, before)) {
        const same = { ...record, revoked: before.revoked }
        await store.transact((write) => write.revocationLists.put(idScope, same))
        return same
      }
      const entries = await readEntries(list, authorities)
      const counts = [...entries.values()].map(({ size }) => size)
      demandRoom(sum(counts), others)
      // What is the issuer's own stands there once for each of its authorities, and counts once.
      const whole = { ...record, revoked: sum(counts.slice(authorities.length - 1)) }
      await replaceEntries(whole, entries, before, { idScope, store })
      return whole
    })
  })
}

/** Import the list that a body has, or that is to be had at its URL, under this name. */
export async function putRevocationList(
  name: string,
  body: Members,
  owner: Owner,
  fetchList: (url: string) => Promise<Buffer>,
): Promise<RevocationList> {
  if (!/^[\w.-]{1,64}$/.test(name)) throw body.refusal('name', 'must be 1 to 64 letters, digits, dots and hyphens')
  const text = body.text('revocationList')
  const url = await unmasked(body.text('url'), name, owner)
  if ((text === undefined) === (url === undefined)) throw body.refusal('', 'must say revocationList or url')
  if (url !== undefined) demandPlainUrl(url, body)
  const bytes = url === undefined ? Buffer.from(text ?? '') : await fetchList(url)
  return importRevocationList(name, bytes, url, owner)
}

/** Forget the list of this name, and that its certificates were revoked by it; gives what is forgotten. */
export async function deleteRevocationList(name: string, { idScope, store }: Owner): Promise<RevocationList> {
  const list = (await store.revocationLists.all(idScope)).find((one) => isNamed(one, name))
  if (!list) throw new Refusal('ResourceAbsent', `the instance has no revocation list ${shown(name)}`)
  await inTurn(store, `revocation lists ${idScope}`, () => removeEntries(list, { idScope, store }))
  return list
}

/** Whether the list goes by this name. */
export function isNamed(list: RevocationList, name: string): boolean {
  return list.name.toLowerCase() === name.toLowerCase()
}

/** Whether what this record stands for is in the store already, as of a list that is fetched again and has not changed. */
function isWritten({ digest, authorities }: Omit<RevocationList, 'revoked'>, before: RevocationList): boolean {
  return !before.incomplete && before.digest === digest && before.authorities?.join() === authorities?.join()
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0)
}

async function unlessMalformed<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof DerMalformed) throw new Refusal('RevocationListInvalid', error.message)
    throw error
  }
}

interface Dated {
  readonly issuer: string
  readonly thisUpdate: Date
  readonly nextUpdate?: Date
}

function demandInDate({ issuer, thisUpdate, nextUpdate }: Dated, now: number): void {
  if (thisUpdate.getTime() > now + skew) {
    throw new Refusal(
      'RevocationListInvalid',
      `the list of ${issuer} is of ${thisUpdate.toISOString()}, which is yet to come`,
    )
  }
  if (nextUpdate && nextUpdate.getTime() < now) {
    throw new Refusal('RevocationListInvalid', `the list of ${issuer} expired on ${nextUpdate.toISOString()}`)
  }
}

/** The URL, or the one that is stored if this is how that is shown: what was read can be written back. */
async function unmasked(given: string | undefined, name: string, { idScope, store }: Owner) {
  const kept = (await store.revocationLists.all(idScope)).find((list) => isNamed(list, name))?.url
  return kept !== undefined && given === shownUrl(kept) ? kept : given
}

/** Credentials in a URL would be stored and shown. */
function demandPlainUrl(text: string, body: Members): void {
  const url = URL.parse(text)
  if (url?.protocol !== 'https:' && url?.protocol !== 'http:') throw body.refusal('url', 'must be an http or https URL')
  if (url.username !== '' || url.password !== '')
    throw body.refusal('url', 'must not have a user name or password in it')
  if (text.length > longestUrl) throw body.refusal('url', `must not be longer than ${longestUrl} characters`)
}
