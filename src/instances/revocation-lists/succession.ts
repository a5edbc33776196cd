import { Refusal } from '../../model/refusal.ts'
import { isKin, isSameScope, type RevocationList, type RevocationScope } from '../../model/revocation.ts'
import type { ParsedRevocationList } from '../../wire/revocation-list.ts'

/** Lists of an instance. */
const mostLists = 100
/** Certificates that the lists of an instance revoke, all together. */
const mostRevoked = 1_000_000

/** A list, and digests of those whose certificates it is about, its signer first. */
type Arriving = Pick<ParsedRevocationList, 'issuer' | 'number' | 'base' | 'thisUpdate' | 'digest' | 'scope'> & {
  readonly authorities: readonly string[]
}

/**
 * Refuse a list that may not stand in the place of the one that has its name, or beside the others: of another issuer, key or scope,
 * older, or different under the same number; and a delta of a list that is not there. [RFC 5280 §5.2.3, §5.2.4]
 */
export function demandSuccessor(
  list: Arriving,
  before: RevocationList | undefined,
  others: readonly RevocationList[],
): void {
  if (before) demandFollows(list, before)
  const kin = others.filter((other) => isKin(other, list))
  const isDelta = list.base !== undefined
  const twin = kin.find(({ base }) => (base !== undefined) === isDelta)
  if (twin) {
    throw refusal(
      `the list of ${list.issuer} is imported as ${twin.name}; import it under that name, or forget that one`,
    )
  }
  if (isDelta && !kin.some(({ base, number }) => base === undefined && BigInt(number ?? -1) >= list.base!)) {
    throw refusal(
      `the list of ${list.issuer} only says what changed since its list ${list.base}: import that one, or a later one, first`,
    )
  }
}

function demandFollows(list: Arriving, before: RevocationList): void {
  demandSameIssuer(list, before)
  if (before.scope && !isSameScope(before.scope, list.scope)) {
    throw refusal(
      `${before.name} is a list about ${scopeText(before.scope)}; this one is about ${scopeText(list.scope)} and needs a name of its own`,
    )
  }
  if ((before.base === undefined) !== (list.base === undefined)) {
    throw refusal(
      before.base === undefined
        ? `${before.name} is a complete list; this one only says what changed and needs a name of its own`
        : `${before.name} only says what changed in another list; this one is complete and needs a name of its own`,
    )
  }
  if (before.digest === list.digest) return
  const [number, last] = [list.number, before.number === undefined ? undefined : BigInt(before.number)]
  if (last !== undefined && number === undefined) throw refusal(`the list has no number; the one before it has ${last}`)
  if (last !== undefined && number! < last) throw refusal(`the list has the number ${number}, older than ${last}`)
  if (last !== undefined && number === last)
    throw refusal(`the list has the number ${last}, as the one before it, and says something else`)
  const then = Date.parse(before.thisUpdate)
  if (list.thisUpdate.getTime() < then) {
    throw refusal(`the list is of ${list.thisUpdate.toISOString()}, older than ${before.thisUpdate}`)
  }
  if (list.thisUpdate.getTime() === then && number === undefined && before.digest !== undefined)
    throw refusal(`the list is of ${before.thisUpdate}, as the one before it, and says something else`)
}

/** Refuse more lists, or more revoked certificates, than an instance may have. */
export function demandRoom(rows: number, others: readonly RevocationList[]): void {
  if (others.length >= mostLists) throw new Refusal('QuotaReached', `the instance has its ${mostLists} lists already`)
  const already = others.reduce((sum, one) => sum + one.revoked * (one.authorities?.length ?? 1), 0)
  if (already + rows > mostRevoked) {
    throw new Refusal(
      'QuotaReached',
      `the lists of the instance revoke ${already} certificates; ${rows} more are above ${mostRevoked}`,
    )
  }
}

/** A name belongs to the authority that it was first used for. */
function demandSameIssuer({ issuer, authorities }: Arriving, before: RevocationList): void {
  const owner = before.authorities?.[0]
  if (owner === undefined ? before.issuer === issuer : authorities.includes(owner)) return
  throw refusal(
    before.issuer === issuer
      ? `${before.name} is the list of ${issuer} with another key; this one needs a name of its own`
      : `${before.name} is the list of ${before.issuer}; that of ${issuer} needs a name of its own`,
  )
}

function scopeText({ certificates, reasons, distributionPoint, indirect }: RevocationScope): string {
  const what = { all: 'all certificates', user: 'certificates that are no CAs', ca: 'CA certificates' }[certificates]
  const why = reasons ? ` revoked for ${reasons.join(', ')}` : ''
  const whose = indirect ? ', of other issuers too' : ''
  return `${what}${whose}${why}${distributionPoint === undefined ? '' : ` of ${distributionPoint}`}`
}

function refusal(detail: string): Refusal {
  return new Refusal('RevocationListInvalid', detail)
}
